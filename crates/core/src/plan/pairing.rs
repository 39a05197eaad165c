//! The mode of each run: one mode for all, or each drawn scenario in both modes.

use super::scenario_sampler::{Pick, ScenarioSampler};
use crate::profile::{Profile, SessionMode};
use crate::rng::{RngStream, SeededRng};
use crate::units::{Mode, PairId};

/// The runs still to come, in a seeded order, each with its mode.
///
/// The two runs of a pair are neighbours. Which of them comes first alternates (voice, chat, chat, voice,
/// and so on), so that a steady drift over the session affects both modes alike. The seed decides which
/// mode comes first.
#[derive(Debug, Clone)]
pub(super) struct Pairing {
    sampler: ScenarioSampler,
    modes: Modes,
}

#[derive(Debug, Clone)]
enum Modes {
    /// Every run in this mode.
    One(Mode),
    /// Every scenario in both modes.
    Both {
        /// The first mode of the first pair.
        first: Mode,
        /// The number of pairs so far.
        pairs: u64,
        /// The second run of the current pair, until it is returned.
        second: Option<ScheduledRun>,
    },
}

/// A run without its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScheduledRun {
    pub(super) pick: Pick,
    pub(super) mode: Mode,
    pub(super) pair: Option<PairId>,
}

impl Pairing {
    pub(super) fn new(profile: &Profile) -> Self {
        let modes = match profile.mode {
            SessionMode::Voice => Modes::One(Mode::Voice),
            SessionMode::Chat => Modes::One(Mode::Chat),
            SessionMode::Paired => {
                let coin = SeededRng::stream(profile.seed, RngStream::FirstMode).below(2);
                let first = if coin == 0 { Mode::Voice } else { Mode::Chat };
                Modes::Both { first, pairs: 0, second: None }
            }
        };
        Self { sampler: ScenarioSampler::new(&profile.mix, profile.seed), modes }
    }

    /// Whether all copies are used up.
    pub(super) const fn is_exhausted(&self) -> bool {
        let is_pair_open = matches!(self.modes, Modes::Both { second: Some(_), .. });
        matches!(self.sampler.left(), Some(0)) && !is_pair_open
    }

    /// The next run; `None` if all copies are used up.
    pub(super) fn next(&mut self) -> Option<ScheduledRun> {
        match &mut self.modes {
            Modes::One(mode) => {
                Some(ScheduledRun { pick: self.sampler.pick()?, mode: *mode, pair: None })
            }
            Modes::Both { second, .. } if second.is_some() => second.take(),
            Modes::Both { first, pairs, second } => {
                let pick = self.sampler.pick()?;
                let pair = Some(PairId(*pairs));
                let mode = if pairs.is_multiple_of(2) { *first } else { first.other() };
                *pairs += 1;
                *second = Some(ScheduledRun { pick, mode: mode.other(), pair });
                Some(ScheduledRun { pick, mode, pair })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::plan_of;

    fn runs(mode: SessionMode, seed: u64) -> Vec<ScheduledRun> {
        let text = "[[scenario]]\nid = 1\ncopies = 30\n[[scenario]]\nid = 2\ncopies = 10\n[[stage]]\nrate = \"1/s\"\n";
        let mut profile = plan_of(text).profile().clone();
        (profile.seed, profile.mode) = (seed, mode);
        let mut pairing = Pairing::new(&profile);
        let all = std::iter::from_fn(|| pairing.next()).collect();
        assert!(pairing.is_exhausted());
        all
    }

    #[test]
    fn every_copy_runs_in_both_modes() {
        let all = runs(SessionMode::Paired, 7);
        assert_eq!(all.len(), 80, "40 copies make 40 pairs");
        for (number, pair) in all.chunks(2).enumerate() {
            let [first, second] = pair else { panic!("a run without its partner") };
            assert_eq!(first.pick, second.pick, "the same scenario and copy");
            assert_eq!(first.mode.other(), second.mode);
            assert_eq!((first.pair, second.pair), (Some(PairId(number as u64)), first.pair));
        }
    }

    #[test]
    fn the_first_mode_alternates_and_the_seed_decides_how_it_begins() {
        let order =
            |seed| runs(SessionMode::Paired, seed)[..8].iter().map(|r| r.mode).collect::<Vec<_>>();
        let first_modes: Vec<Mode> = (0..64).map(|seed| order(seed)[0]).collect();
        let voice = first_modes.iter().filter(|mode| **mode == Mode::Voice).count();
        assert!((16..=48).contains(&voice), "{voice} of 64 seeds begin with voice");
        for seed in 0..8 {
            let (a, b) = (order(seed)[0], order(seed)[1]);
            assert_eq!(order(seed), [a, b, b, a, a, b, b, a]);
        }
    }

    #[test]
    fn one_mode_draws_the_same_scenarios_without_pairs() {
        let one = runs(SessionMode::Chat, 7);
        let both = runs(SessionMode::Paired, 7);
        let firsts: Vec<Pick> = both.iter().step_by(2).map(|run| run.pick).collect();
        assert_eq!(one.iter().map(|run| run.pick).collect::<Vec<_>>(), firsts);
        assert!(one.iter().all(|run| run.pair.is_none() && run.mode == Mode::Chat));
    }
}
