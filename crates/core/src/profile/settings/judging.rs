//! How Cekura judges runs of native callers, and which runs are selected.

use serde::{Deserialize, Serialize};

use super::bill::BillSettings;
use super::evaluator::CekuraSettings;
use crate::units::{Percent, PositiveDuration, Rate, RunIndex, SessionId, Usd};

/// How runs of native callers are judged: Cekura reruns a seeded sample of them, and the failures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgingSettings {
    /// The service, or the embedded stand-in for it.
    pub cekura: CekuraSettings,
    /// The share of runs in the random sample.
    pub sample: Percent,
    /// Whether to judge every failure that can be rerun.
    pub failures: bool,
    /// The most runs to judge, at least 1.
    pub most: u32,
    /// Submissions to the service.
    pub requests: Rate,
    /// Judged runs in flight at once, at least 1.
    pub in_flight: u32,
    /// How long a judged run may take from its acceptance to its end.
    pub run_timeout: PositiveDuration,
    /// The most that the judging may cost at list prices; above zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Usd>,
    /// What a judged run is charged for.
    pub bill: BillSettings,
}

/// The native callers' verdict on a run that can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallersVerdict {
    /// The conversation was completed, and matched what the script expects.
    Passed,
    /// The agent failed it.
    Failed,
}

impl CallersVerdict {
    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

/// A run that can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgingCandidate {
    /// The run.
    pub run: RunIndex,
    /// Its scenario's position in the profile.
    pub scenario: u32,
    /// The native callers' verdict on it.
    pub verdict: CallersVerdict,
}

/// A run that is selected for judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedRun {
    /// The native callers' run.
    pub run: RunIndex,
    /// Their verdict on it.
    pub verdict: CallersVerdict,
}

/// The selected runs of one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedScenario {
    /// The scenario's position in the profile of the session that is judged.
    pub scenario: u32,
    /// The runs, in random order; the position of a run is its copy in the judging session.
    pub runs: Vec<SelectedRun>,
}

/// The runs of a session that are selected for judging, and the totals that they were drawn from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgingSelection {
    /// The session that is judged.
    pub session: SessionId,
    /// Its measured runs that passed, selected or not.
    pub passed: u64,
    /// Its measured runs that the agent failed, selected or not.
    pub failed: u64,
    /// Its measured runs that say nothing about the conversation: generator faults, rejected keys, cancelled runs.
    #[serde(rename = "apart")]
    pub excluded: u64,
    /// The selected runs, in the order of the judging session's scenarios; none is empty.
    #[serde(rename = "chosen")]
    pub scenarios: Vec<SelectedScenario>,
}

impl JudgingSelection {
    /// The number of selected runs.
    pub fn count(&self) -> u64 {
        self.scenarios.iter().map(|scenario| scenario.runs.len() as u64).sum()
    }

    /// The run that this copy of a scenario of the judging session reruns; the scenario by its position.
    pub fn selected_run(&self, scenario: u32, copy: u32) -> Option<SelectedRun> {
        self.scenarios.get(scenario as usize)?.runs.get(copy as usize).copied()
    }
}
