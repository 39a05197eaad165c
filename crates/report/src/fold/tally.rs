//! Counts: how many were planned, started, ended how; of one part of a session or of all of it.

use std::collections::BTreeMap;

use rushhour_core::event::{FailureClass, Outcome};

/// How many runs ended how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutcomeTally {
    /// Started.
    pub started: u64,
    /// Completed.
    pub completed: u64,
    /// Completed and judged as passed.
    pub judged_passed: u64,
    /// Completed and judged as not passed.
    pub judged_failed: u64,
    /// Failed after being started, by class.
    pub failed: BTreeMap<FailureClass, u64>,
    /// Skipped because no place was free.
    pub skipped: u64,
    /// Not started because the session was stopped.
    pub not_started: u64,
}

impl OutcomeTally {
    /// Counts an outcome of a run that was started.
    pub fn end(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Completed { judged } => {
                self.completed += 1;
                match judged {
                    Some(true) => self.judged_passed += 1,
                    Some(false) => self.judged_failed += 1,
                    None => {}
                }
            }
            Outcome::Failed { class, .. } => *self.failed.entry(*class).or_default() += 1,
            Outcome::Skipped => self.skipped += 1,
        }
    }

    /// All that failed.
    pub fn failed_in_all(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Failures by class, the most frequent first.
    pub fn failed_most_first(&self) -> Vec<(FailureClass, u64)> {
        let mut classes: Vec<(FailureClass, u64)> =
            self.failed.iter().map(|(class, count)| (*class, *count)).collect();
        classes.sort_by_key(|(class, count)| (std::cmp::Reverse(*count), *class));
        classes
    }

    /// All whose outcome is known.
    pub fn ended(&self) -> u64 {
        self.completed + self.failed_in_all()
    }

    /// Started, and not ended as far as is known.
    pub fn open(&self) -> u64 {
        self.started.saturating_sub(self.ended())
    }

    /// All that were planned and whose fate is known: started, skipped, not started.
    pub const fn planned(&self) -> u64 {
        self.started + self.skipped + self.not_started
    }
}
