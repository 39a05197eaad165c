//! Everything that can happen in a session, with its moments on the session's clock.

use serde::{Deserialize, Serialize};

use super::model_usage::ModelUsage;
use super::outcome::Outcome;
use super::turn::{FramesSent, Turn};
use crate::profile::{Profile, ResolvedSetting};
use crate::units::{
    DispatchId, EvaluatorRunId, Identity, Micros, Mode, PairId, ResultId, RoomName, RunIndex,
    SessionId, SessionTime,
};

/// The version of this vocabulary.
pub const FORMAT_VERSION: u32 = 1;

/// Something that happened, and when it was noted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When the driver noted it.
    #[serde(rename = "t")]
    pub at: SessionTime,
    /// What it was.
    #[serde(rename = "e")]
    pub kind: EventKind,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The session began; always the first event.
    Opened(Box<SessionHeader>),
    /// A run was let in: its place in flight is taken.
    RunStarted {
        /// The run.
        run: RunIndex,
        /// Its stage's position in the profile.
        stage: u32,
        /// Its scenario's position in the profile.
        scenario: u32,
        /// How many runs of that scenario came before it.
        copy: u32,
        /// How the conversation is held.
        mode: Mode,
        /// Its pair, in a paired session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pair: Option<PairId>,
        /// When it was meant to start.
        intended: SessionTime,
        /// When a place in flight was free for it; not before `intended`.
        free: SessionTime,
        /// Its room, which may be there from now on.
        room: RoomName,
    },
    /// A run did not take place because no place was free; its outcome is skipped.
    RunSkipped {
        /// The run.
        run: RunIndex,
        /// Its stage's position in the profile.
        stage: u32,
        /// Its scenario's position in the profile.
        scenario: u32,
        /// How many runs of that scenario came before it.
        copy: u32,
        /// How the conversation would have been held.
        mode: Mode,
        /// Its pair, in a paired session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pair: Option<PairId>,
        /// When it was meant to start.
        intended: SessionTime,
    },
    /// All planned runs from this one on were not started, because the session was stopped.
    RestNotStarted {
        /// The first of them.
        from: RunIndex,
        /// How many, where the plan says so.
        count: u64,
    },
    /// A run's room is there.
    #[serde(rename = "room_made")]
    RoomCreated {
        /// The run.
        run: RunIndex,
        /// When the request was sent.
        sent: SessionTime,
        /// When it was answered.
        answered: SessionTime,
    },
    /// The agent's dispatch was accepted.
    Dispatched {
        /// The run.
        run: RunIndex,
        /// Its name at the server, where the method gives one.
        dispatch: Option<DispatchId>,
        /// When the request was sent.
        sent: SessionTime,
        /// When it was answered.
        answered: SessionTime,
    },
    /// An agent is in the room.
    AgentSeen {
        /// The run.
        run: RunIndex,
        /// The agent.
        identity: Identity,
        /// The last look that did not find it.
        after: SessionTime,
        /// The look that found it.
        seen: SessionTime,
        /// The server's own time of its joining, on the session's clock if both wall clocks agree.
        joined: Option<SessionTime>,
    },
    /// The agent is listening.
    AgentReady {
        /// The run.
        run: RunIndex,
        /// The last look that did not find it so.
        after: SessionTime,
        /// The look that found it so.
        seen: SessionTime,
    },
    /// The agent was heard or read for the first time.
    Greeted {
        /// The run.
        run: RunIndex,
        /// When.
        at: SessionTime,
    },
    /// A turn of the conversation is over.
    Turn {
        /// The run.
        run: RunIndex,
        /// The turn.
        turn: Turn,
    },
    /// What the agent says that its models took, in all.
    #[serde(rename = "used")]
    ModelUsage {
        /// The run.
        run: RunIndex,
        /// What they took.
        #[serde(rename = "used")]
        usage: ModelUsage,
    },
    /// What our caller sent of audio in all.
    #[serde(rename = "spoke")]
    AudioSent {
        /// The run.
        run: RunIndex,
        /// The frames.
        frames: FramesSent,
    },
    /// A submission is about to be sent; durable before it is.
    SubmitIntent {
        /// The submission.
        request: u64,
        /// Its runs.
        runs: Vec<RunIndex>,
    },
    /// A submission was certainly not accepted and will be sent again.
    SubmitRetry {
        /// The submission.
        request: u64,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// Why.
        reason: RetryReason,
        /// How long until the next.
        wait: Micros,
    },
    /// The evaluator accepted a submission.
    Submitted {
        /// The submission.
        request: u64,
        /// When its last attempt was admitted by the limiter.
        admitted: SessionTime,
        /// When its last attempt was sent.
        sent: SessionTime,
        /// When that was answered.
        answered: SessionTime,
        /// The evaluator's folder of its runs.
        result: Option<ResultId>,
        /// Its runs, as the evaluator names them.
        #[serde(rename = "entered")]
        accepted: Vec<AcceptedRun>,
        /// How sure it is which run is which.
        mapping: RunMapping,
    },
    /// The evaluator is in the room of a submission that was not known to be accepted: it was.
    EvaluatorSeen {
        /// The run.
        run: RunIndex,
        /// The last look that did not find it.
        after: SessionTime,
        /// The look that found it.
        seen: SessionTime,
    },
    /// A run was seen in a new state at the evaluator.
    #[serde(rename = "sighted")]
    PhaseSeen {
        /// The run.
        run: RunIndex,
        /// The state.
        #[serde(rename = "sighting")]
        phase: RunPhase,
        /// The evaluator's own word for it.
        word: String,
        /// The last look that saw it in the state before.
        after: SessionTime,
        /// The look that saw it in this one.
        seen: SessionTime,
    },
    /// A run's outcome is known; exactly one for each run that started.
    Ended {
        /// The run.
        run: RunIndex,
        /// How it ended.
        outcome: Outcome,
        /// The last look that saw it not ended; the same as `seen` where the moment is exact.
        after: SessionTime,
        /// When it was seen to have ended.
        seen: SessionTime,
        /// The conversation's length in the evaluator's own words, to the second.
        #[serde(rename = "talked")]
        conversation_duration: Option<Micros>,
    },
    /// A room was deleted.
    RoomDeleted {
        /// Its run.
        run: RunIndex,
    },
    /// A room could not be deleted; `sweep` will find it.
    #[serde(rename = "room_left")]
    RoomNotDeleted {
        /// Its run.
        run: RunIndex,
        /// Why.
        detail: String,
    },
    /// How the generator itself was doing over the last stretch.
    Health(GeneratorHealth),
    /// Nothing more will be started.
    Stopping {
        /// Why.
        reason: StopReason,
        /// In words.
        detail: String,
    },
    /// The session's process died, and another one took the session up; what came after the last event
    /// before it was seen by nobody.
    Resumed {
        /// The wall clock then, RFC 3339 in UTC.
        wall: String,
        /// Bytes of half a line that were cut off the journal.
        torn: u64,
        /// How long nobody watched, up to this event. What was still to start is meant to start so much
        /// later, which adds to every such time before.
        unwatched: Micros,
        /// The runs that were under way.
        open: Vec<RunIndex>,
    },
    /// The session is over; the last event unless it was killed, but for looks at what it left behind.
    Closed,
    /// How the agent's worker says that it is.
    AgentHealth(AgentHealth),
    /// How many of the session's rooms the server still listed after its end.
    RoomsListed {
        /// So many.
        rooms: u64,
        /// Rooms that it listed at first, and that were deleted once more.
        #[serde(default)]
        deleted_again: u64,
    },
}

