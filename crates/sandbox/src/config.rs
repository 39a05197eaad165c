//! The configuration of a sandbox: credentials, workers, delays and faults.

use std::collections::BTreeSet;

use rushhour_core::units::{AgentName, Micros, Secret};

use super::faults::Faults;
use super::truth_log::TruthLog;
use rushhour_core::rng::DelayDistribution;

/// Everything that determines a sandbox's behaviour: the same configuration gives the same delays and faults.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// The seed of all random delays and faults.
    pub seed: u64,
    /// LiveKit's API key.
    pub api_key: String,
    /// The secret that signs LiveKit tokens.
    pub api_secret: Secret,
    /// Cekura's API key, expected in the `X-CEKURA-API-KEY` header.
    pub cekura_key: Secret,
    /// Whose rooms the evaluator joins.
    pub rooms: RoomOwnership,
    /// The agents that have a worker.
    pub workers: WorkerPool,
    /// Whether agents respect `text_mode` in the dispatch metadata, as Cekura's tracer makes them: without
    /// `true` they ignore chat, with it they ignore speech.
    pub text_mode: bool,
    /// The ids of existing scenarios; `None` accepts every id.
    pub scenarios: Option<BTreeSet<u64>>,
    /// The limits of the Cekura account.
    pub plan: CekuraPlan,
    /// How long operations take.
    pub times: SandboxTimes,
    /// Which faults to inject, and how often.
    pub faults: Faults,
    /// How far the sandbox's wall clock is ahead of the machine's, in seconds; negative if behind.
    pub clock_offset_s: i64,
    /// How long ended runs and closed rooms stay known. Counts are never reset.
    pub retention: Micros,
    /// Where the ground truth is written.
    pub truth_log: TruthLog,
}

impl SandboxConfig {
    /// The default API key for LiveKit.
    pub const API_KEY: &str = "sandbox";
    /// The default API secret for LiveKit; only sandboxes accept it.
    pub const API_SECRET: &str = "sandbox-secret-of-at-least-32-characters";
    /// The default API key for Cekura; only sandboxes accept it.
    pub const CEKURA_KEY: &str = "sandbox-cekura-key";
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            api_key: Self::API_KEY.to_owned(),
            api_secret: Secret::new(Self::API_SECRET),
            cekura_key: Secret::new(Self::CEKURA_KEY),
            rooms: RoomOwnership::Own,
            workers: WorkerPool::default(),
            text_mode: true,
            scenarios: None,
            plan: CekuraPlan::default(),
            times: SandboxTimes::default(),
            faults: Faults::NONE,
            clock_offset_s: 0,
            retention: Micros::from_secs(600),
            truth_log: TruthLog::Off,
        }
    }
}

/// Whose rooms the evaluator joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomOwnership {
    /// The sandbox's own rooms: no other `livekit_room_url` can be reached.
    Own,
    /// Rooms of a real LiveKit server with the same key and secret. Tokens are checked; that the room exists and
    /// has an agent is assumed.
    Elsewhere,
}

/// Which agents have a worker. A dispatch of any other agent is accepted and never becomes a job.
///
/// Every room that is created without a list of agents dispatches the agent with the empty name, as on a real server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerPool {
    /// Only agents with these names.
    Only(BTreeSet<AgentName>),
    /// All agents except those with these names.
    AllBut(BTreeSet<AgentName>),
}

impl WorkerPool {
    /// The agent name that Rushhour lists in a room to keep a server from dispatching the nameless agent. No worker
    /// has it.
    pub const PLACEHOLDER: &str = "rushhour-placeholder";

    pub(crate) fn has_worker(&self, agent: &AgentName) -> bool {
        match self {
            Self::Only(names) => names.contains(agent),
            Self::AllBut(names) => !names.contains(agent),
        }
    }
}

impl Default for WorkerPool {
    /// All agents except the nameless one and the placeholder.
    fn default() -> Self {
        Self::AllBut(["", Self::PLACEHOLDER].map(AgentName::new).into())
    }
}

