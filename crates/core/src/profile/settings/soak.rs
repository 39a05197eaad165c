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

/// Where to read the health of the agent's worker: at least one URL on this machine, or a Prometheus server.
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
    /// What to ask of a Prometheus server instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusQueries>,
    /// How often to read it.
    pub every: PositiveDuration,
    /// How long to go on after the last run.
    pub settle: PositiveDuration,
}

/// The most further workers that are asked.
pub(in crate::profile) const MAX_OTHERS: usize = 64;

/// A figure of a worker that a query can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerFigure {
    /// Active jobs.
    Jobs,
    /// Load, as a fraction.
    Load,
    /// Resident memory in bytes.
    Memory,
    /// Child processes.
    Processes,
}

impl WorkerFigure {
    /// Its name, which is that of its query's key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Load => "load",
            Self::Memory => "memory",
            Self::Processes => "processes",
        }
    }
}

/// A Prometheus server that scrapes the agent's workers, and what to ask of it; at least one query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrometheusQueries {
    /// The server's URL.
    pub url: String,
    /// Active jobs, by worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<String>,
    /// Load, by worker, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<String>,
    /// Memory in bytes, by worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Child processes, by worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<String>,
}

impl PrometheusQueries {
    /// Each query, and what it gives.
    pub fn each(&self) -> impl Iterator<Item = (WorkerFigure, &str)> {
        [
            (WorkerFigure::Jobs, &self.jobs),
            (WorkerFigure::Load, &self.load),
            (WorkerFigure::Memory, &self.memory),
            (WorkerFigure::Processes, &self.processes),
        ]
        .into_iter()
        .filter_map(|(figure, query)| Some((figure, query.as_deref()?)))
    }

    /// Where queries are sent to.
    pub fn query_url(&self) -> String {
        format!("{}/api/v1/query", self.url.trim_end_matches('/'))
    }
}

impl AgentHealthSettings {
    /// Every worker's URL that is asked.
    pub fn urls(&self) -> impl Iterator<Item = &String> {
        [&self.url, &self.metrics].into_iter().flatten().chain(&self.others)
    }
}