/// How a session began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionHeader {
    /// The version of the vocabulary.
    pub format: u32,
    /// The version of Rushhour.
    pub rushhour: String,
    /// The session.
    pub session: SessionId,
    /// The wall clock at the anchor, RFC 3339 in UTC.
    pub anchor: String,
    /// The profile as used.
    pub profile: Profile,
    /// The profile's hash: SHA-256 of its JSON, in hexadecimal.
    pub profile_hash: String,
    /// Where its settings came from.
    pub settings: Vec<ResolvedSetting>,
    /// The LiveKit server that was spoken to.
    pub livekit_url: String,
    /// The evaluator that was spoken to.
    pub evaluator_url: String,
    /// How many runs are planned, where the plan says so.
    pub planned: Option<u64>,
    /// Processor cores this process may use.
    pub cores: u32,
}

/// A run that the evaluator accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedRun {
    /// The run.
    pub run: RunIndex,
    /// Its name at the evaluator.
    pub evaluator_run: EvaluatorRunId,
    /// When it was ready to be submitted.
    pub ready: SessionTime,
}

/// How sure it is which of the evaluator's runs is which of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunMapping {
    /// By construction: one entry in the request, or every entry a scenario of its own.
    Proven,
    /// By the order of the answer, which nobody promises.
    Assumed,
}

