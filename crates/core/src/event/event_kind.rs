//! Everything that can happen in a session, with times on the session's clock.

use serde::{Deserialize, Serialize};

use super::conversation_summary::ConversationSummary;
use super::health::{AgentHealth, GeneratorHealth, WorkerHealth};
use super::media_path::MediaPath;
use super::model_usage::ModelUsage;
use super::outcome::Outcome;
use super::reconnect::Reconnect;
use super::rpc_calls::RpcCalls;
use super::session_header::SessionHeader;
use super::turn::{FramesSent, Turn};
use crate::units::{
    DispatchId, EvaluatorRunId, ForeignText, Identity, Micros, Mode, PairId, ResultId, RoomName,
    RunIndex, SessionTime, WorkerId,
};

/// The version of the event format.
pub const FORMAT_VERSION: u32 = 1;

/// An event and when the driver recorded it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When the driver recorded it.
    #[serde(rename = "t")]
    pub at: SessionTime,
    /// What happened.
    #[serde(rename = "e")]
    pub kind: EventKind,
}

/// What can happen. Fields `after` and `seen` are the last poll before a change and the first one that saw
/// it; the change happened between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The session began; always the first event.
    Opened(Box<SessionHeader>),
    /// A run started and occupies a slot.
    RunStarted {
        /// The run.
        run: RunIndex,
        /// Its stage's position in the profile.
        stage: u32,
        /// Its scenario's position in the profile.
        scenario: u32,
        /// The number of earlier runs of that scenario.
        copy: u32,
        /// The mode of the conversation.
        mode: Mode,
        /// Its pair, in a paired session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pair: Option<PairId>,
        /// The position of its caller's network conditions in the profile, if it has any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        network: Option<u32>,
        /// The call before, if the same caller calls again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redial_of: Option<RunIndex>,
        /// Its intended start.
        intended: SessionTime,
        /// When a slot was free for it; not before `intended`.
        free: SessionTime,
        /// Its room, which may exist from now on.
        room: RoomName,
    },
    /// A run did not start because no slot was free; its outcome is skipped.
    RunSkipped {
        /// The run.
        run: RunIndex,
        /// Its stage's position in the profile.
        stage: u32,
        /// Its scenario's position in the profile.
        scenario: u32,
        /// The number of earlier runs of that scenario.
        copy: u32,
        /// The mode of the conversation.
        mode: Mode,
        /// Its pair, in a paired session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pair: Option<PairId>,
        /// The position of its caller's network conditions in the profile, if it has any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        network: Option<u32>,
        /// The call before, if the same caller calls again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redial_of: Option<RunIndex>,
        /// Its intended start.
        intended: SessionTime,
    },
    /// All planned runs from this one on did not start, because the session was stopped.
    RestNotStarted {
        /// The first of them.
        from: RunIndex,
        /// The number of them, as far as the plan determines it.
        count: u64,
    },
    /// A run's room was created.
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
        /// The server's id of it, if the dispatch method returns one.
        dispatch: Option<DispatchId>,
        /// When the request was sent.
        sent: SessionTime,
        /// When it was answered.
        answered: SessionTime,
    },
    /// An agent was seen in the room.
    AgentSeen {
        /// The run.
        run: RunIndex,
        /// The agent.
        identity: Identity,
        /// The last room poll without it.
        after: SessionTime,
        /// The first room poll with it.
        seen: SessionTime,
        /// When it joined according to the server, converted to the session's clock through the wall clocks.
        joined: Option<SessionTime>,
    },
    /// The agent was seen listening.
    AgentReady {
        /// The run.
        run: RunIndex,
        /// The last room poll before.
        after: SessionTime,
        /// The first room poll that saw it.
        seen: SessionTime,
    },
    /// The agent was heard or read for the first time.
    Greeted {
        /// The run.
        run: RunIndex,
        /// When.
        at: SessionTime,
    },
    /// The way of the native caller's media and data to the server; another one later, where it changed.
    MediaPath {
        /// The run.
        run: RunIndex,
        /// The way.
        path: MediaPath,
    },
    /// A turn of the conversation ended.
    Turn {
        /// The run.
        run: RunIndex,
        /// The turn.
        turn: Box<Turn>,
    },
    /// The native caller lost its connection, and was back.
    Reconnected {
        /// The run.
        run: RunIndex,
        /// Why, how and for how long.
        reconnect: Reconnect,
    },
    /// What the agent reports about the use of its models so far.
    #[serde(rename = "used")]
    ModelUsage {
        /// The run.
        run: RunIndex,
        /// The totals.
        #[serde(rename = "used")]
        usage: ModelUsage,
    },
    /// What the agent asked of the native caller by RPC.
    #[serde(rename = "rpc")]
    RpcCalls {
        /// The run.
        run: RunIndex,
        /// The calls.
        calls: RpcCalls,
    },
    /// What was special about the conversation of a native caller.
    Conversation {
        /// The run.
        run: RunIndex,
        /// The summary.
        summary: ConversationSummary,
    },
    /// The audio that the native caller sent.
    #[serde(rename = "spoke")]
    AudioSent {
        /// The run.
        run: RunIndex,
        /// The frames.
        frames: FramesSent,
    },
    /// A submission is about to be sent; this event is durable before.
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
        /// Why it failed.
        reason: RetryReason,
        /// The time until the next attempt.
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
        /// When that attempt was answered.
        answered: SessionTime,
        /// The evaluator's id of the group of its runs.
        result: Option<ResultId>,
        /// Its runs with the evaluator's ids.
        #[serde(rename = "entered")]
        accepted: Vec<AcceptedRun>,
        /// How certain the mapping of the ids to the runs is.
        mapping: RunMapping,
    },
    /// The evaluator was seen in the room of a submission whose acceptance was unknown: it was accepted.
    EvaluatorSeen {
        /// The run.
        run: RunIndex,
        /// The last room poll without it.
        after: SessionTime,
        /// The first room poll with it.
        seen: SessionTime,
    },
    /// A run was seen in a new phase at the evaluator.
    #[serde(rename = "sighted")]
    PhaseSeen {
        /// The run.
        run: RunIndex,
        /// The phase.
        #[serde(rename = "sighting")]
        phase: RunPhase,
        /// The evaluator's own status.
        #[serde(rename = "word")]
        status: ForeignText,
        /// The last status poll that saw it in the phase before.
        after: SessionTime,
        /// The first status poll that saw it in this phase.
        seen: SessionTime,
    },
    /// A run's outcome is known; exactly one for each run that started.
    Ended {
        /// The run.
        run: RunIndex,
        /// The outcome.
        outcome: Outcome,
        /// The last poll that saw it not ended; the same as `seen` if the time is exact.
        after: SessionTime,
        /// When it was first seen to have ended.
        seen: SessionTime,
        /// The duration of the conversation as reported by the evaluator, to the second.
        #[serde(rename = "talked")]
        conversation_duration: Option<Micros>,
    },
    /// A room was deleted.
    RoomDeleted {
        /// Its run.
        run: RunIndex,
    },
    /// A room could not be deleted; `rushhour sweep` finds it.
    #[serde(rename = "room_left")]
    RoomNotDeleted {
        /// Its run.
        run: RunIndex,
        /// Why.
        detail: ForeignText,
    },
    /// The health of the load generator over the last interval.
    Health(GeneratorHealth),
    /// The health of a worker over the last interval.
    #[serde(rename = "worker")]
    WorkerHealth(WorkerHealth),
    /// No more runs will start.
    Stopping {
        /// Why.
        reason: StopReason,
        /// The reason as text.
        detail: ForeignText,
    },
    /// The session was resumed after its process died. Nobody saw what happened between the last event
    /// before this one and this one.
    Resumed {
        /// The wall clock at that time, RFC 3339 in UTC.
        wall: String,
        /// Bytes of an incomplete last line that were cut off the journal.
        torn: u64,
        /// The time without a process, up to this event. All later intended starts are delayed by it, in
        /// addition to earlier downtimes.
        #[serde(rename = "unwatched")]
        downtime: Micros,
        /// The runs that were in flight.
        open: Vec<RunIndex>,
    },
    /// Somebody marked this moment, such as the deployment of a new version.
    Mark {
        /// What it marks.
        text: ForeignText,
    },
    /// The session is over. Only [`Self::AgentHealth`], [`Self::WorkerHealth`] and [`Self::RoomsListed`] may follow.
    Closed,
    /// The health of the agent's worker as it reports it.
    AgentHealth(AgentHealth),
    /// The session's rooms that the server still listed after its end.
    RoomsListed {
        /// The number of rooms.
        rooms: u64,
        /// Rooms that it listed at first, and that were deleted again.
        #[serde(default)]
        deleted_again: u64,
    },
}

