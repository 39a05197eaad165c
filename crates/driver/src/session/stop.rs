//! Ending a session before its plan: first no more starts, then no more waiting, then no more cleanup.

use super::session::Session;
use rushhour_core::event::{EventKind, FailureClass, StopReason};
use rushhour_core::units::{Micros, RunIndex, SessionTime};

/// How long an immediate stop waits for responses to submissions: each shows whether a run costs money.
const LAST_RESPONSES: Micros = Micros::from_secs(5);

/// How far the stop has got.
#[derive(Debug, Default)]
pub(super) enum StopState {
    #[default]
    Running,
    /// No more runs start; those under way go on until the deadline.
    Draining { until: SessionTime },
    /// The runs under way have been ended; rooms are deleted until the deadline.
    Immediate { responses_until: SessionTime, until: SessionTime },
}

impl StopState {
    pub(super) const fn is_stopping(&self) -> bool {
        !matches!(self, Self::Running)
    }

    pub(super) const fn is_immediate(&self) -> bool {
        matches!(self, Self::Immediate { .. })
    }

    /// Whether even cleanup is no longer waited for.
    pub(super) fn is_over(&self, now: SessionTime) -> bool {
        matches!(self, Self::Immediate { until, .. } if now >= *until)
    }

    pub(super) fn deadline(&self) -> SessionTime {
        match self {
            Self::Running => SessionTime::NEVER,
            Self::Draining { until } => *until,
            Self::Immediate { responses_until, until } => *responses_until.min(until),
        }
    }
}

impl Session {
    /// Somebody stops the session: the first time it drains, the second time it ends at once.
    pub(super) fn stop(&mut self, now: SessionTime) {
        match self.stop_state {
            StopState::Running => {
                let detail = "received a signal: starts no more runs, waits for those under way";
                self.stop_for(StopReason::Drain, detail.to_owned(), now);
            }
            StopState::Draining { .. } => {
                self.stop_now("received a second signal: ends the runs under way", now);
            }
            StopState::Immediate { .. } => {}
        }
    }

    /// Starts no more runs.
    pub(super) fn stop_for(&mut self, reason: StopReason, detail: String, now: SessionTime) {
        if self.stop_state.is_stopping() || self.is_finished() {
            return;
        }
        tracing::info!(reason = reason.name(), detail, "session stops: starts no more runs");
        self.record(EventKind::Stopping { reason, detail: detail.into() }, now);
        self.record_rest_not_started(now);
        self.stop_state = StopState::Draining { until: now + self.settings.drain };
    }

    /// Records how many runs of the plan will not start.
    pub(super) fn record_rest_not_started(&mut self, now: SessionTime) {
        let count = self.schedule.remaining();
        if count > 0 {
            let from = RunIndex(self.schedule.runs_taken());
            self.record(EventKind::RestNotStarted { from, count }, now);
        }
    }

    /// Takes the steps of a stop whose time has come.
    pub(super) fn advance_stop(&mut self, now: SessionTime) {
        match self.stop_state {
            StopState::Draining { until } if now >= until => {
                self.stop_now("limits.drain has passed: ends the runs under way", now);
            }
            StopState::Immediate { responses_until, until } => {
                if now >= responses_until && responses_until < until {
                    self.give_up_responses(now);
                    self.stop_state = StopState::Immediate { responses_until: until, until };
                }
                if now >= until {
                    for run in self.run_indexes() {
                        self.with_run(run, now, |run, _, effects| run.abandon_cleanup(effects));
                    }
                }
            }
            _ => {}
        }
    }

    fn stop_now(&mut self, detail: &str, now: SessionTime) {
        tracing::info!(
            reason = StopReason::Now.name(),
            detail,
            "session stops: ends the runs under way"
        );
        let detail = detail.into();
        self.record(EventKind::Stopping { reason: StopReason::Now, detail }, now);
        let responses_until = now + LAST_RESPONSES;
        // Two rounds of requests to LiveKit: one that may be under way, and the deletion.
        let until = responses_until
            + self.settings.livekit_timeout
            + self.settings.livekit_timeout
            + Micros::from_secs(1);
        self.stop_state = StopState::Immediate { responses_until, until };
        for run in self.run_indexes() {
            self.with_run(run, now, |run, _, effects| run.stop_now(now, effects));
        }
    }

    /// It stays unknown whether submissions without a response were accepted.
    fn give_up_responses(&mut self, now: SessionTime) {
        for run in self.run_indexes() {
            self.with_run(run, now, |run, _, effects| {
                if run.is_submitting() {
                    let detail = "the session was stopped while the submission was under way";
                    run.fail(FailureClass::SubmitUnknown, detail, now, effects);
                }
            });
        }
    }

    pub(super) fn run_indexes(&self) -> Vec<RunIndex> {
        let mut indexes: Vec<RunIndex> = self.runs.keys().copied().collect();
        indexes.sort_unstable();
        indexes
    }
}
