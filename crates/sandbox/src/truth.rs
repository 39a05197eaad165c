//! What a sandbox knows for certain: facts as they happen, and their counts.

use std::collections::BTreeMap;

use serde::Serialize;

use rushhour_core::units::{AgentName, DispatchId, Identity, Mode, RoomName, SessionTime};

use super::faults::Fault;

/// One thing that happened in the sandbox. Written with its time, it is a line of the truth log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SandboxFact {
    /// The log's first line: the wall time at which the sandbox's clock read zero.
    Anchor {
        /// That wall time.
        wall: String,
        /// The same in microseconds since 1970.
        unix_us: u64,
        /// The sandbox's seed.
        seed: u64,
    },
    /// A room was made.
    RoomMade {
        /// Its name.
        room: RoomName,
        /// Its session id.
        sid: String,
        /// What made it.
        by: RoomStart,
    },
    /// A room was closed.
    RoomClosed {
        /// Its name.
        room: RoomName,
        /// Why.
        reason: RoomEnd,
    },
    /// An agent was asked for.
    DispatchMade {
        /// The room it is asked into.
        room: RoomName,
        /// The dispatch's id.
        dispatch: DispatchId,
        /// The agent's name.
        agent: AgentName,
        /// The metadata as it was sent.
        metadata: String,
        /// What asked for it.
        by: DispatchStart,
    },
    /// A worker took a job.
    JobAssigned {
        /// The job's room.
        room: RoomName,
        /// Its dispatch.
        dispatch: DispatchId,
    },
    /// An agent is in its room.
    AgentJoined {
        /// The room.
        room: RoomName,
        /// Its dispatch.
        dispatch: DispatchId,
        /// Its identity, `agent-<job id>`.
        identity: Identity,
        /// Microseconds since its dispatch.
        after_us: u64,
    },
    /// An agent's state became `listening`.
    AgentListening {
        /// The room.
        room: RoomName,
        /// Its dispatch.
        dispatch: DispatchId,
        /// Microseconds since its dispatch.
        after_us: u64,
    },
    /// A run was made from an entry of a submission.
    EntryAccepted {
        /// The submission's number.
        submission: u64,
        /// The result that holds the run.
        result: u64,
        /// The run.
        run: u64,
        /// The room that the entry's token names.
        room: RoomName,
        /// The entry's scenario.
        scenario: u64,
        /// By which endpoint it came.
        mode: Mode,
        /// 1 for a room's and scenario's first acceptance; anything more was submitted twice.
        copy: u32,
        /// The identity in the token.
        identity: Identity,
        /// From the token's start to its expiry, in seconds.
        token_ttl_s: u64,
        /// What the token grants.
        grants: Vec<&'static str>,
        /// When the submission came in.
        received_us: SessionTime,
    },
    /// A submission was answered, cut off, or left to wait for ever.
    SubmissionAnswered {
        /// The submission's number.
        submission: u64,
        /// The runs made by it, listed in the answer or not.
        runs: Vec<u64>,
        /// The HTTP status, or `reset` or `silence`.
        outcome: String,
        /// When it came in.
        received_us: SessionTime,
        /// When its answer was handed to the connection; absent where none ever was.
        answered_us: Option<SessionTime>,
    },
    /// A run changed its status.
    RunStatus {
        /// The run.
        run: u64,
        /// Its room.
        room: RoomName,
        /// The status now.
        status: &'static str,
        /// Whether the run is over.
        over: bool,
        /// Why it ended, in Cekura's words; empty before.
        ended_reason: &'static str,
    },
    /// A client asked to end the calls of these runs.
    EndCalls {
        /// The runs that were not over.
        runs: Vec<u64>,
    },
    /// An injected fault struck.
    FaultStruck {
        /// Its name.
        fault: &'static str,
        /// What it struck.
        key: String,
    },
}

