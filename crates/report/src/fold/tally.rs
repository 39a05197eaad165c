//! Counts of runs by outcome, of a whole session or of a part of it.

use std::collections::BTreeMap;

use rushhour_core::event::{FailureClass, Outcome, ResponsibleParty};

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

    /// Failures by whose fault they can be, the most frequent first.
    pub fn failures_by_party(&self) -> Vec<(ResponsibleParty, u64)> {
        let mut counts: BTreeMap<ResponsibleParty, u64> = BTreeMap::new();
        for (class, count) in &self.failed {
            *counts.entry(class.party()).or_default() += count;
        }
        let mut parties: Vec<(ResponsibleParty, u64)> = counts.into_iter().collect();
        parties.sort_by_key(|(party, count)| (std::cmp::Reverse(*count), *party));
        parties
    }

    /// Failures by class, grouped by whose fault they can be; the most frequent first, groups and classes alike.
    pub fn grouped_failures(&self) -> Vec<(FailureClass, u64)> {
        let parties = self.failures_by_party();
        let classes = self.failures_by_count();
        let of = |party: ResponsibleParty| {
            classes.iter().copied().filter(move |(class, _)| class.party() == party)
        };
        parties.into_iter().flat_map(|(party, _)| of(party)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_grouped_by_whose_fault_they_can_be() {
        let mut tally = OutcomeTally::default();
        for (class, count) in [
            (FailureClass::AgentMute, 3),
            (FailureClass::RoomFailed, 4),
            (FailureClass::AgentLate, 2),
            (FailureClass::SubmitRejected, 1),
        ] {
            for _ in 0..count {
                tally.add(&Outcome::failed(class, "message"));
            }
        }
        assert_eq!(
            tally.failures_by_party(),
            [
                (ResponsibleParty::Agent, 5),
                (ResponsibleParty::Server, 4),
                (ResponsibleParty::Evaluator, 1),
            ]
        );
        let classes: Vec<&str> =
            tally.grouped_failures().into_iter().map(|(class, _)| class.name()).collect();
        assert_eq!(classes, ["agent_mute", "agent_late", "room_failed", "submit_rejected"]);
    }
}
