//! Where a run stands, and what can be asked for it.

use super::calling::Call;
use super::watching::Watch;
use crate::settings::Settings;
use rushhour_core::event::{Happening, Sighting, StopReason};
use rushhour_core::plan::PlannedRun;
use rushhour_core::units::{EvaluatorRunId, Micros, SessionTime};

/// What is to be done for a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Todo {
    Record(Happening),
    MakeRoom,
    Dispatch,
    LookAt(SessionTime),
    AskAssigned,
    BeReady,
    AskAt(SessionTime),
    /// Call [`Run::wake`] then, unless told otherwise.
    WakeAt(SessionTime),
    /// Do not call it then.
    NoWakeAt(SessionTime),
    EndCall(EvaluatorRunId),
    DeleteRoom,
    /// Delete the room once more when everything else is done: somebody may have made it anew.
    Revisit,
    /// Its outcome is recorded: its place in flight is free.
    Over,
    /// Nothing is left to be done for it.
    Gone,
    /// Nothing that follows can succeed.
    StopSession(StopReason, String),
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    MakingRoom,
    Dispatching,
    AwaitingAgent(AgentWait),
    AskingAssigned,
    Ready,
    Submitting,
    Watching(Box<Watch>),
    Following(Follow),
    Calling(Call),
    Cleaning(Cleaning),
}

/// Waiting for the agent to come into the room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AgentWait {
    pub(super) since: SessionTime,
    pub(super) not_seen_at: SessionTime,
    pub(super) gap: Micros,
}

/// Following an accepted run to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Follow {
    pub(super) seen: Option<Sighting>,
    /// When the last look that saw it not ended was sent.
    pub(super) last_look: SessionTime,
    pub(super) running_since: Option<SessionTime>,
    pub(super) ask_gap: Micros,
    pub(super) deadline: SessionTime,
    /// The deadline is past, and it was asked after once more.
    pub(super) last_chance: bool,
}

/// Its outcome is recorded; what is left behind is cleared away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cleaning {
    /// A request is under way that may still make the room.
    pub(super) room_may_come: bool,
    pub(super) room_left: bool,
    pub(super) call_left: bool,
    /// How often the room's deletion has failed.
    pub(super) failed_deletions: u32,
}

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) planned: PlannedRun,
    pub(super) state: State,
    pub(super) agent_seen: bool,
    /// Whether the evaluator was seen in its room: its submission was accepted, whatever the answer.
    pub(super) caller_seen: bool,
    /// When the request that sends for the agent was sent, where the run has to know.
    pub(super) sent_for: Option<SessionTime>,
    /// Its name at the evaluator.
    pub(super) entered_as: Option<EvaluatorRunId>,
}

impl Run {
    /// A run that was let in.
    pub(crate) fn start(planned: PlannedRun, settings: &Settings, todo: &mut Vec<Todo>) -> Self {
        let mut run = Self {
            planned,
            state: State::MakingRoom,
            agent_seen: false,
            caller_seen: false,
            sent_for: None,
            entered_as: None,
        };
        if settings.makes_room() {
            todo.push(Todo::MakeRoom);
        } else {
            run.prepared(todo);
        }
        run
    }

    /// The run's name at the evaluator, once it is accepted and while it is followed.
    pub(crate) fn followed(&self) -> Option<&EvaluatorRunId> {
        match self.state {
            State::Following(_) => self.entered_as.as_ref(),
            _ => None,
        }
    }

    /// Whether its outcome is recorded.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.state, State::Cleaning(_))
    }

    /// Whether no submission of it is under way or was made.
    pub(crate) const fn is_before_submission(&self) -> bool {
        matches!(
            self.state,
            State::MakingRoom
                | State::Dispatching
                | State::AwaitingAgent(_)
                | State::AskingAssigned
                | State::Ready
        )
    }

    /// Whether a submission of it is under way.
    pub(crate) fn is_submitting(&self) -> bool {
        self.state == State::Submitting
    }
}
