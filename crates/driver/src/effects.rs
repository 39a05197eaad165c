//! What the session asks the shell to do, and what the shell tells the session.

use rushhour_core::evaluator::{
    AcceptedSubmission, CallerUpdate, PollError, RunStatus, SubmitError,
};
use rushhour_core::event::{CallersHealth, Event};
use rushhour_core::plan::PlannedRun;
use rushhour_core::units::{DispatchId, EvaluatorRunId, Micros, RunIndex, SessionTime};
use rushhour_livekit::{AgentParticipant, LiveKitError};

/// Something to be done. Each action but a record is answered by exactly one input.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionEffect {
    /// Keep an event.
    Record(Event),
    /// Make a run's room; answered by [`SessionInput::RoomCreated`].
    CreateRoom(PlannedRun),
    /// Send the agent into a run's room; answered by [`SessionInput::Dispatched`].
    Dispatch(PlannedRun),
    /// Look for the agent in a run's room; answered by [`SessionInput::RoomPolled`].
    PollRoom(RunIndex),
    /// Ask whether a worker was given the job; answered by [`SessionInput::DispatchChecked`].
    CheckDispatch(RunIndex),
    /// Submit runs, once everything recorded so far is kept; answered by [`SessionInput::Submitted`].
    Submit {
        /// The submission.
        request: u64,
        /// Its runs.
        runs: Vec<PlannedRun>,
    },
    /// Ask how runs are getting on; answered by [`SessionInput::StatusPolled`].
    PollStatus {
        /// The runs and their names at the evaluator.
        runs: Vec<(RunIndex, EvaluatorRunId)>,
    },
    /// End a run's conversation; answered by [`SessionInput::CallEnded`].
    EndCall {
        /// The run.
        run: RunIndex,
        /// Its name at the evaluator.
        evaluator_run: EvaluatorRunId,
    },
    /// Delete a run's room; answered by [`SessionInput::RoomDeleted`].
    DeleteRoom(RunIndex),
    /// Nothing is left to be done.
    Finish,
}

/// Who was seen in a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomPoll {
    /// The agent, with the server's time of its joining on the session's clock.
    pub agent: Option<(AgentParticipant, Option<SessionTime>)>,
    /// Whether the evaluator is there.
    pub caller: bool,
}

/// When a request was sent and when it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTiming {
    /// Sent.
    pub sent: SessionTime,
    /// Answered.
    pub answered: SessionTime,
}

/// Something that came in.
#[derive(Debug, Clone)]
pub enum SessionInput {
    /// An answer to [`SessionEffect::CreateRoom`].
    RoomCreated {
        /// The run.
        run: RunIndex,
        /// When.
        timing: RequestTiming,
        /// Whether it is there.
        result: Result<(), LiveKitError>,
    },
    /// An answer to [`SessionEffect::Dispatch`].
    Dispatched {
        /// The run.
        run: RunIndex,
        /// When.
        timing: RequestTiming,
        /// Its name.
        result: Result<DispatchId, LiveKitError>,
    },
    /// An answer to [`SessionEffect::PollRoom`].
    RoomPolled {
        /// The run.
        run: RunIndex,
        /// When.
        timing: RequestTiming,
        /// Who is there.
        result: Result<RoomPoll, LiveKitError>,
    },
    /// An answer to [`SessionEffect::CheckDispatch`].
    DispatchChecked {
        /// The run.
        run: RunIndex,
        /// Whether a worker was given the job; unknown where the server did not say.
        result: Result<bool, LiveKitError>,
    },
    /// An answer to [`SessionEffect::Submit`].
    Submitted {
        /// The submission.
        request: u64,
        /// When.
        timing: RequestTiming,
        /// What became of it.
        result: Result<AcceptedSubmission, SubmitError>,
    },
    /// A submission was not sent, because what must be kept first could not be.
    NotDurable {
        /// The submission.
        request: u64,
        /// Why.
        message: String,
    },
    /// An answer to [`SessionEffect::PollStatus`].
    StatusPolled {
        /// The runs that were asked after.
        runs: Vec<RunIndex>,
        /// When.
        timing: RequestTiming,
        /// What was seen.
        result: Result<Vec<RunStatus>, PollError>,
    },
    /// An answer to [`SessionEffect::EndCall`].
    CallEnded {
        /// The run.
        run: RunIndex,
    },
    /// An answer to [`SessionEffect::DeleteRoom`].
    RoomDeleted {
        /// The run.
        run: RunIndex,
        /// Whether it is gone.
        result: Result<(), LiveKitError>,
    },
    /// An evaluator that tells has told something.
    CallerUpdated {
        /// What.
        update: CallerUpdate,
        /// Where an agent came: the server's time of its joining on the session's clock.
        joined: Option<SessionTime>,
    },
    /// Somebody wants the session to end: first time to drain, second time now.
    Stop,
    /// A threshold that may end the session failed: nothing more is started.
    Abort {
        /// Which, and what was found.
        message: String,
    },
    /// The journal cannot be written.
    JournalFailed {
        /// Why.
        message: String,
    },
    /// How the process is doing.
    ProcessStats {
        /// Processor time used since the session began.
        cpu: Micros,
        /// Memory resident, in bytes.
        memory: u64,
        /// How callers of our own are doing.
        callers: Option<CallersHealth>,
    },
}
