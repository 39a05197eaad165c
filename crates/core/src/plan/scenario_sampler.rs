//! The random order of the scenarios: without replacement by copies, or with replacement by weight.

use crate::profile::ScenarioMix;
use crate::rng::{RngStream, SeededRng};

/// The scenarios still to run, in a seeded order.
#[derive(Debug, Clone)]
pub(super) struct ScenarioSampler {
    rng: SeededRng,
    shares: Shares,
    /// How many times each scenario was drawn.
    drawn: Vec<u32>,
}

#[derive(Debug, Clone)]
enum Shares {
    /// The copies left of each scenario. Drawing from them gives every order the same probability,
    /// like a shuffled list, without storing the list.
    Copies { left: Vec<u64>, total: u64 },
    /// Cumulative weights.
    Weights(Vec<f64>),
}

/// A drawn scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pick {
    /// The scenario's position in the profile.
    pub(super) scenario: u32,
    /// How many times it was drawn before.
    pub(super) copy: u32,
}

impl ScenarioSampler {
    pub(super) fn new(mix: &ScenarioMix, seed: u64) -> Self {
        let shares = match mix {
            ScenarioMix::Copies(list) => {
                let left: Vec<u64> = list.iter().map(|(_, copies)| u64::from(*copies)).collect();
                Shares::Copies { total: left.iter().sum(), left }
            }
            ScenarioMix::Weights(list) => {
                let mut sum = 0.0;
                Shares::Weights(
                    list.iter()
                        .map(|(_, weight)| {
                            sum += weight;
                            sum
                        })
                        .collect(),
                )
            }
        };
        let drawn = vec![0; mix.scenarios().len()];
        Self { rng: SeededRng::stream(seed, RngStream::Scenarios), shares, drawn }
    }

    /// How many copies are left; `None` if there is no end.
    pub(super) const fn left(&self) -> Option<u64> {
        match &self.shares {
            Shares::Copies { total, .. } => Some(*total),
            Shares::Weights(_) => None,
        }
    }

    /// The next scenario; `None` if all copies are used up.
    pub(super) fn pick(&mut self) -> Option<Pick> {
        let scenario = match &mut self.shares {
            Shares::Copies { total: 0, .. } => return None,
            Shares::Copies { left, total } => {
                let mut position = self.rng.below(*total);
                let scenario = left.iter().position(|copies| {
                    let found = position < *copies;
                    if !found {
                        position -= copies;
                    }
                    found
                })?;
                left[scenario] -= 1;
                *total -= 1;
                scenario
            }
            Shares::Weights(cumulative) => {
                let point = self.rng.uniform() * cumulative.last()?;
                cumulative.partition_point(|sum| *sum <= point).min(cumulative.len() - 1)
            }
        };
        let copy = self.drawn[scenario];
        self.drawn[scenario] += 1;
        let scenario = u32::try_from(scenario).ok()?;
        Some(Pick { scenario, copy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Scenario;
    use crate::units::{PositiveDuration, ScenarioId};

    fn scenario(id: u32) -> Scenario {
        let id = ScenarioId::new(id.to_string());
        let (name, lasts) = (id.to_string(), PositiveDuration::secs(60));
        Scenario { name, id, lasts, chat_lasts: None, script: None, cekura: None, voice: None }
    }

    #[test]
    fn every_copy_is_drawn_once_in_a_mixed_order() {
        let mix = ScenarioMix::Copies(vec![(scenario(1), 300), (scenario(2), 100)]);
        let mut sampler = ScenarioSampler::new(&mix, 5);
        let picks: Vec<Pick> = std::iter::from_fn(|| sampler.pick()).collect();
        assert_eq!(picks.len(), 400);
        assert_eq!(picks.iter().filter(|pick| pick.scenario == 1).count(), 100);
        let first_half = picks[..200].iter().filter(|pick| pick.scenario == 1).count();
        assert!((30..=70).contains(&first_half), "{first_half}");
        let copies: Vec<u32> =
            picks.iter().filter(|pick| pick.scenario == 1).map(|pick| pick.copy).collect();
        assert_eq!(copies, (0..100).collect::<Vec<u32>>());
        assert_eq!(sampler.left(), Some(0));
    }

    #[test]
    fn picks_follow_the_weights() {
        let mix = ScenarioMix::Weights(vec![(scenario(1), 3.0), (scenario(2), 1.0)]);
        let mut sampler = ScenarioSampler::new(&mix, 5);
        let second = (0..10_000).filter(|_| sampler.pick().unwrap().scenario == 1).count();
        assert!((2_350..=2_650).contains(&second), "{second}");
    }
}
