//! Keeping within money, runs and minutes: no start that could go beyond a cap, no run that waits past its share.

use super::session::Session;
use rushhour_core::event::{FailureClass, StopReason};
use rushhour_core::units::{RunIndex, SessionTime};

impl Session {
    /// Brings the session to an end where one more run could go beyond a cap; tells whether it did.
    pub(super) fn stops_at_cap(&mut self, now: SessionTime) -> bool {
        let Some(exceeded) = self.purse.refusal() else { return false };
        self.stop_for(StopReason::Budget, exceeded.to_string(), now);
        true
    }

    /// What was reckoned for a run ends with the time reckoned until its submission.
    pub(super) fn give_up_overdue(&mut self, now: SessionTime) {
        while let Some(run) = self.purse.take_overdue(now) {
            self.give_up_unsubmitted(run, now);
        }
    }

    /// A submission of these runs was postponed to `again`, which may be too late for their share.
    pub(super) fn give_up_postponed(
        &mut self,
        runs: Vec<RunIndex>,
        again: SessionTime,
        now: SessionTime,
    ) {
        for run in runs {
            if self.purse.is_overdue(run, again) {
                self.give_up_unsubmitted(run, now);
            }
        }
    }

    fn give_up_unsubmitted(&mut self, run: RunIndex, now: SessionTime) {
        self.with_run(run, now, |run, _, todo| {
            if run.is_before_submission() {
                let detail =
                    "it was not submitted within the time that the budget holds back for it";
                run.fail(FailureClass::BudgetStopped, detail, now, todo);
            }
        });
    }
}
