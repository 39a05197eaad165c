//! What the driver asks of whoever talks to the agent.

use std::sync::Arc;

use crate::event::{CallersHealth, FramesSent, ModelUsage, Outcome, RunMapping, RunPhase, Turn};
use crate::units::{
    EvaluatorRunId, Identity, Micros, Mode, ResultId, RoomName, RunIndex, ScenarioId, Secret,
    SessionTime,
};
use crate::{BoxFuture, ErrorSource};

/// One conversation to be held.
#[derive(Debug, Clone)]
pub struct ConversationRequest {
    /// The run.
    pub run: RunIndex,
    /// What is talked about.
    pub scenario: ScenarioId,
    /// How it is held.
    pub mode: Mode,
    /// The LiveKit server, `ws://` or `wss://`.
    pub livekit_url: String,
    /// The room.
    pub room: RoomName,
    /// A token to join it with.
    pub token: Secret,
}

/// How an evaluator wants to be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluatorCapabilities {
    /// How many entries may share one submission, at least 1.
    pub entries_per_request: u32,
    /// How long a submission waits to be filled.
    pub fill_within: Micros,
    /// How often a run that may be over is asked after.
    pub poll_every: Micros,
    /// How many runs one question may be about, at least 1.
    pub runs_per_poll: usize,
    /// How it is known how a run is getting on.
    pub updates: UpdateMode,
}

/// How it is known how a run is getting on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateMode {
    /// By asking; the agent is sent for before the evaluator.
    Poll,
    /// The evaluator tells, from inside the room, and is there before the agent is sent for: a server
    /// tells a newcomer who is there at once, and others of a newcomer up to 3 s later.
    Push,
}

/// Something an evaluator tells of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerUpdate {
    /// The run.
    pub run: RunIndex,
    /// When it happened.
    pub at: SessionTime,
    /// What.
    pub kind: UpdateKind,
}

/// What an evaluator can tell of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateKind {
    /// The caller is in the room and can be spoken to.
    Joined,
    /// An agent is in the room.
    AgentJoined {
        /// The agent.
        identity: Identity,
        /// When the server says it joined, in milliseconds of the Unix epoch.
        joined_at_ms: Option<i64>,
    },
    /// The agent is listening.
    AgentReady,
    /// The agent was heard or read for the first time.
    Greeted,
    /// A turn is over.
    Turn(Turn),
    /// What the agent says that its models took, in all.
    ModelUsage(ModelUsage),
    /// The conversation is over; the last news of a run.
    Ended {
        /// How it ended.
        outcome: Outcome,
        /// The audio that was sent, where it was spoken.
        frames: Option<FramesSent>,
    },
}

/// A submission that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedSubmission {
    /// The evaluator's folder of the runs.
    pub result: Option<ResultId>,
    /// For each entry in order its run, or none where the evaluator made no run for it.
    pub runs: Vec<Option<EvaluatorRunId>>,
    /// How sure it is which is which.
    pub mapping: RunMapping,
}

/// What a failed submission means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitErrorKind {
    /// Certainly not accepted, because nothing was sent; safe to repeat.
    NotSent,
    /// Certainly not accepted, too many requests; safe to repeat after the time that was asked for.
    RateLimited {
        /// How long the service asks us to wait, where it does.
        retry_after: Option<Micros>,
    },
    /// Certainly not accepted, because the key was refused; nothing that follows can succeed.
    Unauthorized,
    /// Certainly not accepted, for a reason that repeating does not change.
    Rejected,
    /// May have been accepted: never to be repeated.
    Unknown,
}

/// A submission that was not accepted, or may have been.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SubmitError {
    /// What it means for a retry.
    pub kind: SubmitErrorKind,
    /// What happened, the innermost cause included.
    pub message: String,
    /// What the reader can do about it.
    pub hint: Option<&'static str>,
    /// What caused it, where that is an error of its own.
    #[source]
    pub source: Option<ErrorSource>,
}

impl SubmitError {
    /// An error without a hint or a cause of its own.
    pub fn new(kind: SubmitErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    /// The same error with what the reader can do about it.
    #[must_use]
    pub fn with_hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// The message and the hint in one sentence.
    pub fn detail(&self) -> String {
        match self.hint {
            Some(hint) => format!("{}; {hint}", self.message),
            None => self.message.clone(),
        }
    }
}

/// A run as it was seen at the evaluator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStatus {
    /// The run.
    pub run: EvaluatorRunId,
    /// Its state.
    pub state: RunState,
    /// The evaluator's own word for it.
    pub word: String,
    /// How long the conversation was, where it says so.
    pub conversation_duration: Option<Micros>,
}

/// The state of a run at the evaluator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// It has not ended.
    InProgress(RunPhase),
    /// It has not ended, as far as can be told from a word that is not known.
    Unknown,
    /// It has ended.
    Ended(Outcome),
}

/// Why a status poll or another request about runs failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollErrorKind {
    /// No complete response.
    NoResponse,
    /// Too many requests.
    RateLimited,
    /// The key was refused.
    Unauthorized,
    /// Any other response that does not report the status of runs.
    BadResponse,
}

/// A status poll, or another request about runs, that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct PollError {
    /// Why.
    pub kind: PollErrorKind,
    /// How long the service asks us to wait, where it does.
    pub retry_after: Option<Micros>,
    /// What happened, the innermost cause included.
    pub message: String,
    /// What the reader can do about it.
    pub hint: Option<&'static str>,
    /// What caused it, where that is an error of its own.
    #[source]
    pub source: Option<ErrorSource>,
}

impl PollError {
    /// An error without a hint or a cause of its own.
    pub fn new(kind: PollErrorKind, message: impl Into<String>) -> Self {
        Self { kind, retry_after: None, message: message.into(), hint: None, source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }
}

/// Whoever talks to the agent.
pub trait Evaluator: Send + Sync + 'static {
    /// How it wants to be spoken to.
    fn capabilities(&self) -> EvaluatorCapabilities;

    /// Asks for conversations to be held. Sent once: repeating is the caller's decision.
    fn submit(
        &self,
        entries: Vec<ConversationRequest>,
    ) -> BoxFuture<'_, Result<AcceptedSubmission, SubmitError>>;

    /// Asks how runs are getting on. Runs that the evaluator does not know (yet) are left out of the answer.
    fn poll(&self, runs: Vec<EvaluatorRunId>) -> BoxFuture<'_, Result<Vec<RunStatus>, PollError>>;

    /// Ends a run's conversation, as far as the evaluator lets us.
    fn end_call(&self, run: EvaluatorRunId) -> BoxFuture<'_, Result<(), PollError>>;

    /// The next news, where it [tells](UpdateMode::Push). Nothing is lost where it is not waited for to the end.
    fn next_update(&self) -> BoxFuture<'_, CallerUpdate> {
        Box::pin(std::future::pending())
    }

    /// How callers of our own are doing since this was last asked, where there are any.
    fn health(&self) -> Option<CallersHealth> {
        None
    }
}
