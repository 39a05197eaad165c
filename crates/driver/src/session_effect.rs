//! What a session asks for: the requests that the executor sends, and the events that it records.

use rushhour_core::event::Event;
use rushhour_core::plan::PlannedRun;
use rushhour_core::units::{EvaluatorRunId, RunIndex};

/// Something to do. Each request is answered by exactly one [`SessionInput`](crate::SessionInput).
#[derive(Debug, Clone, PartialEq)]
pub enum SessionEffect {
    /// Write an event to the journal; not answered.
    Record(Event),
    /// Create a run's room; answered by [`RoomCreated`](crate::SessionInput::RoomCreated).
    CreateRoom(PlannedRun),
    /// Dispatch the agent into a run's room; answered by [`Dispatched`](crate::SessionInput::Dispatched).
    Dispatch(PlannedRun),
    /// Poll a run's room for the agent and the caller; answered by
    /// [`RoomPolled`](crate::SessionInput::RoomPolled).
    PollRoom(RunIndex),
    /// Ask what became of the agent's job; answered by
    /// [`DispatchChecked`](crate::SessionInput::DispatchChecked).
    CheckDispatch(RunIndex),
    /// Ask until when all that a run's caller saw was heard; answered by
    /// [`CallerHeard`](crate::SessionInput::CallerHeard).
    HearCaller {
        /// The run.
        run: RunIndex,
        /// Its id at the evaluator.
        evaluator_run: EvaluatorRunId,
    },
    /// Tell a run's caller that its agent is there, and announced to nobody; not answered.
    TellHiddenAgent(EvaluatorRunId),
    /// Submit runs, once all events recorded so far are durable; answered by
    /// [`Submitted`](crate::SessionInput::Submitted) or [`NotDurable`](crate::SessionInput::NotDurable).
    Submit {
        /// The submission.
        request: u64,
        /// Its runs.
        runs: Vec<PlannedRun>,
    },
    /// Poll the status of runs; answered by [`StatusPolled`](crate::SessionInput::StatusPolled).
    PollStatus {
        /// The runs, each with its id at the evaluator.
        runs: Vec<(RunIndex, EvaluatorRunId)>,
    },
    /// End a run's conversation; answered by [`CallEnded`](crate::SessionInput::CallEnded).
    EndCall {
        /// The run.
        run: RunIndex,
        /// Its id at the evaluator.
        evaluator_run: EvaluatorRunId,
    },
    /// Delete a run's room; answered by [`RoomDeleted`](crate::SessionInput::RoomDeleted).
    DeleteRoom(RunIndex),
    /// The session has ended: nothing is left to do; not answered.
    Finish,
}
