//! How a session is judged as a soak, and where the agent's worker tells how it is.

use serde::{Deserialize, Serialize};

use crate::units::{Percent, PositiveDuration};

/// How a session is judged as a soak.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SoakSettings {
    /// A latency or the agent's memory has to change by this share of where it began.
    pub material: Percent,
    /// Failures have to become this much more, in points.
    pub material_failures: Percent,
    /// The width of a window; none where it follows from the session's length and its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<PositiveDuration>,
}

impl SoakSettings {
    /// Ten percent, two points, and windows as wide as the runs need them.
    pub fn usual() -> Self {
        let share = |fraction| Percent::from_fraction(fraction).unwrap_or_default();
        Self { material: share(0.1), material_failures: share(0.02), window: None }
    }
}

/// Where the agent's worker tells how it is; at least one of the two addresses, both on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentHealthSettings {
    /// The address of livekit-agents' `/worker`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The address of the worker's Prometheus text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// How often it is asked.
    pub every: PositiveDuration,
    /// How long it is watched after the last run.
    pub settle: PositiveDuration,
}
