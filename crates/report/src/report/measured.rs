//! Latencies of measured runs as reports list them: a paired session has most of them once for each mode.

use crate::fold::{FoldedSession, Latencies, Scope};
use rushhour_core::units::{Metric, Mode};

/// One latency of the measured runs of one mode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured<'a> {
    pub(super) metric: Metric,
    pub(super) latencies: &'a Latencies,
    /// The mode, where the metric alone does not tell it.
    pub(super) mode: Option<Mode>,
}

impl Measured<'_> {
    /// Its name, and its mode where that has to be said.
    pub(super) fn label(&self) -> String {
        match self.mode {
            Some(mode) => format!("{} {mode}", self.metric),
            None => self.metric.to_string(),
        }
    }
}

/// Those of some metrics that were measured, in the order of the metrics.
pub(super) fn measured(
    folded: &FoldedSession,
    metrics: impl IntoIterator<Item = Metric>,
) -> Vec<Measured<'_>> {
    let session = folded.opening.profile.mode;
    let mut found = Vec::new();
    for metric in metrics {
        for mode in session.modes() {
            let Some(latencies) = folded.latencies.get(metric, *mode, Scope::Measured) else {
                continue;
            };
            let says_mode = session.is_paired() && metric.mode().is_none();
            found.push(Measured { metric, latencies, mode: says_mode.then_some(*mode) });
        }
    }
    found
}
