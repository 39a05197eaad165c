//! What all sessions of a search say together of each level.

use std::collections::BTreeMap;

use super::rules::SearchRules;
use super::trial::{LevelVerdict, TrialResult};

/// A level whose generator failed so often is beyond it: once may be the machine's bad moment.
pub(super) const GENERATOR_FAULTS: u32 = 2;

/// What a level is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LevelStanding {
    /// More sessions of it passed than failed.
    Passed,
    /// More sessions of it failed than passed.
    Failed,
    /// As many passed as failed: one more decides.
    Contradictory,
    /// Held as long as allowed, and not decided.
    Undecided,
    /// The generator could not hold it.
    Beyond,
}

/// How often a level was found to be what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) passed: u32,
    pub(super) failed: u32,
    /// After its longest stretch.
    pub(super) undecided: u32,
    pub(super) generator: u32,
}

impl Record {
    fn standing(&self) -> Option<LevelStanding> {
        match self.passed.cmp(&self.failed) {
            std::cmp::Ordering::Greater => Some(LevelStanding::Passed),
            std::cmp::Ordering::Less => Some(LevelStanding::Failed),
            std::cmp::Ordering::Equal if self.undecided > 0 => Some(LevelStanding::Undecided),
            std::cmp::Ordering::Equal if self.generator >= GENERATOR_FAULTS => {
                Some(LevelStanding::Beyond)
            }
            std::cmp::Ordering::Equal if self.passed > 0 => Some(LevelStanding::Contradictory),
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
pub(super) struct LevelStandings {
    records: BTreeMap<u32, Record>,
}

impl LevelStandings {
    /// Of what was tried.
    pub(super) fn of(rules: &SearchRules, tried: &[TrialResult]) -> Self {
        let mut records: BTreeMap<u32, Record> = BTreeMap::new();
        for tried in tried.iter().filter(|tried| tried.trial.purpose.judges_the_level()) {
            let trial = tried.trial;
            let record = records.entry(trial.in_flight).or_default();
            match tried.verdict {
                LevelVerdict::Passed => record.passed += 1,
                LevelVerdict::Failed => record.failed += 1,
                LevelVerdict::Undecided
                    if trial.lasts >= rules.longest_stretch(trial.in_flight) =>
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

    pub(super) fn record(&self, level: u32) -> Record {
        self.records.get(&level).copied().unwrap_or_default()
    }

    fn levels(&self, wanted: LevelStanding) -> impl DoubleEndedIterator<Item = u32> {
        self.records
            .iter()
            .filter(move |(_, record)| record.standing() == Some(wanted))
            .map(|(level, _)| *level)
    }

    /// The lowest level that fails.
    pub(super) fn failed(&self) -> Option<u32> {
        self.levels(LevelStanding::Failed).next()
    }

    /// The highest level that passes below all that fail.
    pub(super) fn passed(&self) -> Option<u32> {
        let failed = self.failed().unwrap_or(u32::MAX);
        self.levels(LevelStanding::Passed).rfind(|level| *level < failed)
    }

    /// Levels that cannot be decided, between what passes and what fails.
    pub(super) fn undecided(&self) -> Vec<u32> {
        let between = self.passed().unwrap_or(0)..self.failed().unwrap_or(u32::MAX);
        self.levels(LevelStanding::Undecided).filter(|level| between.contains(level)).collect()
    }

    /// The lowest level of which every session contradicts another.
    pub(super) fn contradictory(&self) -> Option<u32> {
        self.levels(LevelStanding::Contradictory).next()
    }

    /// The lowest level that the generator could not hold.
    pub(super) fn beyond(&self) -> Option<u32> {
        self.levels(LevelStanding::Beyond).next()
    }

    /// The lowest and the highest level of which anything is known.
    pub(super) fn ends(&self) -> Option<(u32, u32)> {
        let known = || self.records.iter().filter(|(_, record)| record.standing().is_some());
        Some((*known().next()?.0, *known().next_back()?.0))
    }
}
