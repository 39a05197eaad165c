//! Scenarios and their shares.

use serde::{Deserialize, Serialize};

use super::script::Script;
use super::session_mode::SessionMode;
use super::voice::VoiceConditions;
use crate::units::{Mode, PositiveDuration, ScenarioId};

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its id at the evaluator.
    pub id: ScenarioId,
    /// Its name in reports.
    pub name: String,
    /// Its expected duration.
    pub lasts: PositiveDuration,
    /// Its expected duration in the chat run of a paired session, if that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_lasts: Option<PositiveDuration>,
    /// What a native caller says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    /// The matching scenario at Cekura, if Cekura judges its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cekura: Option<ScenarioId>,
    /// How its callers sound, if not as their clips.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<VoiceConditions>,
}

impl Scenario {
    /// Its expected duration in a mode.
    pub(crate) fn lasts_in(&self, mode: Mode) -> PositiveDuration {
        match mode {
            Mode::Voice => self.lasts,
            Mode::Chat => self.chat_lasts.unwrap_or(self.lasts),
        }
    }
}

/// The scenarios and their shares; at least one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioMix {
    /// A number of runs for each; the session ends when all have run.
    Copies(Vec<(Scenario, u32)>),
    /// A weight for each, for as long as the stages last.
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

    /// The share of each scenario in the order of the profile: its copies or its weight.
    pub(crate) fn shares(&self) -> Vec<f64> {
        match self {
            Self::Copies(list) => list.iter().map(|(_, copies)| f64::from(*copies)).collect(),
            Self::Weights(list) => list.iter().map(|(_, weight)| *weight).collect(),
        }
    }

    /// The number of copies of all scenarios, if they have copies.
    pub fn total(&self) -> Option<u64> {
        match self {
            Self::Copies(list) => Some(list.iter().map(|(_, copies)| u64::from(*copies)).sum()),
            Self::Weights(_) => None,
        }
    }

    /// The mean expected duration of a conversation, weighted by share, in seconds.
    pub fn mean_seconds(&self, mode: SessionMode) -> f64 {
        let modes = mode.modes();
        let seconds = |scenario: &Scenario| {
            let each = modes.iter().map(|mode| scenario.lasts_in(*mode).micros().as_secs_f64());
            each.sum::<f64>() / modes.len() as f64
        };
        let (scenarios, shares) = (self.scenarios(), self.shares());
        let total: f64 = shares.iter().sum();
        scenarios.into_iter().zip(shares).map(|(one, share)| seconds(one) * share).sum::<f64>()
            / total
    }
}
