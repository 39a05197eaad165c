//! A profile that is valid by construction: every setting decided, every contradiction refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::capacity::CapacitySettings;
use super::judging::{JudgingSelection, JudgingSettings};
use super::prices::{PriceItem, Prices};
use super::raw::{RawArrivals, RawDispatch, RawMode, RawWhenFull};
use super::script::Script;
use super::soak_settings::{AgentHealthSettings, SoakSettings};
use super::threshold::Threshold;
use crate::units::{AgentName, Mode, Percent, PositiveDuration, Rate, ScenarioId, Usd};

/// How the conversations of a session are held.
pub type SessionMode = RawMode;

impl SessionMode {
    /// The modes that its runs have.
    pub const fn modes(self) -> &'static [Mode] {
        match self {
            Self::Voice => &[Mode::Voice],
            Self::Chat => &[Mode::Chat],
            Self::Paired => &Mode::ALL,
        }
    }

    /// A mode that some of its runs have.
    pub const fn any(self) -> Mode {
        match self {
            Self::Voice | Self::Paired => Mode::Voice,
            Self::Chat => Mode::Chat,
        }
    }

    /// Whether each conversation is held in both modes.
    pub const fn is_paired(self) -> bool {
        matches!(self, Self::Paired)
    }
}

impl From<Mode> for SessionMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Voice => Self::Voice,
            Mode::Chat => Self::Chat,
        }
    }
}

/// How starts are spaced.
pub type Arrivals = RawArrivals;
/// What happens to a start that finds no place in flight.
pub type WhenFull = RawWhenFull;
/// How the agent is dispatched.
pub type DispatchMethod = RawDispatch;

/// What is wanted of a session. Built only by [`super::load`], so that no other room meets a setting that cannot be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Names the session and its folder: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Seeds everything random.
    pub seed: u64,
    /// How the conversations are held.
    pub mode: SessionMode,
    /// Where the rooms are and how the agent gets into them.
    pub livekit: LiveKitSettings,
    /// Who talks to the agent.
    pub evaluator: EvaluatorSettings,
    /// What is talked about, and in which shares.
    pub mix: ScenarioMix,
    /// The load over time; at least one stage.
    pub stages: Vec<Stage>,
    /// What must not be exceeded.
    pub limits: Limits,
    /// What has to hold for the session to pass.
    pub thresholds: Vec<Threshold>,
    /// How the embedded stand-ins behave, where either is used.
    pub sandbox: SandboxSettings,
    /// What is charged; nothing in journals that are older than bills.
    #[serde(default)]
    pub bill: BillSettings,
    /// How capacity is searched for, where the profile says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacitySettings>,
    /// How it is judged as a soak, where the profile says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<SoakSettings>,
    /// Where the agent's worker tells how it is, where that is to be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_health: Option<AgentHealthSettings>,
    /// How runs of our own callers are judged by Cekura, where that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judging: Option<JudgingSettings>,
    /// The runs of another session that this one judges, where it is a judging session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judges: Option<JudgingSelection>,
}

impl Profile {
    /// How many runs there are in all, where the scenarios say so: a copy is one, and a pair in a paired
    /// session.
    pub fn runs(&self) -> Option<u64> {
        Some(self.mix.total()? * self.mode.modes().len() as u64)
    }
}

/// A LiveKit server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveKitTarget {
    /// The embedded stand-in.
    Sandbox,
    /// A server's address, `ws://` or `wss://`.
    Url(String),
}

/// Where the rooms are and how the agent gets into them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveKitSettings {
    /// The server.
    pub target: LiveKitTarget,
    /// How the agent is dispatched, and which.
    pub dispatch: AgentDispatch,
    /// The user's own keys of the dispatch metadata.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// How an agent is told to hold a chat.
    pub text_mode: TextMode,
    /// Every room's name begins with it.
    pub room_prefix: String,
    /// Whether an agent must be seen in the room before the evaluator is asked to call.
    pub wait_for_agent: bool,
    /// An agent that joins later than this is late.
    pub agent_within: PositiveDuration,
    /// An agent that has not joined by then is given up; not before `agent_within`.
    pub give_up_after: PositiveDuration,
    /// A file with the API key, relative to the profile.
    pub key_file: Option<String>,
    /// A file with the API secret, relative to the profile.
    pub secret_file: Option<String>,
}

/// How the agent is dispatched, and which one where that has to be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum AgentDispatch {
    /// CreateDispatch into a room that was created with an agents list.
    Explicit {
        /// The agent's name.
        agent: AgentName,
    },
    /// CreateDispatch into a room that was created without one.
    ExplicitFresh {
        /// The agent's name.
        agent: AgentName,
    },
    /// The room is created with the agent in its configuration.
    Room {
        /// The agent's name.
        agent: AgentName,
    },
    /// The evaluator's token carries the agent; the room is made by its join.
    Token {
        /// The agent's name.
        agent: AgentName,
    },
    /// Automatic dispatch, not ours.
    None,
}

