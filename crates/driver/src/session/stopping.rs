//! Coming to an end before the plan does: first no more starts, then no more waiting, then no more cleaning.

use super::session::Session;
use rushhour_core::event::{EventKind, FailureClass, StopReason};
use rushhour_core::units::{Micros, RunIndex, SessionTime};

/// How long the answers to submissions under way are waited for once everything is to end now: each
/// tells whether a run was paid for.
const LAST_ANSWERS: Micros = Micros::from_secs(5);

/// How far the ending has got.
#[derive(Debug, Default)]
pub(super) enum StopState {
    /// Nothing is to end.
    #[default]
    Not,
    /// Nothing more is started; the runs under way go on until the deadline.
    Draining { until: SessionTime },
    /// The runs under way are ended; rooms are deleted until the deadline.
    Now { answers_until: SessionTime, until: SessionTime },
}

impl StopState {
    pub(super) const fn is_stopping(&self) -> bool {
        !matches!(self, Self::Not)
    }

    pub(super) const fn is_now(&self) -> bool {
        matches!(self, Self::Now { .. })
    }

    /// Whether nothing at all is waited for any more.
    pub(super) fn is_over(&self, now: SessionTime) -> bool {
        matches!(self, Self::Now { until, .. } if now >= *until)
    }

    pub(super) fn deadline(&self) -> SessionTime {
        match self {
            Self::Not => SessionTime::NEVER,
            Self::Draining { until } => *until,
            Self::Now { answers_until, until } => *answers_until.min(until),
        }
    }
}

impl Session {
    /// Somebody wants an end: first time to drain, second time now.
    pub(super) fn stop(&mut self, now: SessionTime) {
        match self.stopping {
            StopState::Not => {
                let words = "a signal: nothing more is started, the runs under way are finished";
                self.stop_for(StopReason::Drain, words.to_owned(), now);
            }
            StopState::Draining { .. } => {
                self.end_everything("a second signal: the runs under way are ended", now);
            }
            StopState::Now { .. } => {}
        }
    }

    /// Starts nothing more, for a reason.
    pub(super) fn stop_for(&mut self, reason: StopReason, detail: String, now: SessionTime) {
        if self.stopping.is_stopping() || self.is_finished() {
            return;
        }
        self.record(EventKind::Stopping { reason, detail }, now);
        self.tell_the_rest(now);
        self.stopping = StopState::Draining { until: now + self.settings.drain };
    }

    pub(super) fn tell_the_rest(&mut self, now: SessionTime) {
        let count = self.walk.remaining();
        if count > 0 {
            let from = RunIndex(self.walk.runs_taken());
            self.record(EventKind::RestNotStarted { from, count }, now);
        }
    }

    pub(super) fn stop_what_is_due(&mut self, now: SessionTime) {
        match self.stopping {
            StopState::Draining { until } if now >= until => {
                self.end_everything("the time to drain is over: the runs under way are ended", now);
            }
            StopState::Now { answers_until, until } => {
                if now >= answers_until && answers_until < until {
                    self.give_up_answers(now);
                    self.stopping = StopState::Now { answers_until: until, until };
                }
                if now >= until {
                    for run in self.run_indexes() {
                        self.with_run(run, now, |run, _, todo| run.leave_behind(todo));
                    }
                }
            }
            _ => {}
        }
    }

    fn end_everything(&mut self, words: &str, now: SessionTime) {
        self.record(EventKind::Stopping { reason: StopReason::Now, detail: words.to_owned() }, now);
        let answers_until = now + LAST_ANSWERS;
        // Two rounds of requests to LiveKit: one that may be under way, and the deletion.
        let until = answers_until
            + self.settings.livekit_timeout
            + self.settings.livekit_timeout
            + Micros::from_secs(1);
        self.stopping = StopState::Now { answers_until, until };
        for run in self.run_indexes() {
            self.with_run(run, now, |run, _, todo| run.stop_now(now, todo));
        }
    }

    /// Whoever has not answered by now leaves it open whether the run was accepted.
    fn give_up_answers(&mut self, now: SessionTime) {
        for run in self.run_indexes() {
            self.with_run(run, now, |run, _, todo| {
                if run.is_submitting() {
                    let detail = "the session was stopped while the submission was under way";
                    run.fail(FailureClass::SubmitUnknown, detail, now, todo);
                }
            });
        }
    }

    fn run_indexes(&self) -> Vec<RunIndex> {
        let mut indexes: Vec<RunIndex> = self.runs.keys().copied().collect();
        indexes.sort_unstable();
        indexes
    }
}
