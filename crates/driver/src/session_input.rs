//! What goes into a session: responses to its requests, updates of callers, and requests to stop.

use rushhour_core::evaluator::{
    AcceptedSubmission, CallerUpdate, PollError, RunStatus, SubmitError,
};
use rushhour_core::event::{CallersHealth, EventSinkError, WorkerHealth};
use rushhour_core::units::{DispatchId, Micros, RunIndex, SessionTime};
use rushhour_livekit::{AgentParticipant, DispatchedJob, LiveKitError, RoomParticipants};

/// When a request was sent and when its response arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTiming {
    /// Sent.
    pub sent: SessionTime,
    /// The response arrived, or the request failed.
    pub answered: SessionTime,
}

/// An agent found by polling a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolledAgent {
    /// The agent.
    pub participant: AgentParticipant,
    /// The server's time of its join, on the session's clock.
    pub joined: Option<SessionTime>,
}

/// Who was in a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomPoll {
    /// The agent.
    pub agent: Option<PolledAgent>,
    /// Whether the run's caller was there.
    pub caller_present: bool,
}

/// What the server lists where an agent was not seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DispatchCheck {
    /// The agent's job, if a worker accepted one; `None` too where the agent has no name to ask for.
    pub job: Option<DispatchedJob>,
    /// Who is in the room, where that could be asked.
    pub present: Option<RoomParticipants>,
    /// Where an agent is: the server's time of its join, on the session's clock.
    pub joined: Option<SessionTime>,
}

#[cfg(test)]
impl DispatchCheck {
    /// A job that runs and whose agent is not in the room, or no job.
    pub(crate) fn of_job(is_assigned: bool) -> Self {
        let job = is_assigned.then(|| DispatchedJob {
            status: rushhour_livekit::JobStatus::Running,
            error: rushhour_core::units::ForeignText::default(),
            identity: Some(rushhour_core::units::Identity::new("agent-AJ_1")),
        });
        let present = is_assigned.then(RoomParticipants::default);
        Self { job, present, joined: None }
    }

    /// The same job, whose agent is in the room, hidden or not.
    pub(crate) fn with_agent(hidden: bool, joined: Option<SessionTime>) -> Self {
        let agent = AgentParticipant {
            identity: rushhour_core::units::Identity::new("agent-AJ_1"),
            joined_at_ms: None,
            listening: false,
            hidden,
        };
        let present = RoomParticipants { agent: Some(agent), ..RoomParticipants::default() };
        Self { present: Some(present), joined, ..Self::of_job(true) }
    }
}

/// Something that happened outside of the session.
#[derive(Debug, Clone)]
pub enum SessionInput {
    /// The response to [`CreateRoom`](crate::SessionEffect::CreateRoom).
    RoomCreated {
        /// The run.
        run: RunIndex,
        /// When.
        timing: RequestTiming,
        /// Whether the room was created.
        result: Result<(), LiveKitError>,
    },
    /// The response to [`Dispatch`](crate::SessionEffect::Dispatch).
    Dispatched {
        /// The run.
        run: RunIndex,
        /// When.
        timing: RequestTiming,
        /// The dispatch.
        result: Result<DispatchId, LiveKitError>,
    },
    /// The response to [`PollRoom`](crate::SessionEffect::PollRoom).
    RoomPolled {
        /// The run.
        run: RunIndex,
        /// When.
        timing: RequestTiming,
        /// Who was there.
        result: Result<RoomPoll, LiveKitError>,
    },
    /// The response to [`CheckDispatch`](crate::SessionEffect::CheckDispatch).
    DispatchChecked {
        /// The run.
        run: RunIndex,
        /// The job, and who is in the room.
        result: Result<DispatchCheck, LiveKitError>,
    },
    /// The answer to [`HearCaller`](crate::SessionEffect::HearCaller). Updates from before that time come first.
    CallerHeard {
        /// The run.
        run: RunIndex,
        /// Until when everything that its caller saw was given out.
        until: SessionTime,
    },
    /// The response to [`Submit`](crate::SessionEffect::Submit).
    Submitted {
        /// The submission.
        request: u64,
        /// When.
        timing: RequestTiming,
        /// Whether the evaluator accepted it.
        result: Result<AcceptedSubmission, SubmitError>,
    },
    /// A submission was not sent, because the events before it could not be made durable.
    NotDurable {
        /// The submission.
        request: u64,
        /// Why.
        error: EventSinkError,
    },
    /// The response to [`PollStatus`](crate::SessionEffect::PollStatus).
    StatusPolled {
        /// The runs that were polled.
        runs: Vec<RunIndex>,
        /// When.
        timing: RequestTiming,
        /// The status of those that the evaluator knows.
        result: Result<Vec<RunStatus>, PollError>,
    },
    /// The response to [`EndCall`](crate::SessionEffect::EndCall).
    CallEnded {
        /// The run.
        run: RunIndex,
    },
    /// The response to [`DeleteRoom`](crate::SessionEffect::DeleteRoom).
    RoomDeleted {
        /// The run.
        run: RunIndex,
        /// Whether the room is gone.
        result: Result<(), LiveKitError>,
    },
    /// An update that an evaluator pushed.
    CallerUpdated {
        /// The update.
        update: CallerUpdate,
        /// Where an agent joined: the server's time of it, on the session's clock.
        joined: Option<SessionTime>,
    },
    /// Somebody stops the session: the first time it drains, the second time it ends at once.
    Stop,
    /// A threshold with `abort_on_fail` failed: the session starts no more runs.
    Abort {
        /// Which threshold, and the value found.
        message: String,
    },
    /// The journal cannot be written.
    JournalFailed {
        /// Why.
        error: EventSinkError,
    },
    /// What the process uses.
    ProcessStats(ProcessSample),
}

/// What the process uses at one moment.
#[derive(Debug, Clone)]
pub struct ProcessSample {
    /// CPU time since the session began, over all cores.
    pub cpu: Micros,
    /// Resident memory in bytes.
    pub memory: u64,
    /// The health of callers in this process.
    pub callers: Option<CallersHealth>,
    /// The health of each worker.
    pub workers: Vec<WorkerHealth>,
}