/// A run that the evaluator accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedRun {
    /// The run.
    pub run: RunIndex,
    /// The evaluator's id of it.
    pub evaluator_run: EvaluatorRunId,
    /// When it was ready to be submitted.
    pub ready: SessionTime,
    /// The worker that holds its caller, where that is on another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
}

/// How certain the mapping of the evaluator's run ids to our runs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunMapping {
    /// Certain by construction: the request has one entry, or every entry another scenario.
    Proven,
    /// Assumed from the order of the answer, which the evaluator does not guarantee.
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

/// The phase of a run at the evaluator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// It is queued.
    Queued,
    /// The conversation is in progress.
    Running,
    /// The conversation has ended and is being judged.
    Judging,
}

/// Why no more runs start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// A signal; runs in flight are completed.
    Drain,
    /// A second signal; runs in flight are ended.
    Now,
    /// A key was rejected: no later request could succeed.
    Credentials,
    /// The evaluator rejected a submission, and would reject every other one.
    Rejected,
    /// The journal cannot be written.
    Journal,
    /// A threshold with `abort` failed; runs in flight are completed.
    Threshold,
    /// A limit on money, runs or minutes was reached; runs in flight are completed.
    Budget,
    /// No worker is left that could hold a caller; runs in flight are completed.
    Workers,
}