impl AgentDispatch {
    /// The method without the agent.
    pub const fn method(&self) -> DispatchMethod {
        match self {
            Self::Explicit { .. } => DispatchMethod::Explicit,
            Self::ExplicitFresh { .. } => DispatchMethod::ExplicitFresh,
            Self::Room { .. } => DispatchMethod::Room,
            Self::Token { .. } => DispatchMethod::Token,
            Self::None => DispatchMethod::None,
        }
    }

    /// The agent's name, where there is one.
    pub const fn agent(&self) -> Option<&AgentName> {
        match self {
            Self::Explicit { agent }
            | Self::ExplicitFresh { agent }
            | Self::Room { agent }
            | Self::Token { agent } => Some(agent),
            Self::None => None,
        }
    }
}

/// How an agent is told, in the dispatch metadata, to hold a chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextMode {
    /// The key.
    pub key: String,
    /// Its value in chat; the key is absent where there is none.
    pub chat: Option<serde_json::Value>,
    /// Its value in voice; the key is absent where there is none.
    pub voice: Option<serde_json::Value>,
}

/// Which evaluator, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EvaluatorSettings {
    /// Cekura's service, or the embedded stand-in for it.
    Cekura(CekuraSettings),
    /// Callers of our own.
    Native(NativeSettings),
}

impl EvaluatorSettings {
    /// The settings of Cekura's service, where it is the evaluator.
    pub const fn cekura(&self) -> Option<&CekuraSettings> {
        match self {
            Self::Cekura(settings) => Some(settings),
            Self::Native(_) => None,
        }
    }
}

/// How callers of our own behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeSettings {
    /// How long a caller may take into the room.
    pub join_within: PositiveDuration,
    /// How long after joining the agent may take until it listens.
    pub ready_within: PositiveDuration,
    /// How long the agent has to be silent before a caller goes on.
    pub quiet: PositiveDuration,
}

/// How Cekura's service is spoken to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CekuraSettings {
    /// The service's base address; none for the embedded stand-in.
    pub url: Option<String>,
    /// A file with the key, relative to the profile.
    pub key_file: Option<String>,
    /// Entries that share one request, at least 1.
    pub entries_per_request: u32,
    /// How long a request waits to be filled.
    pub fill_within: PositiveDuration,
    /// Cekura's agent, where its scenarios have none.
    pub agent: Option<u64>,
    /// A data message for the evaluator to publish.
    pub publish_data_message: Option<serde_json::Map<String, serde_json::Value>>,
    /// How often a run that may be over is asked after.
    pub poll_every: PositiveDuration,
    /// The path that starts voice runs.
    pub voice_path: String,
    /// The path that starts chat runs.
    pub chat_path: String,
    /// The path that tells the state of runs.
    pub runs_path: String,
    /// The path that ends one run, with `{id}`.
    pub end_call_path: String,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its name at the evaluator.
    pub id: ScenarioId,
    /// How it is called in reports.
    pub name: String,
    /// How long its conversation is expected to last.
    pub lasts: PositiveDuration,
    /// The same of the written conversation of a paired session, where it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_lasts: Option<PositiveDuration>,
    /// What our own callers say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    /// The scenario at Cekura that stands for it where its runs are judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cekura: Option<ScenarioId>,
}

impl Scenario {
    /// How long its conversation is expected to last in a mode.
    pub fn lasts_in(&self, mode: Mode) -> PositiveDuration {
        match mode {
            Mode::Voice => self.lasts,
            Mode::Chat => self.chat_lasts.unwrap_or(self.lasts),
        }
    }
}

/// Which scenarios are run, and in which shares; at least one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioMix {
    /// Each a number of times, together the whole session.
    Copies(Vec<(Scenario, u32)>),
    /// Each in proportion to its weight, for as long as the stages last.
    Weights(Vec<(Scenario, f64)>),
}

impl ScenarioMix {
    /// The scenarios in the order of the profile.
    pub fn scenarios(&self) -> Vec<&Scenario> {
        match self {
            Self::Copies(list) => list.iter().map(|(scenario, _)| scenario).collect(),
            Self::Weights(list) => list.iter().map(|(scenario, _)| scenario).collect(),
        }
    }

    /// How many copies there are in all, where the scenarios say so.
    pub fn total(&self) -> Option<u64> {
        match self {
            Self::Copies(list) => Some(list.iter().map(|(_, copies)| u64::from(*copies)).sum()),
            Self::Weights(_) => None,
        }
    }

