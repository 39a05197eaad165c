//! A submission that may have been accepted: the room tells, if the evaluator comes into it.
//!
//! The room is left standing meanwhile, because an evaluator that finds none makes it anew. Whoever
//! comes in with the run's own token is proof of the acceptance; the room is then deleted, which ends a
//! conversation that nobody could follow.

use super::state::{MachineState, RunEffect, RunMachine};
use crate::effects::{RequestTiming, RoomPoll};
use crate::settings::DriverSettings;
use rushhour_core::event::{EventKind, FailureClass};
use rushhour_core::units::{Micros, SessionTime};
use rushhour_livekit::LiveKitError;

/// Looks into the room come this far apart.
const LOOK_GAP: Micros = Micros::from_secs(1);

/// Watching a room for the evaluator.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SubmissionProbe {
    pub(super) until: SessionTime,
    pub(super) not_seen_at: SessionTime,
    /// Why it is not known, in words.
    pub(super) words: String,
}

fn proven(words: &str) -> String {
    format!(
        "{words}; it was accepted all the same: the evaluator came into the room, which was then deleted"
    )
}

impl RunMachine {
    /// It may have been accepted: watches the room, where there is one to be watched.
    pub(crate) fn perhaps_accepted(
        &mut self,
        words: &str,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        if self.state != MachineState::Submitting {
            return;
        }
        if self.caller_seen {
            self.fail(FailureClass::SubmitUnknown, proven(words), now, todo);
            return;
        }
        self.state = MachineState::Watching(Box::new(SubmissionProbe {
            until: now + settings.watch_unknown,
            not_seen_at: now,
            words: words.to_owned(),
        }));
        todo.push(RunEffect::LookAt(now));
    }

    /// A look into the room while the answer is slow to come, or after it was none.
    pub(super) fn watched(
        &mut self,
        timing: RequestTiming,
        result: &Result<RoomPoll, LiveKitError>,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        let caller = result.as_ref().is_ok_and(|sight| sight.caller);
        if caller {
            self.caller_seen = true;
            let run = self.planned.index;
            let after = match &self.state {
                MachineState::Watching(watch) => watch.not_seen_at,
                _ => timing.sent,
            };
            todo.push(RunEffect::Record(EventKind::EvaluatorSeen {
                run,
                after,
                seen: timing.answered,
            }));
        }
        match &mut self.state {
            // The answer may still come, and name the run.
            MachineState::Submitting if caller => {}
            MachineState::Submitting => todo.push(RunEffect::LookAt(now + LOOK_GAP)),
            MachineState::Watching(watch) if caller => {
                let words = proven(&watch.words);
                self.fail(FailureClass::SubmitUnknown, words, now, todo);
            }
            MachineState::Watching(watch) if now >= watch.until => {
                let words = format!("{}; the evaluator was not seen in the room", watch.words);
                todo.push(RunEffect::Revisit);
                self.fail(FailureClass::SubmitUnknown, words, now, todo);
            }
            MachineState::Watching(watch) => {
                if result.is_ok() {
                    watch.not_seen_at = timing.sent;
                }
                todo.push(RunEffect::LookAt(now + LOOK_GAP));
            }
            _ => {}
        }
    }

    /// The session is to end now: whatever it was at, with what is known of it.
    pub(crate) fn stop_now(&mut self, now: SessionTime, todo: &mut Vec<RunEffect>) {
        match &self.state {
            // The answer under way tells whether it was paid for.
            MachineState::Submitting => {}
            MachineState::Watching(watch) => {
                let words = watch.words.clone();
                todo.push(RunEffect::Revisit);
                self.fail(FailureClass::SubmitUnknown, words, now, todo);
            }
            _ => self.fail(FailureClass::Cancelled, "the session was stopped", now, todo),
        }
    }
}
