//! What all sessions of a search together say about each level.

use std::collections::BTreeMap;

use super::rules::SearchRules;
use super::trial::{LevelVerdict, TrialResult};

/// How often the generator must fail at a level to be its limit: once may be a bad moment of the machine.
pub(super) const GENERATOR_FAULTS: u32 = 2;

/// The verdict of all sessions of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CombinedVerdict {
    /// More sessions passed than failed.
    Passed,
    /// More sessions failed than passed.
    Failed,
    /// As many passed as failed: another one decides.
    Contradictory,
    /// It ran for as long as allowed and is not decided.
    Undecided,
    /// The generator could not deliver it.
    GeneratorLimited,
}

/// The number of sessions of a level by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct VerdictCounts {
    pub(super) passed: u32,
    pub(super) failed: u32,
    /// After the longest duration allowed.
    pub(super) undecided: u32,
    pub(super) generator: u32,
}

impl VerdictCounts {
    fn verdict(&self) -> Option<CombinedVerdict> {
        match self.passed.cmp(&self.failed) {
            std::cmp::Ordering::Greater => Some(CombinedVerdict::Passed),
            std::cmp::Ordering::Less => Some(CombinedVerdict::Failed),
            std::cmp::Ordering::Equal if self.undecided > 0 => Some(CombinedVerdict::Undecided),
            std::cmp::Ordering::Equal if self.generator >= GENERATOR_FAULTS => {
                Some(CombinedVerdict::GeneratorLimited)
            }
            std::cmp::Ordering::Equal if self.passed > 0 => Some(CombinedVerdict::Contradictory),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// Whether another session cannot confirm the verdict, or need not.
    pub(super) const fn is_confirmed_or_cannot_be(&self) -> bool {
        self.passed + self.failed >= 2 || self.undecided > 0 || self.generator >= GENERATOR_FAULTS
    }
}

/// The verdicts of all levels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LevelVerdicts {
    by_level: BTreeMap<u32, VerdictCounts>,
}

impl LevelVerdicts {
    pub(super) fn of(rules: &SearchRules, results: &[TrialResult]) -> Self {
        let mut by_level: BTreeMap<u32, VerdictCounts> = BTreeMap::new();
        let decides = |result: &&TrialResult| {
            result.trial.purpose.decides_level() && !result.is_the_dispatchers()
        };
        for result in results.iter().filter(decides) {
            let trial = result.trial;
            let counts = by_level.entry(trial.in_flight).or_default();
            match result.verdict {
                LevelVerdict::Passed => counts.passed += 1,
                LevelVerdict::Failed => counts.failed += 1,
                LevelVerdict::Undecided
                    if trial.duration >= rules.max_duration(trial.in_flight) =>
                {
                    counts.undecided += 1;
                }
                LevelVerdict::Generator => counts.generator += 1,
                LevelVerdict::Undecided
                | LevelVerdict::Stopped
                | LevelVerdict::Budget
                | LevelVerdict::Broken => {}
            }
        }
        Self { by_level }
    }

    pub(super) fn counts(&self, level: u32) -> VerdictCounts {
        self.by_level.get(&level).copied().unwrap_or_default()
    }

    fn levels(&self, verdict: CombinedVerdict) -> impl DoubleEndedIterator<Item = u32> {
        self.by_level
            .iter()
            .filter(move |(_, counts)| counts.verdict() == Some(verdict))
            .map(|(level, _)| *level)
    }

    /// The lowest level that fails.
    pub(super) fn failed(&self) -> Option<u32> {
        self.levels(CombinedVerdict::Failed).next()
    }

    /// The highest level that passes, below all that fail.
    pub(super) fn passed(&self) -> Option<u32> {
        let failed = self.failed().unwrap_or(u32::MAX);
        self.levels(CombinedVerdict::Passed).rfind(|level| *level < failed)
    }

    /// Levels that cannot be decided, between the one that passes and the one that fails.
    pub(super) fn undecided(&self) -> Vec<u32> {
        let between = self.passed().unwrap_or(0)..self.failed().unwrap_or(u32::MAX);
        self.levels(CombinedVerdict::Undecided).filter(|level| between.contains(level)).collect()
    }

    /// The lowest level with as many passed as failed sessions.
    pub(super) fn contradictory(&self) -> Option<u32> {
        self.levels(CombinedVerdict::Contradictory).next()
    }

    /// The lowest level that the generator could not deliver.
    pub(super) fn generator_limited(&self) -> Option<u32> {
        self.levels(CombinedVerdict::GeneratorLimited).next()
    }

    /// The lowest and the highest level with a verdict.
    pub(super) fn ends(&self) -> Option<(u32, u32)> {
        let known = || self.by_level.iter().filter(|(_, counts)| counts.verdict().is_some());
        Some((*known().next()?.0, *known().next_back()?.0))
    }
}
