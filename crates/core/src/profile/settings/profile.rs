//! The profile as a whole.

use serde::{Deserialize, Serialize};

use super::bill::BillSettings;
use super::caller::CallerSettings;
use super::capacity::CapacitySettings;
use super::evaluator::EvaluatorSettings;
use super::judging::{JudgingSelection, JudgingSettings};
use super::limits::Limits;
use super::livekit::LiveKitSettings;
use super::network::{NetworkConditions, network_of};
use super::notify::NotifySettings;
use super::recording::RecordingSettings;
use super::sandbox::SandboxSettings;
use super::scenario::ScenarioMix;
use super::session_mode::SessionMode;
use super::soak::{AgentHealthSettings, SoakSettings};
use super::stage::Stage;
use super::threshold::Threshold;
use super::voice::SynthesisSettings;
use super::workers::WorkersSettings;
use crate::units::{PairId, RunIndex};

/// A valid profile. [`load`](fn@crate::profile::load) builds it, and rejects settings that are out of
/// range or contradict each other, so that other code need not check them again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Names the session and its folder: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Seeds all random numbers.
    pub seed: u64,
    /// The mode of the conversations.
    pub mode: SessionMode,
    /// The LiveKit server and the agent.
    pub livekit: LiveKitSettings,
    /// Who the caller is, as the agent sees it; empty in journals from before this could be set.
    #[serde(default, skip_serializing_if = "CallerSettings::is_default")]
    pub caller: CallerSettings,
    /// Who talks to the agent.
    pub evaluator: EvaluatorSettings,
    /// The scenarios and their shares.
    pub mix: ScenarioMix,
    /// The load over time; at least one stage.
    pub stages: Vec<Stage>,
    /// Network conditions of native callers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<NetworkConditions>,
    /// Rate limits, timeouts and budgets.
    pub limits: Limits,
    /// What must hold for the session to pass.
    pub thresholds: Vec<Threshold>,
    /// How the embedded stand-ins behave, if the session uses one.
    pub sandbox: SandboxSettings,
    /// What is charged; empty in journals from before bills.
    #[serde(default)]
    pub bill: BillSettings,
    /// How to search for capacity, if the profile says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacitySettings>,
    /// How to judge the session as a soak, if the profile says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<SoakSettings>,
    /// Where to read the health of the agent's worker, if it is to be monitored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_health: Option<AgentHealthSettings>,
    /// Whom to tell of the session's end, if anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<NotifySettings>,
    /// How Cekura judges runs of native callers, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judging: Option<JudgingSettings>,
    /// Which conversations of native callers are recorded, if any are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingSettings>,
    /// The runs of another session that this one judges, if it is a judging session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judges: Option<JudgingSelection>,
    /// The workers that hold the native callers, if they are not in the session's own process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<WorkersSettings>,
    /// What says the words of turns without a clip, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech: Option<SynthesisSettings>,
}

impl Profile {
    /// The number of runs, if the scenarios have copies: one per copy, two in a paired session.
    pub fn runs(&self) -> Option<u64> {
        Some(self.mix.total()? * self.mode.modes().len() as u64)
    }

    /// The position of the network conditions that a run's caller gets, if it gets any.
    pub fn network_of(&self, run: RunIndex, pair: Option<PairId>) -> Option<u32> {
        network_of(&self.networks, self.seed, run, pair)
    }
}
