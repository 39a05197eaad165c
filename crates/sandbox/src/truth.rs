//! The ground truth: what happened in the sandbox, as facts with a time and as counts.

use std::collections::BTreeMap;

use serde::Serialize;

use rushhour_core::units::{AgentName, DispatchId, Identity, Mode, RoomName, SessionTime};

use super::faults::Fault;

/// Something that happened in the sandbox. With its time it is one line of the truth log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub(crate) enum SandboxFact {
    /// The first line of the log: the wall-clock time at which the sandbox's clock read zero.
    Anchor {
        /// In RFC 3339.
        wall: String,
        /// The same in microseconds since 1970.
        unix_us: u64,
        seed: u64,
    },
    #[serde(rename = "room_made")]
    RoomCreated {
        room: RoomName,
        sid: String,
        by: RoomOrigin,
    },
    RoomClosed {
        room: RoomName,
        reason: RoomCloseReason,
    },
    #[serde(rename = "dispatch_made")]
    DispatchCreated {
        room: RoomName,
        dispatch: DispatchId,
        agent: AgentName,
        /// As the client sent it.
        metadata: String,
        by: DispatchOrigin,
    },
    /// A worker accepted the job of a dispatch.
    JobAssigned {
        room: RoomName,
        dispatch: DispatchId,
    },
    AgentJoined {
        room: RoomName,
        dispatch: DispatchId,
        /// `agent-<job id>`.
        identity: Identity,
        /// Since the dispatch.
        after_us: u64,
    },
    /// An agent's state became `listening`.
    AgentListening {
        room: RoomName,
        dispatch: DispatchId,
        /// Since the dispatch.
        after_us: u64,
    },
    /// An entry of a submission became a run.
    EntryAccepted {
        submission: u64,
        /// The Cekura result that the run belongs to.
        result: u64,
        run: u64,
        /// The room that the entry's token names.
        room: RoomName,
        scenario: u64,
        /// The mode of the endpoint that received the submission.
        mode: Mode,
        /// How many times this room and scenario have been accepted. More than 1: the client submitted it twice.
        copy: u32,
        /// The identity in the token.
        identity: Identity,
        /// From the start of the token's validity to its expiry.
        token_ttl_s: u64,
        /// The names of the token's grants.
        grants: Vec<&'static str>,
        received_us: SessionTime,
    },
    /// A submission was answered, cut off, or left without an answer for ever.
    SubmissionAnswered {
        submission: u64,
        /// The runs that it created, whether the answer lists them or not.
        runs: Vec<u64>,
        /// The HTTP status, `reset`, `silence`, or `abandoned` if the client left first.
        outcome: String,
        received_us: SessionTime,
        /// When the connection was handed the answer; `null` if that never happened.
        answered_us: Option<SessionTime>,
    },
    /// The status of a run changed.
    RunStatus {
        run: u64,
        room: RoomName,
        status: &'static str,
        /// Whether the status is a final one.
        over: bool,
        /// As Cekura words it; empty while the run is not over.
        ended_reason: &'static str,
    },
    /// A client asked to end calls.
    EndCalls {
        /// Those of its runs that were not over.
        runs: Vec<u64>,
    },
    #[serde(rename = "fault_struck")]
    FaultInjected {
        fault: &'static str,
        /// The request, dispatch or run that it affects.
        key: String,
    },
}

/// What created a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoomOrigin {
    CreateRoom,
    /// `CreateDispatch` for a room that did not exist.
    CreateDispatch,
    /// An evaluator that joined a room that did not exist.
    Join,
}

/// What dispatched an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DispatchOrigin {
    CreateDispatch,
    /// The list of agents with which its room was created, by request or by token.
    Room,
}

/// Why a room was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoomCloseReason {
    /// By `DeleteRoom`.
    Deleted,
    /// It was empty for longer than its timeout.
    Empty,
}

