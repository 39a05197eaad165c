//! A submission of which it is unknown whether the evaluator accepted it: the room shows, if the evaluator joins it.
//!
//! The room stays open meanwhile, because an evaluator that finds none creates it again. Whoever joins with the run's
//! own token proves the acceptance; the room is then deleted, which ends a conversation that nobody could follow.

use super::run_machine::{MachineState, RunEffect, RunMachine};
use crate::session_input::{RequestTiming, RoomPoll};
use crate::settings::DriverSettings;
use rushhour_core::event::{EventKind, FailureClass};
use rushhour_core::units::{Micros, SessionTime};
use rushhour_livekit::LiveKitError;

/// The gap between polls of the room doubles each time, from this
const MIN_POLL_GAP: Micros = Micros::from_secs(1);
/// to this: an evaluator stays in the room for longer.
const MAX_POLL_GAP: Micros = Micros::from_secs(8);

/// Polling the room for the evaluator.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SubmissionProbe {
    pub(super) until: SessionTime,
    /// When the last poll that did not find the evaluator was sent.
    pub(super) last_absent: SessionTime,
    /// Why the acceptance is unknown.
    pub(super) message: String,
}

/// The gap to the next poll; the one after it is twice as long.
fn doubled(gap: &mut Micros) -> Micros {
    let next = (*gap).clamp(MIN_POLL_GAP, MAX_POLL_GAP);
    *gap = Micros(next.0 * 2);
    next
}

fn accepted_after_all(message: &str) -> String {
    format!(
        "{message}; the evaluator accepted it all the same: it joined the room, which was then deleted"
    )
}

impl RunMachine {
    /// It is unknown whether the evaluator accepted the submission: polls the room for it.
    pub(crate) fn probe_submission(
        &mut self,
        message: &str,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        if self.state != MachineState::Submitting {
            return;
        }
        if self.caller_seen {
            let detail = accepted_after_all(message);
            self.fail(FailureClass::SubmitUnknown, detail, now, effects);
            return;
        }
        self.state = MachineState::ProbingSubmission(Box::new(SubmissionProbe {
            until: now + settings.watch_unknown,
            last_absent: now,
            message: message.to_owned(),
        }));
        effects.push(RunEffect::PollRoomAt(now));
    }

    /// A room poll while the response to the submission is slow, or after one that leaves the acceptance unknown.
    pub(super) fn probe_polled(
        &mut self,
        timing: RequestTiming,
        result: &Result<RoomPoll, LiveKitError>,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let caller = result.as_ref().is_ok_and(|poll| poll.caller_present);
        if caller {
            self.caller_seen = true;
            let after = match &self.state {
                MachineState::ProbingSubmission(probe) => probe.last_absent,
                _ => timing.sent,
            };
            effects.push(RunEffect::Record(EventKind::EvaluatorSeen {
                run: self.planned.index,
                after,
                seen: timing.answered,
            }));
        }
        match &mut self.state {
            // The response may still arrive, and name the run.
            MachineState::Submitting if caller => {}
            MachineState::Submitting => {
                effects.push(RunEffect::PollRoomAt(now + doubled(&mut self.probe_gap)));
            }
            MachineState::ProbingSubmission(probe) if caller => {
                let detail = accepted_after_all(&probe.message);
                self.fail(FailureClass::SubmitUnknown, detail, now, effects);
            }
            MachineState::ProbingSubmission(probe) if now >= probe.until => {
                let detail = format!("{}; the evaluator did not join the room", probe.message);
                effects.push(RunEffect::DeleteRoomLater);
                self.fail(FailureClass::SubmitUnknown, detail, now, effects);
            }
            MachineState::ProbingSubmission(probe) => {
                if result.is_ok() {
                    probe.last_absent = timing.sent;
                }
                let next = now + doubled(&mut self.probe_gap);
                effects.push(RunEffect::PollRoomAt(next.min(probe.until.max(now + MIN_POLL_GAP))));
            }
            _ => {}
        }
    }

    /// The session ends now: so does the run, unless a response under way will show whether it costs money.
    pub(crate) fn stop_now(&mut self, now: SessionTime, effects: &mut Vec<RunEffect>) {
        match &self.state {
            MachineState::Submitting => {}
            MachineState::ProbingSubmission(probe) => {
                let detail = probe.message.clone();
                effects.push(RunEffect::DeleteRoomLater);
                self.fail(FailureClass::SubmitUnknown, detail, now, effects);
            }
            _ => self.fail(FailureClass::Cancelled, "the session was stopped", now, effects),
        }
    }
}
