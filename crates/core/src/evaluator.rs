//! The interface between the driver and whoever talks to the agent.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{
    CallersHealth, ConversationSummary, FramesSent, MediaPath, ModelUsage, Outcome, Reconnect,
    RpcCalls, RunMapping, RunPhase, Turn, WorkerHealth,
};
use crate::units::{
    EvaluatorRunId, ForeignText, Identity, Micros, Mode, ResultId, RoomName, RunIndex, ScenarioId,
    Secret, SessionTime, WorkerId,
};
use crate::{BoxFuture, ErrorSource};

/// A conversation that an evaluator is to have with the agent.
#[derive(Debug, Clone)]
pub struct ConversationRequest {
    /// The run.
    pub run: RunIndex,
    /// The scenario.
    pub scenario: ScenarioId,
    /// The mode of the conversation.
    pub mode: Mode,
    /// The position of the caller's network conditions in the profile, if it gets any.
    pub network: Option<u32>,
    /// The URL of the LiveKit server, `ws://` or `wss://`.
    pub livekit_url: String,
    /// The room.
    pub room: RoomName,
    /// A token to join the room with.
    pub token: Secret,
}

/// What an evaluator supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluatorCapabilities {
    /// The most entries per submission, at least 1.
    pub entries_per_request: u32,
    /// How long a submission waits for further entries.
    pub fill_within: Micros,
    /// How often to poll a run that may have ended.
    pub poll_every: Micros,
    /// The most runs per status poll, at least 1.
    pub runs_per_poll: usize,
    /// How the driver learns about the progress of runs.
    pub updates: UpdateMode,
}

impl EvaluatorCapabilities {
    /// Those of native callers, wherever they are: they push, so what concerns polls is never used.
    pub const NATIVE: Self = Self {
        entries_per_request: 1,
        fill_within: Micros::ZERO,
        poll_every: Micros::from_secs(1),
        runs_per_poll: 1,
        updates: UpdateMode::Push,
    };
}

/// How the driver learns about the progress of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateMode {
    /// The driver polls. It dispatches the agent before it submits the run.
    Poll,
    /// The evaluator pushes updates from inside the room, and joins before the agent is dispatched: a
    /// server tells a newcomer at once who is there, but others of a newcomer up to 3 s later.
    Push,
}

/// An update of a run that an evaluator pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerUpdate {
    /// The run.
    pub run: RunIndex,
    /// When it happened.
    pub at: SessionTime,
    /// How far off `at` may be, where it was read from another machine's clock; zero otherwise.
    pub within: Micros,
    /// What happened.
    pub kind: UpdateKind,
}

/// What happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateKind {
    /// The caller joined the room and can be spoken to.
    Joined,
    /// An agent joined the room.
    AgentJoined {
        /// The agent.
        identity: Identity,
        /// When it joined according to the server, in milliseconds since the Unix epoch.
        joined_at_ms: Option<i64>,
    },
    /// The agent is listening.
    AgentReady,
    /// An agent is there that is not announced: it is hidden.
    HiddenAgent,
    /// The agent was heard or read for the first time, before the caller's first turn.
    Greeted,
    /// The way of the caller's media and data to the server.
    MediaPath(MediaPath),
    /// A turn ended.
    Turn(Box<Turn>),
    /// The caller lost its connection, and was back.
    Reconnected(Reconnect),
    /// What the agent reports about the use of its models so far.
    ModelUsage(ModelUsage),
    /// What the agent asked of the caller by RPC, at the end of the conversation.
    RpcCalls(RpcCalls),
    /// What was special about the conversation.
    Conversation(ConversationSummary),
    /// The conversation ended; the last update of a run.
    Ended {
        /// The outcome.
        outcome: Outcome,
        /// The audio that the caller sent, in voice.
        frames: Option<FramesSent>,
    },
}

impl UpdateKind {
    /// Whether the journal holds an event for it: of an update without, it does not say whether it was taken in. An
    /// update has one event beside that of the audio, which only comes with the end.
    pub const fn is_recorded(&self) -> bool {
        !matches!(self, Self::HiddenAgent)
    }
}

/// A submission that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedSubmission {
    /// The evaluator's id of the group of the runs.
    pub result: Option<ResultId>,
    /// The run of each entry, in order; `None` if the evaluator created none.
    pub runs: Vec<Option<EvaluatorRunId>>,
    /// How certain the mapping of runs to entries is.
    pub mapping: RunMapping,
    /// The worker that holds the callers, where they are on other machines.
    pub worker: Option<WorkerId>,
}

