//! Counts of runs by outcome, of a whole session or of a part of it.

use std::collections::BTreeMap;

use rushhour_core::event::{FailureClass, Outcome};

/// Runs by outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutcomeTally {
    /// Started.
    pub started: u64,
    /// Completed.
    pub completed: u64,
    /// Of the completed, judged as passed.
    pub judged_passed: u64,
    /// Of the completed, judged as not passed.
    pub judged_failed: u64,
    /// Failed after being started, by class.
    pub failed: BTreeMap<FailureClass, u64>,
    /// Skipped because no slot was free.
    pub skipped: u64,
    /// Not started because the session was stopped.
    pub not_started: u64,
}

impl OutcomeTally {
    /// Counts the outcome of a run.
    pub fn add(&mut self, outcome: &Outcome) {
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

    /// All failures.
    pub fn failed_total(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Failures by class, the most frequent first.
    pub fn failures_by_count(&self) -> Vec<(FailureClass, u64)> {
        let mut classes: Vec<(FailureClass, u64)> =
            self.failed.iter().map(|(class, count)| (*class, *count)).collect();
        classes.sort_by_key(|(class, count)| (std::cmp::Reverse(*count), *class));
        classes
    }

    /// Runs that completed or failed.
    pub fn ended(&self) -> u64 {
        self.completed + self.failed_total()
    }

    /// Runs that started and have no outcome.
    pub fn open(&self) -> u64 {
        self.started.saturating_sub(self.ended())
    }

    /// Runs that started, were skipped, or were not started.
    pub const fn planned(&self) -> u64 {
        self.started + self.skipped + self.not_started
    }
}
