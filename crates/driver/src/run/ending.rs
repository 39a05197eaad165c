//! The one outcome of a run, and clearing up after it on every path.

use super::state::{CleanupState, MachineState, RunEffect, RunMachine};
use rushhour_core::event::{EventKind, FailureClass, Outcome};
use rushhour_core::units::{EvaluatorRunId, Micros, SessionTime};
use rushhour_livekit::LiveKitError;

/// A room that could not be deleted is tried again after this, then after twice as long, and so on,
const DELETE_AGAIN: Micros = Micros::from_secs(1);
/// so often.
const DELETIONS_TRIED_AGAIN: u32 = 3;

/// How a run ended, and when.
pub(super) struct RunEnd {
    pub(super) outcome: Outcome,
    pub(super) after: SessionTime,
    pub(super) seen: SessionTime,
    pub(super) talked: Option<Micros>,
}

/// Who ended it: what the evaluator has ended need not be ended there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndedBy {
    Evaluator,
    Us,
}

impl RunMachine {
    /// Ends it as failed, whatever it was at.
    pub(crate) fn fail(
        &mut self,
        class: FailureClass,
        detail: impl Into<String>,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        let outcome = Outcome::failed(class, detail);
        self.end(RunEnd { outcome, after: now, seen: now, talked: None }, EndedBy::Us, todo);
    }

    pub(super) fn end(&mut self, ended: RunEnd, by: EndedBy, todo: &mut Vec<RunEffect>) {
        if self.is_over() {
            return;
        }
        let RunEnd { outcome, after, seen, talked } = ended;
        let run = self.planned.index;
        todo.push(RunEffect::Record(EventKind::Ended {
            run,
            outcome,
            after,
            seen,
            conversation_duration: talked,
        }));
        todo.push(RunEffect::Over);
        let room_may_come = match self.state {
            MachineState::MakingRoom | MachineState::Dispatching => true,
            MachineState::Calling(call) => call.dispatching,
            _ => false,
        };
        let mut cleaning =
            CleanupState { room_may_come, room_left: false, call_left: false, failed_deletions: 0 };
        let wakes = match self.state {
            MachineState::Following(follow) => [Some(follow.deadline), None],
            MachineState::Calling(call) => [Some(call.deadline), call.agent_deadline],
            _ => [None, None],
        };
        todo.extend(wakes.into_iter().flatten().map(RunEffect::NoWakeAt));
        let is_talking = matches!(
            self.state,
            MachineState::Following(_) | MachineState::Calling(_) | MachineState::AskingAssigned
        );
        if let (EndedBy::Us, true, Some(run)) = (by, is_talking, &self.entered_as) {
            cleaning.call_left = true;
            todo.push(RunEffect::EndCall(run.clone()));
        }
        if !room_may_come {
            cleaning.room_left = true;
            todo.push(RunEffect::DeleteRoom);
        }
        self.state = MachineState::Cleaning(cleaning);
    }

    /// Deletes the room of a run whose outcome is known, and ends its call where that may go on.
    pub(super) fn begin_to_clear_up(
        &mut self,
        call: Option<EvaluatorRunId>,
        todo: &mut Vec<RunEffect>,
    ) {
        self.state = MachineState::Cleaning(CleanupState {
            room_may_come: false,
            room_left: true,
            call_left: call.is_some(),
            failed_deletions: 0,
        });
        todo.extend(call.map(RunEffect::EndCall));
        todo.push(RunEffect::DeleteRoom);
    }

    pub(crate) fn call_ended(&mut self, todo: &mut Vec<RunEffect>) {
        if let MachineState::Cleaning(cleaning) = &mut self.state {
            cleaning.call_left = false;
            self.gone_if_clean(todo);
        }
    }

    pub(crate) fn room_deleted(
        &mut self,
        result: &Result<(), LiveKitError>,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        let MachineState::Cleaning(cleaning) = &mut self.state else { return };
        if result.is_err() && cleaning.failed_deletions < DELETIONS_TRIED_AGAIN {
            todo.push(RunEffect::WakeAt(now + Micros(DELETE_AGAIN.0 << cleaning.failed_deletions)));
            cleaning.failed_deletions += 1;
            return;
        }
        cleaning.room_left = false;
        todo.push(match result {
            Ok(()) => RunEffect::Record(EventKind::RoomDeleted { run: self.planned.index }),
            // The server may be back when everything else is done.
            Err(_) => RunEffect::Revisit,
        });
        self.gone_if_clean(todo);
    }

    /// Stops waiting for what is left of it.
    pub(crate) fn leave_behind(&self, todo: &mut Vec<RunEffect>) {
        if let MachineState::Cleaning(cleaning) = self.state
            && (cleaning.room_left || cleaning.room_may_come)
        {
            let detail = "the session ended before its room was deleted".to_owned();
            todo.push(RunEffect::Record(EventKind::RoomNotDeleted {
                run: self.planned.index,
                detail,
            }));
        }
        todo.push(RunEffect::Gone);
    }

    /// A request that was under way when the run was given up has made the room.
    pub(super) fn room_came_late(&mut self, todo: &mut Vec<RunEffect>) {
        if let MachineState::Cleaning(cleaning) = &mut self.state {
            cleaning.room_may_come = false;
            cleaning.room_left = true;
            todo.push(RunEffect::DeleteRoom);
        }
    }

    pub(super) fn gone_if_clean(&self, todo: &mut Vec<RunEffect>) {
        if let MachineState::Cleaning(CleanupState {
            room_may_come: false,
            room_left: false,
            call_left: false,
            ..
        }) = self.state
        {
            todo.push(RunEffect::Gone);
        }
    }
}
