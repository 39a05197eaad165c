//! `latency.hlog`: the histograms in the format of the HdrHistogram tools, one line a metric and stage.
//!
//! Format 1.2: <https://github.com/HdrHistogram/HdrHistogram> (`HistogramLogWriter`); values are in
//! microseconds. Lines of measured stages are tagged `mode.metric`, all others `unmeasured.mode.metric`:
//! the lines of one tag together are the session's figures.

use std::io::Write;
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};
use jiff::Timestamp;

use crate::fold::{FoldedSession, Scope};

/// The log could not be written.
#[derive(Debug, thiserror::Error)]
pub enum HlogError {
    /// The writer refused.
    #[error("the histogram log cannot be written: {0}")]
    Io(#[from] std::io::Error),
    /// A histogram could not be encoded.
    #[error("a histogram cannot be encoded: {0}")]
    Encode(String),
}

/// Writes the log.
///
/// # Errors
/// Where the writer refuses.
pub fn hlog(folded: &FoldedSession, mut to: impl Write) -> Result<(), HlogError> {
    let start: Timestamp = folded.opening.anchor.parse().unwrap_or_default();
    let start_time = SystemTime::UNIX_EPOCH
        + Duration::from_millis(u64::try_from(start.as_millisecond()).unwrap_or(0));
    // The library writes neither the format's version nor the legend that the Java tools look for.
    writeln!(to, "#[Logged with Rushhour {}]", folded.opening.rushhour)?;
    writeln!(to, "#[Histogram log format version 1.2]")?;
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder.with_start_time(start_time).with_max_value_divisor(1_000.0);
    {
        // The legend has to follow the comments that the library writes at its beginning.
        builder.begin_log_with(&mut to, &mut serializer)?;
    }
    writeln!(
        to,
        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
    )?;
    let mut silent = IntervalLogWriterBuilder::new();
    silent.with_max_value_divisor(1_000.0);
    let mut log = silent.begin_log_with(&mut to, &mut serializer)?;
    for (metric, mode, scope, latencies) in folded.latencies.iter() {
        let Scope::Stage(stage) = scope else { continue };
        let name = format!("{}.{}", mode.name(), metric.name());
        let name =
            if folded.names.is_measured(stage) { name } else { format!("unmeasured.{name}") };
        let length = Duration::from_micros(folded.last_event.0);
        log.write_histogram(latencies.histogram(), Duration::ZERO, length, Tag::new(&name))
            .map_err(|error| match error {
                IntervalLogWriterError::SerializeError(error) => {
                    HlogError::Encode(error.to_string())
                }
                IntervalLogWriterError::IoError(error) => HlogError::Io(error),
            })?;
    }
    Ok(())
}
