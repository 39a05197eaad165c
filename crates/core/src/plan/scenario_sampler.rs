//! Whose turn it is: scenarios drawn like cards from a shuffled deck, or with replacement by weight.

use super::rng::{PlanRng, RngStream};
use crate::profile::ScenarioMix;

/// The scenarios still to be run, in a seeded order.
#[derive(Debug, Clone)]
pub(super) struct ScenarioSampler {
    random: PlanRng,
    shares: Shares,
    drawn: Vec<u32>,
}

#[derive(Debug, Clone)]
enum Shares {
    /// Copies left of each; drawing from what is left equals dealing a shuffled deck, without holding one.
    Left { copies: Vec<u64>, total: u64 },
    /// Cumulative weights.
    Weights(Vec<f64>),
}

/// One drawn entry.
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
                let copies: Vec<u64> = list.iter().map(|(_, copies)| u64::from(*copies)).collect();
                Shares::Left { total: copies.iter().sum(), copies }
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
        Self { random: PlanRng::new(seed, RngStream::Deck), shares, drawn }
    }

    /// How many are left; none where there is no end.
    pub(super) const fn left(&self) -> Option<u64> {
        match &self.shares {
            Shares::Left { total, .. } => Some(*total),
            Shares::Weights(_) => None,
        }
    }

    /// The next entry; none where all copies are used up.
    pub(super) fn draw(&mut self) -> Option<Pick> {
        let scenario = match &mut self.shares {
            Shares::Left { total: 0, .. } => return None,
            Shares::Left { copies, total } => {
                let mut card = self.random.below(*total);
                let scenario = copies.iter().position(|left| {
                    let here = card < *left;
                    if !here {
                        card -= left;
                    }
                    here
                })?;
                copies[scenario] -= 1;
                *total -= 1;
                scenario
            }
            Shares::Weights(cumulative) => {
                let point = self.random.fraction() * cumulative.last()?;
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
        Scenario { name, id, lasts, chat_lasts: None, script: None, cekura: None }
    }

    #[test]
    fn every_copy_is_dealt_once_and_the_order_is_mixed() {
        let mix = ScenarioMix::Copies(vec![(scenario(1), 300), (scenario(2), 100)]);
        let mut deck = ScenarioSampler::new(&mix, 5);
        let dealt: Vec<Pick> = std::iter::from_fn(|| deck.draw()).collect();
        assert_eq!(dealt.len(), 400);
        assert_eq!(dealt.iter().filter(|drawn| drawn.scenario == 1).count(), 100);
        let first_half = dealt[..200].iter().filter(|drawn| drawn.scenario == 1).count();
        assert!((30..=70).contains(&first_half), "{first_half}");
        let copies: Vec<u32> =
            dealt.iter().filter(|drawn| drawn.scenario == 1).map(|drawn| drawn.copy).collect();
        assert_eq!(copies, (0..100).collect::<Vec<u32>>());
        assert_eq!(deck.left(), Some(0));
    }

    #[test]
    fn weights_are_kept_in_proportion() {
        let mix = ScenarioMix::Weights(vec![(scenario(1), 3.0), (scenario(2), 1.0)]);
        let mut deck = ScenarioSampler::new(&mix, 5);
        let second = (0..10_000).filter(|_| deck.draw().unwrap().scenario == 1).count();
        assert!((2_350..=2_650).contains(&second), "{second}");
    }
}