/// The limits of the Cekura account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CekuraPlan {
    /// Concurrent voice runs; further ones wait in the queue.
    pub voice_runs: u32,
    /// Concurrent chat runs; further ones wait in the queue.
    pub chat_runs: u32,
    /// What the key has access to.
    pub key: KeyScope,
}

impl Default for CekuraPlan {
    fn default() -> Self {
        Self { voice_runs: 2_000, chat_runs: 2_000, key: KeyScope::Organization }
    }
}

/// What a Cekura key has access to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyScope {
    /// The organization, with its billing.
    Organization,
    /// One project; billing requests get a 403.
    Project,
}

/// How long operations take.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SandboxTimes {
    /// LiveKit's.
    pub livekit: LivekitTimes,
    /// Cekura's.
    pub cekura: CekuraTimes,
}

/// How long LiveKit's operations take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LivekitTimes {
    /// From a `RoomService` request to its response.
    pub room_call: DelayDistribution,
    /// From an `AgentDispatchService` request to its response.
    pub dispatch_call: DelayDistribution,
    /// From a dispatch to its job; a real server takes at least 200 ms.
    pub assignment: DelayDistribution,
    /// From a job to its agent's joining the room.
    pub join: DelayDistribution,
    /// From the agent's joining to its state `listening`.
    pub listening: DelayDistribution,
    /// What the fault `room_slow` adds.
    pub slow: DelayDistribution,
    /// What the fault `agent_late` adds.
    pub late: DelayDistribution,
}

impl Default for LivekitTimes {
    fn default() -> Self {
        Self {
            room_call: DelayDistribution::lognormal(3, 9, 50),
            dispatch_call: DelayDistribution::lognormal(3, 12, 50),
            assignment: DelayDistribution::lognormal(202, 208, 260),
            join: DelayDistribution::lognormal(150, 400, 2_000),
            listening: DelayDistribution::lognormal(60, 150, 500),
            slow: DelayDistribution::fixed(3_000),
            late: DelayDistribution::fixed(20_000),
        }
    }
}

/// How long Cekura's operations take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CekuraTimes {
    /// From a submission to its response.
    pub submit: DelayDistribution,
    /// What the fault `submit_slow` adds.
    pub submit_slow: DelayDistribution,
    /// From any other request to its response.
    pub poll: DelayDistribution,
    /// What the fault `poll_slow` adds.
    pub poll_slow: DelayDistribution,
    /// The wait that a 429 asks for; `Retry-After` rounds it up to whole seconds.
    pub retry_after: Micros,
    /// From accepting a run to its start; waiting for a slot of the plan comes on top.
    pub queue: DelayDistribution,
    /// The duration of a voice conversation.
    pub voice: DelayDistribution,
    /// The duration of a chat conversation.
    pub chat: DelayDistribution,
    /// From the end of the conversation to the verdict.
    pub judging: DelayDistribution,
    /// How long the undocumented status of the fault `run_unknown_status` lasts.
    pub unknown_status: DelayDistribution,
    /// How long the evaluator waits in a room for an agent.
    pub agent_timeout: Micros,
    /// How long the evaluator waits for an agent that says nothing.
    pub silence_timeout: Micros,
}

impl Default for CekuraTimes {
    fn default() -> Self {
        Self {
            submit: DelayDistribution::lognormal(80, 200, 1_000),
            submit_slow: DelayDistribution::fixed(5_000),
            poll: DelayDistribution::lognormal(25, 60, 300),
            poll_slow: DelayDistribution::fixed(3_000),
            retry_after: Micros::from_secs(1),
            queue: DelayDistribution::lognormal(300, 800, 3_000),
            voice: DelayDistribution::lognormal(4_000, 8_000, 20_000),
            chat: DelayDistribution::lognormal(2_000, 5_000, 15_000),
            judging: DelayDistribution::lognormal(1_000, 2_500, 10_000),
            unknown_status: DelayDistribution::fixed(500),
            agent_timeout: Micros::from_secs(10),
            silence_timeout: Micros::from_secs(10),
        }
    }
}
