//! How to judge a session as a soak, and where to read the health of the agent's worker.

use serde::{Deserialize, Serialize};

use crate::units::{Percent, PositiveDuration};

/// How to judge a session as a soak.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SoakSettings {
    /// A change of a latency or of the agent's memory counts from this share of its initial value.
    pub material: Percent,
    /// A rise of the failure rate counts from this many percentage points.
    pub material_failures: Percent,
    /// The width of a window; if `None`, it follows from the session's duration and its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<PositiveDuration>,
}

impl Default for SoakSettings {
    /// 10%, 2 percentage points, and windows as wide as the runs require.
    fn default() -> Self {
        let share = |fraction| Percent::from_fraction(fraction).unwrap_or_default();
        Self { material: share(0.1), material_failures: share(0.02), window: None }
    }
}

/// Where to read the health of the agent's worker; at least one URL, all of them on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentHealthSettings {
    /// The URL of livekit-agents' `/worker`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The URL of the worker's Prometheus metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// The URLs of `/worker` of further workers of the agent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// How often to read it.
    pub every: PositiveDuration,
    /// How long to go on after the last run.
    pub settle: PositiveDuration,
}

/// The most further workers that are asked.
pub(in crate::profile) const MAX_OTHERS: usize = 64;

impl AgentHealthSettings {
    /// Every URL that is asked.
    pub fn urls(&self) -> impl Iterator<Item = &String> {
        [&self.url, &self.metrics].into_iter().flatten().chain(&self.others)
    }
}