    /// The mean expected length of a conversation, weighted by share and over the modes, in seconds.
    pub fn mean_seconds(&self, mode: SessionMode) -> f64 {
        let modes = mode.modes();
        let seconds = |scenario: &Scenario| {
            let each = modes.iter().map(|mode| scenario.lasts_in(*mode).micros().as_secs_f64());
            each.sum::<f64>() / modes.len() as f64
        };
        let weighted: Vec<(f64, f64)> = match self {
            Self::Copies(list) => list.iter().map(|(s, n)| (seconds(s), f64::from(*n))).collect(),
            Self::Weights(list) => list.iter().map(|(s, w)| (seconds(s), *w)).collect(),
        };
        let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
        weighted.iter().map(|(seconds, weight)| seconds * weight).sum::<f64>() / total
    }
}

/// A stretch of time with one kind of load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// How it is called in reports; no two alike.
    pub name: String,
    /// Whether its runs count in the figures.
    pub measured: bool,
    /// The load.
    pub load: StageLoad,
    /// How long it lasts; none where it lasts until the copies are used up.
    pub lasts: Option<PositiveDuration>,
}

/// One kind of load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageLoad {
    /// Starts at a rate, whatever becomes of the runs before.
    Open {
        /// The rate over the stage.
        curve: ArrivalRate,
        /// How the starts are spaced.
        arrivals: Arrivals,
    },
    /// A number of runs held in flight, those of earlier stages among them: each that ends is followed by the next.
    Hold {
        /// How many, at least 1.
        in_flight: u32,
        /// How fast the number is reached; at once where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ramp: Option<Rate>,
    },
    /// A number of runs at the same instant.
    Burst {
        /// How many, at least 1.
        runs: u32,
    },
}

/// Starts per time over a stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalRate {
    /// One rate throughout.
    Constant(Rate),
    /// A straight line from one rate to another.
    Ramp {
        /// At the beginning.
        from: Rate,
        /// At the end.
        to: Rate,
    },
    /// Equal stretches, each at its own rate, evenly spaced from one rate to another.
    Steps {
        /// In the first stretch.
        from: Rate,
        /// In the last stretch.
        to: Rate,
        /// How many stretches, at least 2.
        steps: u32,
    },
}

/// What must not be exceeded, and how long anything may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Submissions to the evaluator.
    pub requests: Rate,
    /// Questions about the state of runs.
    pub polls: Rate,
    /// Looks into rooms for the agent.
    pub looks: Rate,
    /// Runs in flight at once, at least 1.
    pub in_flight: u32,
    /// What happens to a start that finds no place in flight.
    pub when_full: WhenFull,
    /// How often a submission that was certainly not accepted is sent, at least 1.
    pub attempts: u32,
    /// How long one request to LiveKit may take.
    pub livekit_timeout: PositiveDuration,
    /// How long one submission may take.
    pub submit_timeout: PositiveDuration,
    /// How long one question about the state of runs may take.
    pub poll_timeout: PositiveDuration,
    /// How long a run may take from its acceptance to its end.
    pub run_timeout: PositiveDuration,
    /// How long the room of a submission that may have been accepted is watched for the evaluator.
    pub watch_unknown: PositiveDuration,
    /// How long a stopped session waits for the runs under way.
    pub drain: PositiveDuration,
    /// What the session may cost at list prices; more than nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Usd>,
    /// Runs that may be started, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_runs: Option<u64>,
    /// Minutes of conversation that may be held over all runs, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_minutes: Option<u64>,
}

/// What is charged, and how much of it a conversation is taken to need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillSettings {
    /// The prices.
    pub prices: Prices,
    /// What a run of this profile is charged for; each has a price.
    pub charged: Vec<PriceItem>,
    /// Whether both sides are stand-ins: the bill is what it would come to, and nothing is charged.
    pub rehearsal: bool,
    /// Above this forecast it is asked first.
    pub ask_above: Usd,
    /// Messages that the evaluator writes in a conversation, where it does not say.
    pub messages: u32,
    /// The most that it may write; not below `messages`.
    pub most_messages: u32,
    /// Metrics by which the evaluator judges a conversation, as far as it charges them.
    pub metrics: u32,
}

/// A random length of time, lognormal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyModel {
    /// Half of them are shorter.
    pub median: PositiveDuration,
    /// One in twenty is longer; not below the median.
    pub p95: PositiveDuration,
}

/// How the embedded stand-ins behave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SandboxSettings {
    /// From the dispatch to the agent in the room.
    pub agent_join: LatencyModel,
    /// From a submission to its answer.
    pub submission: LatencyModel,
    /// From the answer to the conversation's start.
    pub queue: LatencyModel,
    /// How long a conversation lasts.
    pub conversation: LatencyModel,
    /// How long the judging after it takes.
    pub judging: LatencyModel,
    /// How much later a held-up agent is.
    pub late_by: PositiveDuration,
    /// Conversations at once; more are queued.
    pub concurrency: u32,
    /// How often each fault happens, by its name.
    pub faults: BTreeMap<String, Percent>,
}