impl StopReason {
    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Now => "now",
            Self::Credentials => "credentials",
            Self::Rejected => "rejected",
            Self::Journal => "journal",
            Self::Threshold => "threshold",
            Self::Budget => "budget",
            Self::Workers => "workers",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Journals of earlier versions hold these names.
    #[test]
    fn journals_keep_the_names_of_renamed_events_and_fields() {
        let (run, after, seen) = (RunIndex(3), SessionTime(1), SessionTime(2));
        let events = [
            (
                EventKind::PhaseSeen {
                    run,
                    phase: RunPhase::Running,
                    status: "in_progress".into(),
                    after,
                    seen,
                },
                r#"{"sighted":{"run":3,"sighting":"running","word":"in_progress","after":1,"seen":2}}"#,
            ),
            (
                EventKind::Resumed {
                    wall: "2026-01-01T00:00:00Z".to_owned(),
                    torn: 5,
                    downtime: Micros(7),
                    open: vec![run],
                },
                r#"{"resumed":{"wall":"2026-01-01T00:00:00Z","torn":5,"unwatched":7,"open":[3]}}"#,
            ),
            (
                EventKind::Health(GeneratorHealth::default()),
                r#"{"health":{"over":0,"in_flight":0,"cpu":0,"memory":0,"loop_lag":0,"polls":0,"polls_failed":0,"poll_lag":0,"throttled":0,"looks":0,"look_lag":0}}"#,
            ),
            (
                EventKind::RoomNotDeleted { run, detail: "busy".into() },
                r#"{"room_left":{"run":3,"detail":"busy"}}"#,
            ),
        ];
        for (event, json) in events {
            assert_eq!(serde_json::to_string(&event).unwrap(), json);
            assert_eq!(serde_json::from_str::<EventKind>(json).unwrap(), event);
        }
    }
}
