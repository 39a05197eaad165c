//! What all sessions of a search say together of each level.

use std::collections::BTreeMap;

use super::rules::SearchRules;
use super::trial::{LevelVerdict, TrialResult};

/// A level whose generator failed so often is beyond it: once may be the machine's bad moment.
pub(super) const GENERATOR_FAULTS: u32 = 2;

/// What a level is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CombinedVerdict {
    /// More sessions of it passed than failed.
    Passed,
    /// More sessions of it failed than passed.
    Failed,
    /// As many passed as failed: one more decides.
    Contradictory,
    /// Held as long as allowed, and not decided.
    Undecided,
    /// The generator could not hold it.
    GeneratorLimited,
}

/// How often a level was found to be what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct VerdictCounts {
    pub(super) passed: u32,
    pub(super) failed: u32,
    /// After its longest stretch.
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

    /// Whether there is no use in holding it again to confirm its verdict.
    pub(super) const fn is_confirmed_or_cannot_be(&self) -> bool {
        self.passed + self.failed >= 2 || self.undecided > 0 || self.generator >= GENERATOR_FAULTS
    }
}

/// What all levels are taken for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LevelVerdicts {
    records: BTreeMap<u32, VerdictCounts>,
}

impl LevelVerdicts {
    /// Of what was tried.
    pub(super) fn of(rules: &SearchRules, tried: &[TrialResult]) -> Self {
        let mut records: BTreeMap<u32, VerdictCounts> = BTreeMap::new();
        for tried in tried.iter().filter(|tried| tried.trial.purpose.decides_level()) {
            let trial = tried.trial;
            let record = records.entry(trial.in_flight).or_default();
            match tried.verdict {
                LevelVerdict::Passed => record.passed += 1,
                LevelVerdict::Failed => record.failed += 1,
                LevelVerdict::Undecided
                    if trial.duration >= rules.max_duration(trial.in_flight) =>
                {
                    record.undecided += 1;
                }
                LevelVerdict::Generator => record.generator += 1,
                LevelVerdict::Undecided
                | LevelVerdict::Stopped
                | LevelVerdict::Budget
                | LevelVerdict::Broken => {}
            }
        }
        Self { records }
    }

    pub(super) fn record(&self, level: u32) -> VerdictCounts {
        self.records.get(&level).copied().unwrap_or_default()
    }

    fn levels(&self, wanted: CombinedVerdict) -> impl DoubleEndedIterator<Item = u32> {
        self.records
            .iter()
            .filter(move |(_, record)| record.verdict() == Some(wanted))
            .map(|(level, _)| *level)
    }

    /// The lowest level that fails.
    pub(super) fn failed(&self) -> Option<u32> {
        self.levels(CombinedVerdict::Failed).next()
    }

    /// The highest level that passes below all that fail.
    pub(super) fn passed(&self) -> Option<u32> {
        let failed = self.failed().unwrap_or(u32::MAX);
        self.levels(CombinedVerdict::Passed).rfind(|level| *level < failed)
    }

    /// Levels that cannot be decided, between what passes and what fails.
    pub(super) fn undecided(&self) -> Vec<u32> {
        let between = self.passed().unwrap_or(0)..self.failed().unwrap_or(u32::MAX);
        self.levels(CombinedVerdict::Undecided).filter(|level| between.contains(level)).collect()
    }

    /// The lowest level of which every session contradicts another.
    pub(super) fn contradictory(&self) -> Option<u32> {
        self.levels(CombinedVerdict::Contradictory).next()
    }

    /// The lowest level that the generator could not hold.
    pub(super) fn generator_limited(&self) -> Option<u32> {
        self.levels(CombinedVerdict::GeneratorLimited).next()
    }

    /// The lowest and the highest level of which anything is known.
    pub(super) fn ends(&self) -> Option<(u32, u32)> {
        let known = || self.records.iter().filter(|(_, record)| record.verdict().is_some());
        Some((*known().next()?.0, *known().next_back()?.0))
    }
}
