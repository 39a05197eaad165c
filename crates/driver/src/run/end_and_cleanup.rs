//! The one outcome of a run, and cleaning up after it on every path.

use super::run_machine::{CleanupState, MachineState, RunEffect, RunMachine};
use crate::livekit_throttle::MAX_ATTEMPTS;
use rushhour_core::event::{EventKind, FailureClass, Outcome, ResponsibleParty};
use rushhour_core::units::{EvaluatorRunId, ForeignText, Micros, SessionTime};
use rushhour_livekit::LiveKitError;

/// The wait before the first retry of a room's deletion; it doubles with each retry.
const FIRST_DELETE_BACKOFF: Micros = Micros::from_secs(1);
const MAX_DELETE_RETRIES: u32 = 3;

/// How a run ended, and between which two times.
pub(super) struct RunEnd {
    pub(super) outcome: Outcome,
    pub(super) after: SessionTime,
    pub(super) seen: SessionTime,
    pub(super) conversation_duration: Option<Micros>,
}

/// Who ended the run: a call that the evaluator has ended needs no request to end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndedBy {
    Evaluator,
    Driver,
}

impl RunMachine {
    /// Ends the run as failed, in whatever state it is.
    pub(crate) fn fail(
        &mut self,
        class: FailureClass,
        detail: impl Into<ForeignText>,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let outcome = if self.caller_rejoined && class.party() == ResponsibleParty::Agent {
            // A server that was restarted has lost the dispatch, and maybe the agent.
            let detail: ForeignText = detail.into();
            let detail = format!("{detail}; the caller had lost its connection and joined again");
            Outcome::failed(FailureClass::ConnectionLost, detail)
        } else {
            Outcome::failed(class, detail)
        };
        let end = RunEnd { outcome, after: now, seen: now, conversation_duration: None };
        self.end(end, EndedBy::Driver, effects);
    }

    /// Ends the run, unless it has ended already.
    pub(super) fn end(&mut self, end: RunEnd, by: EndedBy, effects: &mut Vec<RunEffect>) {
        if self.has_ended() {
            return;
        }
        let RunEnd { outcome, after, seen, conversation_duration } = end;
        let class = outcome.class();
        effects.push(RunEffect::Record(EventKind::Ended {
            run: self.planned.index,
            outcome,
            after,
            seen,
            conversation_duration,
        }));
        effects.push(RunEffect::FreeSlot);
        let room_may_appear = match self.state {
            MachineState::CreatingRoom | MachineState::Dispatching => true,
            MachineState::Pushed(conversation) => conversation.dispatching,
            _ => false,
        };
        let agent_may_come = matches!(
            &self.state,
            MachineState::Pushed(conversation) if conversation.agent_wait.is_some()
        );
        let mut cleanup = CleanupState {
            room_may_appear,
            room_remains: false,
            call_remains: false,
            failed_deletions: 0,
        };
        let wakes = match self.state {
            MachineState::Polled(conversation) => [Some(conversation.deadline), None],
            MachineState::Pushed(conversation) => {
                [Some(conversation.deadline), conversation.agent_wait.map(|wait| wait.wake)]
            }
            _ => [None, None],
        };
        effects.extend(wakes.into_iter().flatten().map(RunEffect::CancelWake));
        let in_call = matches!(
            self.state,
            MachineState::Polled(_) | MachineState::Pushed(_) | MachineState::CheckingDispatch(_)
        );
        if let (EndedBy::Driver, true, Some(run)) = (by, in_call, &self.evaluator_run) {
            cleanup.call_remains = true;
            effects.push(RunEffect::EndCall(run.clone()));
        }
        if !room_may_appear {
            cleanup.room_remains = true;
            effects.push(RunEffect::DeleteRoom);
        }
        if class == Some(FailureClass::GeneratorFault) || agent_may_come {
            // A caller on a worker that was given up may still come, or an agent whose caller did not wait for it, and
            // create the room again.
            effects.push(RunEffect::DeleteRoomLater);
        }
        self.state = MachineState::CleaningUp(cleanup);
    }

    /// Deletes the room of a run whose outcome is known, and ends its call where that may go on.
    pub(super) fn start_cleanup(
        &mut self,
        call: Option<EvaluatorRunId>,
        effects: &mut Vec<RunEffect>,
    ) {
        self.state = MachineState::CleaningUp(CleanupState {
            room_may_appear: false,
            room_remains: true,
            call_remains: call.is_some(),
            failed_deletions: 0,
        });
        effects.extend(call.map(RunEffect::EndCall));
        effects.push(RunEffect::DeleteRoom);
    }

    pub(crate) fn call_ended(&mut self, effects: &mut Vec<RunEffect>) {
        if let MachineState::CleaningUp(cleanup) = &mut self.state {
            cleanup.call_remains = false;
            self.forget_if_clean(effects);
        }
    }

    pub(crate) fn room_deleted(
        &mut self,
        result: &Result<(), LiveKitError>,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let MachineState::CleaningUp(cleanup) = &mut self.state else { return };
        let most = match result {
            Err(error) if error.is_rate_limited() => MAX_ATTEMPTS,
            _ => MAX_DELETE_RETRIES,
        };
        if result.is_err() && cleanup.failed_deletions < most {
            let doublings = cleanup.failed_deletions.min(MAX_DELETE_RETRIES);
            let backoff = Micros(FIRST_DELETE_BACKOFF.0 << doublings);
            effects.push(RunEffect::WakeAt(now + backoff));
            cleanup.failed_deletions += 1;
            return;
        }
        cleanup.room_remains = false;
        effects.push(match result {
            Ok(()) => RunEffect::Record(EventKind::RoomDeleted { run: self.planned.index }),
            // The server may respond again after all runs.
            Err(_) => RunEffect::DeleteRoomLater,
        });
        self.forget_if_clean(effects);
    }

    /// Stops waiting for cleanup, and records what remains.
    pub(crate) fn abandon_cleanup(&self, effects: &mut Vec<RunEffect>) {
        if let MachineState::CleaningUp(cleanup) = self.state
            && (cleanup.room_remains || cleanup.room_may_appear)
        {
            let detail = "the session ended before its room was deleted".into();
            effects.push(RunEffect::Record(EventKind::RoomNotDeleted {
                run: self.planned.index,
                detail,
            }));
        }
        effects.push(RunEffect::Forget);
    }

    /// A request that was under way when the run ended has created the room.
    pub(super) fn delete_late_room(&mut self, effects: &mut Vec<RunEffect>) {
        if let MachineState::CleaningUp(cleanup) = &mut self.state {
            cleanup.room_may_appear = false;
            cleanup.room_remains = true;
            // An agent that was just sent for may still come, and create it again.
            effects.push(RunEffect::DeleteRoomLater);
            effects.push(RunEffect::DeleteRoom);
        }
    }

    fn forget_if_clean(&self, effects: &mut Vec<RunEffect>) {
        if let MachineState::CleaningUp(CleanupState {
            room_may_appear: false,
            room_remains: false,
            call_remains: false,
            ..
        }) = self.state
        {
            effects.push(RunEffect::Forget);
        }
    }
}
