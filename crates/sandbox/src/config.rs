//! What a sandbox is made of: credentials, who is known, how long things take, what goes wrong.

use std::collections::BTreeSet;

use rushhour_core::units::{AgentName, Micros, Secret};

use super::faults::Faults;
use super::truth_log::TruthLog;
use rushhour_core::rng::DelayDistribution;

/// Everything that decides how a sandbox behaves; with the same configuration it answers the same.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// The source of all drawn times and faults.
    pub seed: u64,
    /// LiveKit's API key.
    pub api_key: String,
    /// The secret that signs LiveKit's tokens.
    pub api_secret: Secret,
    /// Cekura's API key, expected in `X-CEKURA-API-KEY`.
    pub cekura_key: Secret,
    /// In whose rooms the evaluator meets the agents.
    pub rooms: RoomOwnership,
    /// Which agents have a worker.
    pub workers: WorkerPool,
    /// Whether agents take `text_mode` of the dispatch metadata to heart, as Cekura's tracer makes
    /// them: chat with one that was not told `true` stays silent, and so does voice with one that was.
    pub text_mode: bool,
    /// Scenario ids that exist; `None` for every number.
    pub scenarios: Option<BTreeSet<u64>>,
    /// What the Cekura account allows.
    pub plan: CekuraPlan,
    /// How long things take.
    pub times: SandboxTimes,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// How far its wall clock is ahead of the machine's, in seconds; behind where negative.
    pub clock_offset_s: i64,
    /// For how long ended runs and closed rooms are remembered; their counts are for ever.
    pub kept: Micros,
    /// Where the truth is written.
    pub truth_log: TruthLog,
}

impl SandboxConfig {
    /// The default API key for LiveKit.
    pub const API_KEY: &str = "sandbox";
    /// The default API secret for LiveKit; it opens nothing but sandboxes.
    pub const API_SECRET: &str = "sandbox-secret-of-at-least-32-characters";
    /// The default API key for Cekura; it opens nothing but sandboxes.
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
            kept: Micros::from_secs(600),
            truth_log: TruthLog::Off,
        }
    }
}

/// In whose rooms the evaluator meets the agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomOwnership {
    /// In the sandbox's: any other `livekit_room_url` cannot be reached.
    Own,
    /// In those of a real LiveKit server with the same key and secret: tokens are checked, the room and
    /// its agent are taken on trust.
    Elsewhere,
}

/// Which agents have a worker; a dispatch of any other is accepted and never becomes a job.
///
/// The nameless agent is dispatched by itself into every room that is made without a list of agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerPool {
    /// Those with these names.
    Only(BTreeSet<AgentName>),
    /// All but those with these names.
    AllBut(BTreeSet<AgentName>),
}

impl WorkerPool {
    /// The name that this tool lists in a room so that a server launches no nameless job; nobody has it.
    pub const PLACEHOLDER: &str = "rushhour-placeholder";

    /// Whether the agent of this name has a worker.
    pub(crate) fn have(&self, agent: &AgentName) -> bool {
        match self {
            Self::Only(names) => names.contains(agent),
            Self::AllBut(names) => !names.contains(agent),
        }
    }
}

impl Default for WorkerPool {
    /// All but the nameless one and the placeholder.
    fn default() -> Self {
        Self::AllBut(["", Self::PLACEHOLDER].map(AgentName::new).into())
    }
}

/// What the Cekura account allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CekuraPlan {
    /// Voice runs at the same time; those above wait in the queue.
    pub voice_runs: u32,
    /// Chat runs at the same time; those above wait in the queue.
    pub chat_runs: u32,
    /// What the key may see.
    pub key: KeyScope,
}

impl Default for CekuraPlan {
    fn default() -> Self {
        Self { voice_runs: 2_000, chat_runs: 2_000, key: KeyScope::Organization }
    }
}

/// What a Cekura key may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyScope {
    /// The organization's billing too.
    Organization,
    /// One project; billing is answered with 403.
    Project,
}

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SandboxTimes {
    /// On LiveKit's side.
    pub livekit: LivekitTimes,
    /// On Cekura's side.
    pub cekura: CekuraTimes,
}

/// How long things take on LiveKit's side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LivekitTimes {
    /// Answering a room call.
    pub room_call: DelayDistribution,
    /// Answering a dispatch call.
    pub dispatch_call: DelayDistribution,
    /// From a dispatch to a job; a real server takes 200 ms at the least.
    pub assignment: DelayDistribution,
    /// From a job to its agent in the room.
    pub join: DelayDistribution,
    /// From the agent in the room to its state `listening`.
    pub listening: DelayDistribution,
    /// What a slow room call takes on top.
    pub slow: DelayDistribution,
    /// What a late agent takes on top.
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

/// How long things take on Cekura's side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CekuraTimes {
    /// Answering a submission.
    pub submit: DelayDistribution,
    /// What a slow submission takes on top.
    pub submit_slow: DelayDistribution,
    /// Answering any other request.
    pub poll: DelayDistribution,
    /// What a slow poll takes on top.
    pub poll_slow: DelayDistribution,
    /// What a refusal with 429 asks the client to wait; in a header rounded up to whole seconds.
    pub retry_after: Micros,
    /// From an accepted run to its wish to start; waiting for a free place comes on top.
    pub queue: DelayDistribution,
    /// A voice conversation.
    pub voice: DelayDistribution,
    /// A chat conversation.
    pub chat: DelayDistribution,
    /// From the conversation's end to the verdict.
    pub judging: DelayDistribution,
    /// How long the undocumented status lasts.
    pub undocumented: DelayDistribution,
    /// How long the evaluator waits in a room for an agent.
    pub patience: Micros,
    /// How long the evaluator bears with an agent that says nothing.
    pub silence: Micros,
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
            undocumented: DelayDistribution::fixed(500),
            patience: Micros::from_secs(10),
            silence: Micros::from_secs(10),
        }
    }
}
