//! Where a run stands, and what can be asked for it.

use super::call::CallState;
use super::submission_probe::SubmissionProbe;
use crate::settings::DriverSettings;
use rushhour_core::event::{EventKind, RunPhase, StopReason};
use rushhour_core::plan::PlannedRun;
use rushhour_core::units::{EvaluatorRunId, Micros, SessionTime};

/// What is to be done for a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RunEffect {
    Record(EventKind),
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
pub(super) enum MachineState {
    MakingRoom,
    Dispatching,
    AwaitingAgent(AgentWait),
    AskingAssigned,
    Ready,
    Submitting,
    Watching(Box<SubmissionProbe>),
    Following(FollowState),
    Calling(CallState),
    Cleaning(CleanupState),
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
pub(super) struct FollowState {
    pub(super) seen: Option<RunPhase>,
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
pub(super) struct CleanupState {
    /// A request is under way that may still make the room.
    pub(super) room_may_come: bool,
    pub(super) room_left: bool,
    pub(super) call_left: bool,
    /// How often the room's deletion has failed.
    pub(super) failed_deletions: u32,
}

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct RunMachine {
    pub(crate) planned: PlannedRun,
    pub(super) state: MachineState,
    pub(super) agent_seen: bool,
    /// Whether the evaluator was seen in its room: its submission was accepted, whatever the answer.
    pub(super) caller_seen: bool,
    /// When the request that sends for the agent was sent, where the run has to know.
    pub(super) sent_for: Option<SessionTime>,
    /// Its name at the evaluator.
    pub(super) entered_as: Option<EvaluatorRunId>,
}

impl RunMachine {
    /// A run that was let in.
    pub(crate) fn start(
        planned: PlannedRun,
        settings: &DriverSettings,
        todo: &mut Vec<RunEffect>,
    ) -> Self {
        let mut run = Self {
            planned,
            state: MachineState::MakingRoom,
            agent_seen: false,
            caller_seen: false,
            sent_for: None,
            entered_as: None,
        };
        if settings.makes_room() {
            todo.push(RunEffect::MakeRoom);
        } else {
            run.prepared(todo);
        }
        run
    }

    /// The run's name at the evaluator, once it is accepted and while it is followed.
    pub(crate) fn followed(&self) -> Option<&EvaluatorRunId> {
        match self.state {
            MachineState::Following(_) => self.entered_as.as_ref(),
            _ => None,
        }
    }

    /// Whether its outcome is recorded.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.state, MachineState::Cleaning(_))
    }

    /// Whether no submission of it is under way or was made.
    pub(crate) const fn is_before_submission(&self) -> bool {
        matches!(
            self.state,
            MachineState::MakingRoom
                | MachineState::Dispatching
                | MachineState::AwaitingAgent(_)
                | MachineState::AskingAssigned
                | MachineState::Ready
        )
    }

    /// Whether a submission of it is under way.
    pub(crate) fn is_submitting(&self) -> bool {
        self.state == MachineState::Submitting
    }
}
