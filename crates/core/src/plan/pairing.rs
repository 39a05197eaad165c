//! In which mode each drawn scenario is run: all in one, or each in both, the one beside the other.

use super::rng::{PlanRng, RngStream};
use super::scenario_sampler::{Pick, ScenarioSampler};
use crate::profile::{Profile, SessionMode};
use crate::units::{Mode, PairId};

/// The runs still to come, in a seeded order, each with its mode.
///
/// A pair's two runs are neighbours, and which of them comes first alternates: voice, chat, chat, voice,
/// and so on, so that whatever drifts steadily over the session weighs on both modes alike. The seed
/// decides which mode begins.
#[derive(Debug, Clone)]
pub(super) struct Pairing {
    deck: ScenarioSampler,
    held: PairedStage,
}

#[derive(Debug, Clone)]
enum PairedStage {
    /// Every run in this mode.
    In(Mode),
    /// Every scenario in both modes.
    Twice {
        /// The mode that comes first in the first pair.
        begins: Mode,
        pairs: u64,
        /// The second run of a pair whose first was given.
        second: Option<ScheduledRun>,
    },
}

/// A run without its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScheduledRun {
    pub(super) drawn: Pick,
    pub(super) mode: Mode,
    pub(super) pair: Option<PairId>,
}

impl Pairing {
    pub(super) fn new(profile: &Profile) -> Self {
        let held = match profile.mode {
            SessionMode::Voice => PairedStage::In(Mode::Voice),
            SessionMode::Chat => PairedStage::In(Mode::Chat),
            SessionMode::Paired => {
                let [voice, chat] = Mode::ALL;
                let side = PlanRng::new(profile.seed, RngStream::FirstMode).below(2);
                let begins = if side == 0 { voice } else { chat };
                PairedStage::Twice { begins, pairs: 0, second: None }
            }
        };
        Self { deck: ScenarioSampler::new(&profile.mix, profile.seed), held }
    }

    /// Whether all copies are used up.
    pub(super) const fn is_used_up(&self) -> bool {
        let open = matches!(self.held, PairedStage::Twice { second: Some(_), .. });
        matches!(self.deck.left(), Some(0)) && !open
    }

    /// The next run; none where all copies are used up.
    pub(super) fn next(&mut self) -> Option<ScheduledRun> {
        match &mut self.held {
            PairedStage::In(mode) => {
                Some(ScheduledRun { drawn: self.deck.draw()?, mode: *mode, pair: None })
            }
            PairedStage::Twice { second, .. } if second.is_some() => second.take(),
            PairedStage::Twice { begins, pairs, second } => {
                let drawn = self.deck.draw()?;
                let pair = Some(PairId(*pairs));
                let mode = if pairs.is_multiple_of(2) { *begins } else { begins.other() };
                *pairs += 1;
                *second = Some(ScheduledRun { drawn, mode: mode.other(), pair });
                Some(ScheduledRun { drawn, mode, pair })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::plan_of;

    fn given(mode: SessionMode, seed: u64) -> Vec<ScheduledRun> {
        let text = "[[scenario]]\nid = 1\ncopies = 30\n[[scenario]]\nid = 2\ncopies = 10\n[[stage]]\nrate = \"1/s\"\n";
        let mut profile = plan_of(text).profile().clone();
        (profile.seed, profile.mode) = (seed, mode);
        let mut pairing = Pairing::new(&profile);
        let all = std::iter::from_fn(|| pairing.next()).collect();
        assert!(pairing.is_used_up());
        all
    }

    #[test]
    fn every_copy_is_run_in_both_modes_side_by_side() {
        let all = given(SessionMode::Paired, 7);
        assert_eq!(all.len(), 80, "10 copies are 10 pairs, which are 20 runs");
        for (number, pair) in all.chunks(2).enumerate() {
            let [first, second] = pair else { panic!("a run without its partner") };
            assert_eq!(first.drawn, second.drawn, "the same scenario and copy");
            assert_eq!(first.mode.other(), second.mode);
            assert_eq!((first.pair, second.pair), (Some(PairId(number as u64)), first.pair));
        }
    }

    #[test]
    fn which_mode_comes_first_alternates_and_the_seed_begins() {
        let order =
            |seed| given(SessionMode::Paired, seed)[..8].iter().map(|g| g.mode).collect::<Vec<_>>();
        let begun: Vec<Mode> = (0..64).map(|seed| order(seed)[0]).collect();
        let spoken = begun.iter().filter(|mode| **mode == Mode::Voice).count();
        assert!((16..=48).contains(&spoken), "{spoken} of 64 seeds begin with voice");
        for seed in 0..8 {
            let (a, b) = (order(seed)[0], order(seed)[1]);
            assert_eq!(order(seed), [a, b, b, a, a, b, b, a]);
        }
    }

    #[test]
    fn one_mode_deals_the_same_scenarios_without_pairs() {
        let one = given(SessionMode::Chat, 7);
        let both = given(SessionMode::Paired, 7);
        let firsts: Vec<Pick> = both.iter().step_by(2).map(|given| given.drawn).collect();
        assert_eq!(one.iter().map(|given| given.drawn).collect::<Vec<_>>(), firsts);
        assert!(one.iter().all(|given| given.pair.is_none() && given.mode == Mode::Chat));
    }
}
