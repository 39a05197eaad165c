//! A running session as metrics: `figures` says which there are, `exposition` writes them for Prometheus, `otlp` for
//! whoever takes OTLP.

mod exposition;
mod figures;
mod metric_set;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
mod otlp_answer;

pub use exposition::MetricsFormat;
#[cfg(feature = "otlp")]
pub use otlp::OtlpEncoding;
#[cfg(feature = "otlp")]
pub use otlp_answer::rejected_points;

use crate::live::LiveFold;

/// The session so far, of which so many runs are forecast, in a format that Prometheus reads.
pub fn session_metrics(live: &LiveFold, forecast: Option<u64>, format: MetricsFormat) -> String {
    exposition::write(figures::figures(live, forecast), format)
}

/// The session so far as the body of a request of OTLP, with attributes of its resource and the time in nanoseconds since
/// the Unix epoch; `None` before the session's first event.
#[cfg(feature = "otlp")]
pub fn session_otlp(
    live: &LiveFold,
    forecast: Option<u64>,
    attributes: &[(String, String)],
    now: u64,
    encoding: OtlpEncoding,
) -> Option<Vec<u8>> {
    let opening = &live.so_far()?.opening;
    // One without a readable beginning has its figures without one.
    let began = opening.anchor.parse::<jiff::Timestamp>().ok();
    let start = began.and_then(|at| u64::try_from(at.as_nanosecond()).ok()).unwrap_or(0);
    // The wall clock may have been set back since.
    let start = start.min(now);
    // Two sessions are two instances: a counter of the second one that is lower has not been reset.
    let instance = ("service.instance.id".to_owned(), opening.session.as_str().to_owned());
    let has_instance = attributes.iter().any(|(key, _)| *key == instance.0);
    let own = (!has_instance).then_some(instance);
    let attributes = attributes.iter().cloned().chain(own).collect();
    let interval = otlp::Interval { start, now };
    Some(otlp::write(figures::figures(live, forecast), attributes, interval, encoding))
}
