//! The messages.

use serde::{Deserialize, Serialize};

use crate::blobs::BlobHash;
use crate::clock::WorkerTime;
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::units::{
    ForeignText, Micros, Mode, RunIndex, ScenarioId, SessionId, SessionTime, WorkerId,
};

/// Who commands: a worker obeys the latest coordinator of the session that it holds, and nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fence {
    /// The session.
    pub(crate) session: SessionId,
    /// How often it was begun or resumed: a worker refuses lower ones.
    pub(crate) epoch: u32,
    /// The coordinator's process.
    pub(crate) coordinator: WorkerId,
}

/// What a coordinator asks of a worker. Each is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Command {
    /// Hold callers for this session.
    Attach(Attach),
    /// Have a conversation.
    Submit(Box<Submit>),
    /// End a conversation.
    End(RunCommand),
    /// The agent of a conversation is there, and announced to nobody.
    AgentIsHidden(RunCommand),
    /// Updates are kept elsewhere.
    Acknowledge(Acknowledge),
    /// The session is over: end every caller, and forget it.
    Release(Fence),
    /// What time is it?
    Clock,
    /// Take no more runs, and exit once the last one has ended.
    Drain,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Attach {
    pub(crate) fence: Fence,
    /// How long the worker holds its callers without a word of the coordinator.
    pub(crate) lease: Micros,
    /// The [`SessionSetup`](super::SessionSetup).
    pub(crate) setup: BlobHash,
}

/// The answer to [`Attach`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Attached {
    /// Numbers of updates count within it: another one is another count.
    pub(crate) stream: u32,
    /// The number of the first update that is not acknowledged.
    pub(crate) next: u64,
    /// Runs whose conversation goes on, or whose updates are not all acknowledged.
    pub(crate) runs: Vec<RunIndex>,
}

/// One conversation.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Submit {
    pub(crate) fence: Fence,
    /// The count of updates that it belongs to: one that was given up since takes no more.
    pub(crate) stream: u32,
    pub(crate) run: RunIndex,
    pub(crate) scenario: ScenarioId,
    pub(crate) mode: Mode,
    pub(crate) network: Option<u32>,
    pub(crate) livekit_url: String,
    pub(crate) room: String,
    /// A token for the room, and for no other.
    pub(crate) token: String,
    /// On the worker's clock: after it nobody waits for the conversation any longer.
    pub(crate) valid_until: SessionTime,
}

impl std::fmt::Debug for Submit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Submit").field("run", &self.run).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunCommand {
    pub(crate) fence: Fence,
    pub(crate) run: RunIndex,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Acknowledge {
    pub(crate) fence: Fence,
    pub(crate) stream: u32,
    /// The last update that is durable.
    pub(crate) up_to: u64,
    /// The next one that is expected: those from it on are to be sent again.
    pub(crate) expected: u64,
}

/// The answer to a command that only succeeds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Done {
    /// Callers that the worker holds.
    pub(crate) held: u32,
    /// The most that it is meant to hold.
    pub(crate) capacity: u32,
}

/// The answer to [`Command::Clock`]: when the question came and when the answer left, on the worker's clock.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ClockAnswer {
    pub(crate) received: WorkerTime,
    pub(crate) answered: WorkerTime,
}

/// Updates of a worker's callers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UpdateBatch {
    pub(crate) worker: WorkerId,
    pub(crate) stream: u32,
    /// In the order of their numbers, without gaps.
    pub(crate) updates: Vec<NumberedUpdate>,
}

/// An update with its numbers, and with times of the worker's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct NumberedUpdate {
    /// Counts the updates of the stream, from 1.
    pub(crate) number: u64,
    /// Counts the updates of the run that have an event, from 1.
    pub(crate) of_run: u32,
    pub(crate) run: RunIndex,
    pub(crate) at: SessionTime,
    pub(crate) kind: UpdateKind,
}

/// A piece of a script or clip.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BlobRequest {
    pub(crate) hash: BlobHash,
    pub(crate) offset: u64,
}

/// What a worker says of itself: once a second, and when it is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerReport {
    /// The worker.
    pub worker: WorkerId,
    /// The name of its machine.
    pub host: ForeignText,
    /// The most callers that it is meant to hold.
    pub capacity: u32,
    /// The most conversations per second that it is to be given.
    pub joins: u32,
    /// Callers that it holds.
    pub held: u32,
    /// What it is doing.
    pub state: WorkerState,
    /// The session that it holds callers for, and how often that was begun.
    pub session: Option<(SessionId, u32)>,
    /// Updates that are not acknowledged.
    pub unacknowledged: u64,
    /// The last update that it has, in its stream.
    pub last_update: u64,
    /// Ticks of its callers' threads since it began.
    pub ticks: u64,
    /// Those that began more than 5 ms late.
    pub late_ticks: u64,
    /// The longest delay of a tick since the last report.
    pub latest_tick: Micros,
    /// How often it lost its connection to NATS.
    pub reconnects: u64,
    /// Until when everything that its callers saw is among its updates up to the last, on its clock.
    pub heard_until: WorkerTime,
}

/// What a worker is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// It has no session.
    Idle,
    /// It fetches scripts and clips.
    Preparing,
    /// It takes conversations.
    Ready,
    /// It could not prepare its session.
    Failed(ForeignText),
    /// It takes no more conversations.
    Draining,
}

impl WorkerState {
    /// The state in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Failed(_) => "failed",
            Self::Draining => "draining",
        }
    }
}

/// Why a worker does not do what it was asked. A text for people; nothing was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It holds as many callers as it is meant to.
    #[error("it is full: it holds {held} of {capacity} callers")]
    Full {
        /// Callers that it holds.
        held: u32,
        /// The most that it is meant to.
        capacity: u32,
    },
    /// Its updates are not taken in.
    #[error(
        "it keeps {0} updates that were not acknowledged, and takes no more runs until they are"
    )]
    BufferFull(u64),
    /// It takes no more runs.
    #[error("it is draining")]
    Draining,
    /// It has not fetched scripts and clips.
    #[error("it is not ready: {0}")]
    NotReady(String),
    /// It holds callers for another session.
    #[error("it holds callers for another session, {session}")]
    OtherSession {
        /// The other one.
        session: SessionId,
    },
    /// Another coordinator commands it.
    #[error("another coordinator commands this session, with epoch {epoch}")]
    OtherCoordinator {
        /// Its epoch.
        epoch: u32,
    },
    /// It has no such session.
    #[error("it does not hold this session")]
    UnknownSession,
    /// Nobody gave it the script.
    #[error("it has no script for scenario {scenario} in {mode}")]
    UnknownScript {
        /// The scenario.
        scenario: ScenarioId,
        /// The mode.
        mode: Mode,
    },
    /// It was not told that it may call this host.
    #[error("it was not told that it may call {host}: start it with --allow-host {host}")]
    HostNotAllowed {
        /// The host.
        host: String,
    },
    /// The request was too long under way.
    #[error("the request came too late")]
    Late,
    /// It was not understood.
    #[error("it did not understand the request: {0}")]
    Foreign(String),
    /// Its caller could not be made.
    #[error("{0}")]
    Failed(String),
}
