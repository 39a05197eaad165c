//! Keeping within money, runs and minutes: no start that could exceed a limit, no run that waits longer than reserved.

use super::session::Session;
use rushhour_core::event::{FailureClass, StopReason};
use rushhour_core::units::{RunIndex, SessionTime};

impl Session {
    /// Stops the session where one more run could exceed a limit; returns whether it did.
    pub(super) fn stop_at_budget(&mut self, now: SessionTime) -> bool {
        let Some(reason) = self.budget.refusal() else { return false };
        self.stop_for(StopReason::Budget, reason.to_string(), now);
        true
    }

    /// Fails runs that were not submitted within the time that the budget reserves for them.
    pub(super) fn give_up_overdue(&mut self, now: SessionTime) {
        while let Some(run) = self.budget.take_overdue(now) {
            self.give_up_unsubmitted(run, now);
        }
    }

    /// The retry of these runs' submission is at `retry`, which may be too late for what the budget reserves.
    pub(super) fn give_up_postponed(
        &mut self,
        runs: Vec<RunIndex>,
        retry: SessionTime,
        now: SessionTime,
    ) {
        for run in runs {
            if self.budget.is_overdue(run, retry) {
                self.give_up_unsubmitted(run, now);
            }
        }
    }

    fn give_up_unsubmitted(&mut self, run: RunIndex, now: SessionTime) {
        self.with_run(run, now, |run, _, effects| {
            if run.is_before_submission() {
                let detail = "not submitted within the time that the budget reserves for a run";
                run.fail(FailureClass::BudgetStopped, detail, now, effects);
            }
        });
    }
}
