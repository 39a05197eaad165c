//! [`Rejections`]: whether the evaluator would reject every further submission.

use std::collections::BTreeSet;

use rushhour_core::units::Mode;

/// So many rejections in a row with the same message are about more than one scenario.
const SAME_IN_A_ROW: u32 = 5;

/// What a submission is about: a scenario's position in the profile, and a mode.
pub(super) type SubmissionKind = (u32, Mode);

/// What the evaluator has rejected and accepted.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    accepted: BTreeSet<SubmissionKind>,
    /// Kinds that were rejected and never accepted.
    rejected: BTreeSet<SubmissionKind>,
    message: String,
    same_in_a_row: u32,
}

impl Rejections {
    /// A submission about these was rejected.
    pub(super) fn rejected(
        &mut self,
        kinds: impl IntoIterator<Item = SubmissionKind>,
        message: &str,
    ) {
        let accepted = &self.accepted;
        self.rejected.extend(kinds.into_iter().filter(|kind| !accepted.contains(kind)));
        if self.message == message {
            self.same_in_a_row += 1;
        } else {
            message.clone_into(&mut self.message);
            self.same_in_a_row = 1;
        }
    }

    /// A submission about these was accepted.
    pub(super) fn accepted(&mut self, kinds: impl IntoIterator<Item = SubmissionKind>) {
        for kind in kinds {
            self.rejected.remove(&kind);
            self.accepted.insert(kind);
        }
        self.same_in_a_row = 0;
    }

    /// Whether every submission that can still come, of so many kinds, would be rejected like those before.
    pub(super) fn are_for_all(&self, kinds: usize) -> bool {
        self.rejected.len() >= kinds || self.same_in_a_row >= SAME_IN_A_ROW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_of_every_scenario_is_one_of_all_submissions() {
        let mut rejections = Rejections::default();
        rejections.rejected([(0, Mode::Chat)], "invalid scenario 30");
        assert!(rejections.are_for_all(1));
        assert!(!rejections.are_for_all(2), "the other scenario may be accepted");
        rejections.rejected([(1, Mode::Chat)], "invalid scenario 31");
        assert!(rejections.are_for_all(2));
        rejections.accepted([(1, Mode::Chat)]);
        assert!(!rejections.are_for_all(2));
    }

    #[test]
    fn a_scenario_that_was_accepted_is_rejected_for_good_only_after_some_rejections_in_a_row() {
        let mut rejections = Rejections::default();
        rejections.accepted([(0, Mode::Voice)]);
        for _ in 1..SAME_IN_A_ROW {
            rejections.rejected([(0, Mode::Voice)], "no balance");
            assert!(!rejections.are_for_all(1));
        }
        rejections.rejected([(0, Mode::Voice)], "no balance");
        assert!(rejections.are_for_all(1));
        rejections.accepted([(0, Mode::Voice)]);
        assert!(!rejections.are_for_all(1));
        for number in 0..20 {
            rejections.rejected([(0, Mode::Voice)], &format!("run {number}"));
        }
        assert!(!rejections.are_for_all(1), "different messages");
    }
}
