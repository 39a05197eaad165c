//! A running session as metrics: `figures` says which there are, `exposition` writes them for Prometheus.

mod exposition;
mod figures;
mod metric_set;

pub use exposition::MetricsFormat;

use crate::live::LiveFold;

/// The session so far, of which so many runs are forecast, in a format that Prometheus reads.
pub fn session_metrics(live: &LiveFold, forecast: Option<u64>, format: MetricsFormat) -> String {
    exposition::write(figures::figures(live, forecast), format)
}