/// Why a submission will be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryReason {
    /// It was answered with 429.
    RateLimited,
    /// The connection was refused, so nothing was sent.
    ConnectionRefused,
}

/// A run's state at the evaluator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// It waits its turn.
    Queued,
    /// The conversation is held.
    Running,
    /// The conversation is over and is being judged.
    Judging,
}

/// Why nothing more is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// A signal; the runs under way are finished.
    Drain,
    /// A second signal; the runs under way are ended.
    Now,
    /// A key was refused: nothing that follows could succeed.
    Credentials,
    /// The journal cannot be written.
    Journal,
    /// A threshold that may end the session failed; the runs under way are finished.
    Threshold,
    /// A cap on money, runs or minutes was reached; the runs under way are finished.
    Budget,
}

impl StopReason {
    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Now => "now",
            Self::Credentials => "credentials",
            Self::Journal => "journal",
            Self::Threshold => "threshold",
            Self::Budget => "budget",
        }
    }
}

/// How the generator itself was doing over a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorHealth {
    /// The stretch.
    pub over: Micros,
    /// Runs in flight at its end.
    pub in_flight: u32,
    /// Processor time used, in microseconds over all cores.
    pub cpu: Micros,
    /// Memory resident at its end, in bytes.
    pub memory: u64,
    /// The longest the driver's loop came late for a deadline.
    pub loop_lag: Micros,
    /// Questions about the state of runs that were answered.
    pub polls: u32,
    /// Questions that were not answered usefully.
    pub polls_failed: u32,
    /// The longest a due question waited for its turn.
    pub poll_lag: Micros,
    /// Answers of 429, to submissions and questions.
    pub throttled: u32,
    /// Looks into rooms.
    #[serde(rename = "looks")]
    pub room_polls: u32,
    /// The longest a due look waited for its turn.
    #[serde(rename = "look_lag")]
    pub room_poll_lag: Micros,
    /// How our own callers were doing, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callers: Option<CallersHealth>,
}

/// How the agent's worker says that it is; what it does not tell is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentHealth {
    /// Jobs that it has and are not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u64>,
    /// The share of what it can carry that is taken, as it reckons that itself; finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// Processes that it started and are not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<u64>,
    /// Memory resident, in bytes; of the worker's own process where it has others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Why it could not be asked, or not be understood, in words.
    #[serde(rename = "trouble", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How the threads of our own callers were doing over a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallersHealth {
    /// Callers there are at its end.
    pub callers: u64,
    /// Beats: each attends to all callers of a thread that are due.
    #[serde(rename = "beats")]
    pub ticks: u64,
    /// Beats that began more than 5 ms late.
    #[serde(rename = "late_beats")]
    pub late_ticks: u64,
    /// The latest beat.
    #[serde(rename = "latest_beat")]
    pub latest_tick: Micros,
}