/// What happened since the sandbox started, in numbers.
#[derive(Debug, Clone, Default)]
pub struct SandboxCounts {
    /// Rooms created.
    pub rooms_created: u64,
    /// Rooms closed by `DeleteRoom`.
    pub rooms_deleted: u64,
    /// Rooms closed because they were empty for too long.
    pub rooms_expired: u64,
    /// Agents dispatched by `CreateDispatch`.
    pub dispatches: u64,
    /// Agents with a name that rooms were created with.
    pub room_dispatches: u64,
    /// Jobs that a worker accepted.
    pub jobs: u64,
    /// Agents that joined a room.
    pub agents_joined: u64,
    /// Submissions that created runs and are finished: answered, cut off or left without an answer.
    pub submissions: u64,
    /// Entries that became runs.
    pub entries: u64,
    /// Entries whose room and scenario had been accepted before.
    pub duplicates: u64,
    /// Entries whose token grants more than to join one room, publish and subscribe.
    pub wide_tokens: u64,
    /// Requests to end calls.
    pub end_calls: u64,
    /// Runs that are over, by status.
    pub runs_over: BTreeMap<&'static str, u64>,
    /// Injected faults, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Requests, by endpoint and outcome (the status, `reset` or `silence`).
    pub requests: BTreeMap<&'static str, BTreeMap<String, u64>>,
}

/// The grants that an evaluator needs; a token with any other is too wide.
const NEEDED_GRANTS: [&str; 4] = ["roomJoin", "canPublish", "canPublishData", "canSubscribe"];

impl SandboxCounts {
    pub(crate) fn count(&mut self, fact: &SandboxFact) {
        match fact {
            SandboxFact::RoomCreated { .. } => self.rooms_created += 1,
            SandboxFact::RoomClosed { reason: RoomCloseReason::Deleted, .. } => {
                self.rooms_deleted += 1;
            }
            SandboxFact::RoomClosed { reason: RoomCloseReason::Empty, .. } => {
                self.rooms_expired += 1;
            }
            SandboxFact::DispatchCreated { by: DispatchOrigin::CreateDispatch, .. } => {
                self.dispatches += 1;
            }
            SandboxFact::DispatchCreated { by: DispatchOrigin::Room, .. } => {
                self.room_dispatches += 1;
            }
            SandboxFact::JobAssigned { .. } => self.jobs += 1,
            SandboxFact::AgentJoined { .. } => self.agents_joined += 1,
            SandboxFact::EntryAccepted { copy, grants, .. } => {
                self.entries += 1;
                self.duplicates += u64::from(*copy > 1);
                let wide = grants.iter().any(|grant| !NEEDED_GRANTS.contains(grant));
                self.wide_tokens += u64::from(wide);
            }
            SandboxFact::RunStatus { over: true, status, .. } => {
                *self.runs_over.entry(status).or_default() += 1;
            }
            SandboxFact::EndCalls { .. } => self.end_calls += 1,
            SandboxFact::FaultInjected { fault, .. } => *self.faults.entry(fault).or_default() += 1,
            SandboxFact::SubmissionAnswered { .. } => self.submissions += 1,
            SandboxFact::Anchor { .. }
            | SandboxFact::AgentListening { .. }
            | SandboxFact::RunStatus { .. } => {}
        }
    }
}

/// The state of a sandbox at one moment.
#[derive(Debug, Clone)]
pub struct SandboxTruth {
    /// What happened since the sandbox started.
    pub counts: SandboxCounts,
    /// Runs that are not over.
    pub runs_open: u64,
    /// The names of the open rooms, sorted.
    pub rooms_open: Vec<RoomName>,
    /// How many times each room and scenario was accepted, within the retention period; sorted.
    pub entries: Vec<AcceptedCount>,
    /// Why the truth log is incomplete, if it is.
    pub log_failure: Option<String>,
}

impl SandboxTruth {
    /// How many times a fault was injected.
    pub fn injected(&self, fault: Fault) -> u64 {
        self.counts.faults.get(fault.name()).copied().unwrap_or_default()
    }
}

/// How many times a room and scenario was accepted.
#[derive(Debug, Clone)]
pub struct AcceptedCount {
    /// The room that the token named.
    pub room: RoomName,
    /// The scenario.
    pub scenario: u64,
    /// How many runs it became.
    pub accepted: u32,
}
