//! The latencies that reports list. A paired session has most of them once per mode.

use crate::fold::{FoldedSession, Latencies, Scope};
use rushhour_core::units::{Metric, Mode};

/// One latency of the measured runs of one mode.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MeasuredLatency<'a> {
    pub(crate) metric: Metric,
    pub(crate) latencies: &'a Latencies,
    /// The mode, if the metric alone does not imply it.
    pub(crate) mode: Option<Mode>,
}

impl MeasuredLatency<'_> {
    /// The metric's name, followed by the mode if the metric does not imply it.
    pub(crate) fn label(&self) -> String {
        match self.mode {
            Some(mode) => format!("{} {mode}", self.metric),
            None => self.metric.to_string(),
        }
    }
}

/// Those of `metrics` that were measured, in the same order.
pub(crate) fn measured_latencies(
    folded: &FoldedSession,
    metrics: impl IntoIterator<Item = Metric>,
) -> Vec<MeasuredLatency<'_>> {
    let session = folded.opening.profile.mode;
    let mut found = Vec::new();
    for metric in metrics {
        for mode in session.modes() {
            let Some(latencies) = folded.latencies.get(metric, *mode, Scope::Measured) else {
                continue;
            };
            let is_ambiguous = session.is_paired() && metric.mode().is_none();
            found.push(MeasuredLatency { metric, latencies, mode: is_ambiguous.then_some(*mode) });
        }
    }
    found
}