/// What made a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomStart {
    /// `CreateRoom`.
    CreateRoom,
    /// `CreateDispatch` on a room that was not there.
    CreateDispatch,
    /// An evaluator that joined a room that was not there.
    Join,
}

/// What asked for an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DispatchStart {
    /// `CreateDispatch`.
    CreateDispatch,
    /// The list of agents that its room was made with, by request or by token.
    Room,
}

/// What closed a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomEnd {
    /// `DeleteRoom`.
    Deleted,
    /// Nobody was in it for too long.
    Empty,
}

/// Counts of everything since the sandbox started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SandboxCounts {
    /// Rooms made.
    pub rooms_made: u64,
    /// Rooms closed by `DeleteRoom`.
    pub rooms_deleted: u64,
    /// Rooms closed because nobody was in them.
    pub rooms_expired: u64,
    /// Agents asked for by `CreateDispatch`.
    pub dispatches: u64,
    /// Agents with a name in the lists that rooms were made with.
    pub room_dispatches: u64,
    /// Jobs that a worker took.
    pub jobs: u64,
    /// Agents that came into a room.
    pub agents_joined: u64,
    /// Submissions that made runs and were answered, or will never be.
    pub submissions: u64,
    /// Entries that became runs.
    pub entries: u64,
    /// Entries whose room and scenario had been accepted before.
    pub duplicates: u64,
    /// Entries whose token grants more than to join one room, publish and subscribe.
    pub wide_tokens: u64,
    /// Requests to end calls.
    pub end_calls: u64,
    /// Runs that are over, by their status.
    pub runs_over: BTreeMap<&'static str, u64>,
    /// Injected faults that struck, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Requests by what they asked for and how they were answered.
    pub requests: BTreeMap<&'static str, BTreeMap<String, u64>>,
}

/// What an evaluator needs of a token, and no more.
const NEEDED_GRANTS: [&str; 4] = ["roomJoin", "canPublish", "canPublishData", "canSubscribe"];

impl SandboxCounts {
    pub(crate) fn count(&mut self, fact: &SandboxFact) {
        match fact {
            SandboxFact::RoomMade { .. } => self.rooms_made += 1,
            SandboxFact::RoomClosed { reason: RoomEnd::Deleted, .. } => self.rooms_deleted += 1,
            SandboxFact::RoomClosed { reason: RoomEnd::Empty, .. } => self.rooms_expired += 1,
            SandboxFact::DispatchMade { by: DispatchStart::CreateDispatch, .. } => {
                self.dispatches += 1;
            }
            SandboxFact::DispatchMade { by: DispatchStart::Room, .. } => self.room_dispatches += 1,
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
            SandboxFact::FaultStruck { fault, .. } => *self.faults.entry(fault).or_default() += 1,
            SandboxFact::SubmissionAnswered { .. } => self.submissions += 1,
            SandboxFact::Anchor { .. }
            | SandboxFact::AgentListening { .. }
            | SandboxFact::RunStatus { .. } => {}
        }
    }
}

/// What is true of a sandbox now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SandboxTruth {
    /// Counts of everything since it started.
    pub counts: SandboxCounts,
    /// Runs that are not over.
    pub runs_open: u64,
    /// Rooms that are open, by name.
    pub rooms_open: Vec<RoomName>,
    /// How many times each room and scenario was accepted, as far as they are still remembered.
    pub entries: Vec<AcceptedEntry>,
    /// Why the truth log is not whole, where it is not.
    pub log_failure: Option<String>,
}

impl SandboxTruth {
    /// How many times a fault struck.
    pub fn struck(&self, fault: Fault) -> u64 {
        self.counts.faults.get(fault.name()).copied().unwrap_or_default()
    }
}

/// How many times a room and scenario was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptedEntry {
    /// The room that the token named.
    pub room: RoomName,
    /// The scenario.
    pub scenario: u64,
    /// How many runs were made of it.
    pub accepted: u32,
}