/// What a failed submission means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitErrorKind {
    /// Certainly not accepted, because nothing was sent; safe to retry.
    NotSent,
    /// Certainly not accepted, because of too many requests; safe to retry after a pause.
    RateLimited {
        /// The service's Retry-After, if it sent one.
        retry_after: Option<Micros>,
    },
    /// Certainly not accepted, because the key was rejected; no later submission can succeed.
    Unauthorized,
    /// Certainly not accepted, for a reason that a retry does not change.
    Rejected,
    /// Certainly not accepted, for a reason that holds for every submission, such as the account's balance.
    RejectedAlways,
    /// May have been accepted; must never be retried.
    Unknown,
    /// The load generator could not place it: certainly no conversation goes on.
    Generator,
    /// The same, and no later one can be placed either.
    GeneratorGone,
}

/// A submission that was not accepted, or may have been.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SubmitError {
    /// What it means for a retry.
    pub kind: SubmitErrorKind,
    /// What happened, the innermost cause included.
    pub message: ForeignText,
    /// What the reader can do about it.
    pub hint: Option<&'static str>,
    /// What caused it, where that is an error of its own.
    #[source]
    pub source: Option<ErrorSource>,
}

impl SubmitError {
    /// An error without a hint or a cause of its own.
    pub fn new(kind: SubmitErrorKind, message: impl Into<ForeignText>) -> Self {
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
            None => self.message.to_string(),
        }
    }
}

/// The status of a run at the evaluator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStatus {
    /// The run.
    pub run: EvaluatorRunId,
    /// Its state.
    pub state: RunState,
    /// The evaluator's own status.
    pub status: ForeignText,
    /// The duration of the conversation, if the evaluator reports it.
    pub conversation_duration: Option<Micros>,
}

/// The state of a run at the evaluator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// It has not ended.
    InProgress(RunPhase),
    /// The evaluator's status is not a known one; the run counts as not ended.
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
    /// A request about several runs was refused; one about fewer may not be.
    BulkRefused {
        /// Whether because of their number, so that further requests should be about fewer too.
        too_many: bool,
    },
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
    pub message: ForeignText,
    /// What the reader can do about it.
    pub hint: Option<&'static str>,
    /// What caused it, where that is an error of its own.
    #[source]
    pub source: Option<ErrorSource>,
}

impl PollError {
    /// The message and the hint in one sentence.
    pub fn detail(&self) -> String {
        match self.hint {
            Some(hint) => format!("{}; {hint}", self.message),
            None => self.message.to_string(),
        }
    }

    /// An error without a hint or a cause of its own.
    pub fn new(kind: PollErrorKind, message: impl Into<ForeignText>) -> Self {
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
    /// What it supports.
    fn capabilities(&self) -> EvaluatorCapabilities;

    /// Submits conversations, in one request without retries.
    fn submit(
        &self,
        entries: Vec<ConversationRequest>,
    ) -> BoxFuture<'_, Result<AcceptedSubmission, SubmitError>>;

    /// Polls the status of runs. The result leaves out runs that the evaluator does not know (yet).
    fn poll(&self, runs: Vec<EvaluatorRunId>) -> BoxFuture<'_, Result<Vec<RunStatus>, PollError>>;

    /// Ends a run's conversation, if the evaluator supports it.
    fn end_call(&self, run: EvaluatorRunId) -> BoxFuture<'_, Result<(), PollError>>;

    /// The server lists the run's agent, and announces it to nobody: the caller is not to wait for a sign of it.
    fn agent_is_hidden(&self, _run: EvaluatorRunId) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// The next update of an evaluator that [pushes](UpdateMode::Push). Cancel safe.
    fn next_update(&self) -> BoxFuture<'_, CallerUpdate> {
        Box::pin(std::future::pending())
    }

    /// Until when everything that the caller of a run saw has been given out as [updates](Self::next_update); `None`
    /// where that is until now. What was not seen by then had not happened by then.
    fn heard_until(&self, _run: &EvaluatorRunId) -> Option<SessionTime> {
        None
    }

    /// The health of native callers since the last call, if there are any.
    fn health(&self) -> Option<CallersHealth> {
        None
    }

    /// The health of each worker since the last call, where callers are on other machines.
    fn worker_health(&self) -> Vec<WorkerHealth> {
        Vec::new()
    }

    /// The events of so many updates, counted from the first, are in the journal and durable: nobody needs to hold these
    /// updates any longer.
    fn updates_are_durable(&self, _updates: u64) {}
}
