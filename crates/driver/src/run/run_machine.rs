//! The states of a run, and the effects that its steps ask for.

use super::pushed_conversation::PushedConversation;
use super::submission_probe::SubmissionProbe;
use crate::settings::DriverSettings;
use rushhour_core::event::{EventKind, RunPhase, StopReason};
use rushhour_core::plan::PlannedRun;
use rushhour_core::units::{EvaluatorRunId, Micros, SessionTime};

/// What a run asks the session to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RunEffect {
    Record(EventKind),
    CreateRoom,
    Dispatch,
    PollRoomAt(SessionTime),
    /// Poll the room for the agent that was sent for at `since`: at `latest`, or before.
    PollForAgent {
        since: SessionTime,
        latest: SessionTime,
    },
    /// The agent joined so long after it was sent for.
    AgentJoined {
        after: Micros,
    },
    CheckDispatch,
    /// Tell the caller that the agent is there, and announced to nobody.
    TellHiddenAgent(EvaluatorRunId),
    /// Ask until when all that the caller saw was heard, to call [`RunMachine::caller_heard`] with.
    HearCaller(EvaluatorRunId),
    QueueSubmission,
    PollStatusAt(SessionTime),
    /// Call [`RunMachine::wake`] at that time, unless cancelled.
    WakeAt(SessionTime),
    CancelWake(SessionTime),
    EndCall(EvaluatorRunId),
    DeleteRoom,
    /// Delete the room once more after all runs: somebody may have created it again.
    DeleteRoomLater,
    /// The outcome is recorded: the run's slot is free.
    FreeSlot,
    /// Nothing is left to do for the run.
    Forget,
    /// No other run could succeed either.
    StopSession(StopReason, String),
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum MachineState {
    CreatingRoom,
    Dispatching,
    AwaitingAgent(AgentWait),
    /// The agent did not join in time: asks what became of its job. The conversation, where its caller is in
    /// the room.
    CheckingDispatch(Option<PushedConversation>),
    Ready,
    Submitting,
    ProbingSubmission(Box<SubmissionProbe>),
    Polled(PolledConversation),
    Pushed(PushedConversation),
    CleaningUp(CleanupState),
}

/// Polling the room until the agent joins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AgentWait {
    /// When the request that dispatches the agent was sent.
    pub(super) since: SessionTime,
    /// When the last poll that did not find the agent was sent.
    pub(super) last_absent: SessionTime,
    /// Polls in a row that LiveKit refused because of too many requests.
    pub(super) refused: u32,
}

/// An accepted run whose status is polled at the evaluator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PolledConversation {
    pub(super) phase: Option<RunPhase>,
    /// When the last poll that did not find it ended was sent.
    pub(super) last_seen_open: SessionTime,
    pub(super) running_since: Option<SessionTime>,
    pub(super) poll_gap: Micros,
    pub(super) deadline: SessionTime,
    /// The deadline has passed, and one last poll is due or under way.
    pub(super) final_poll: bool,
}

/// The outcome is recorded; the call and the room may remain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CleanupState {
    /// A request under way may still create the room.
    pub(super) room_may_appear: bool,
    pub(super) room_remains: bool,
    pub(super) call_remains: bool,
    pub(super) failed_deletions: u32,
}

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct RunMachine {
    pub(crate) planned: PlannedRun,
    pub(super) state: MachineState,
    pub(super) agent_seen: bool,
    /// The evaluator was seen in the room, so that it accepted the submission, whatever it responded.
    pub(super) caller_seen: bool,
    /// Whether the caller lost its connection and joined again, in pushed conversations: an agent may be lost with it.
    pub(super) caller_rejoined: bool,
    /// When the request that dispatches the agent was sent, in pushed conversations.
    pub(super) agent_requested: Option<SessionTime>,
    pub(super) evaluator_run: Option<EvaluatorRunId>,
    /// How often LiveKit refused one of its requests because of too many, polls of the room aside.
    pub(super) livekit_refusals: u32,
    /// The gap between polls of the room while its submission is not answered.
    pub(super) probe_gap: Micros,
    /// Why the run's status is not known, if it is not.
    pub(super) poll_trouble: Option<Box<PollTrouble>>,
}

/// Status polls that did not tell a run's status, since the last that did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PollTrouble {
    /// They failed.
    Failed {
        /// How many.
        polls: u32,
        /// What the last one said.
        message: String,
    },
    /// The evaluator reports a status that is not a known one.
    NotUnderstood {
        /// The status.
        status: String,
    },
}

impl RunMachine {
    pub(crate) fn start(
        planned: PlannedRun,
        settings: &DriverSettings,
        effects: &mut Vec<RunEffect>,
    ) -> Self {
        let mut run = Self {
            planned,
            state: MachineState::CreatingRoom,
            agent_seen: false,
            caller_seen: false,
            caller_rejoined: false,
            agent_requested: None,
            evaluator_run: None,
            livekit_refusals: 0,
            probe_gap: Micros::ZERO,
            poll_trouble: None,
        };
        if settings.creates_room() {
            effects.push(RunEffect::CreateRoom);
        } else {
            run.queue_submission(effects);
        }
        run
    }

    /// The state's name in logs.
    pub(crate) const fn state_name(&self) -> &'static str {
        match self.state {
            MachineState::CreatingRoom => "creating_room",
            MachineState::Dispatching => "dispatching",
            MachineState::AwaitingAgent(_) => "awaiting_agent",
            MachineState::CheckingDispatch(_) => "checking_dispatch",
            MachineState::Ready => "ready",
            MachineState::Submitting => "submitting",
            MachineState::ProbingSubmission(_) => "probing_submission",
            MachineState::Polled(_) | MachineState::Pushed(_) => "in_conversation",
            MachineState::CleaningUp(_) => "cleaning_up",
        }
    }

    /// The run's id at the evaluator while its status is polled.
    pub(crate) fn polled_run(&self) -> Option<&EvaluatorRunId> {
        match self.state {
            MachineState::Polled(_) => self.evaluator_run.as_ref(),
            _ => None,
        }
    }

    /// Whether the outcome is recorded.
    pub(crate) const fn has_ended(&self) -> bool {
        matches!(self.state, MachineState::CleaningUp(_))
    }

    /// Whether nothing was submitted yet.
    pub(crate) const fn is_before_submission(&self) -> bool {
        matches!(
            self.state,
            MachineState::CreatingRoom
                | MachineState::Dispatching
                | MachineState::AwaitingAgent(_)
                | MachineState::CheckingDispatch(None)
                | MachineState::Ready
        )
    }

    /// Whether a submission is under way.
    pub(crate) fn is_submitting(&self) -> bool {
        self.state == MachineState::Submitting
    }
}
