//! `histogram.csv`: the latency histograms, for your own plots.

use std::io::Write;

use crate::fold::FoldedSession;
use crate::render::csv::write_record;
use crate::session::scope_of;

/// Writes one line per filled bucket of three significant digits. Both bounds are inclusive.
///
/// # Errors
/// If writing fails.
pub fn histogram_csv(folded: &FoldedSession, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    write_record(
        &mut csv,
        ["metric", "mode", "scope", "name", "from_us", "to_us", "count", "cumulative"],
    )?;
    for (metric, mode, scope, latencies) in folded.latencies.iter() {
        let part = scope_of(folded, scope);
        let histogram = latencies.histogram();
        let mut cumulative = 0;
        for bucket in histogram.iter_recorded() {
            let value = bucket.value_iterated_to();
            let count = bucket.count_at_value();
            cumulative += count;
            write_record(
                &mut csv,
                [
                    metric.name(),
                    mode.name(),
                    part.kind,
                    part.name,
                    &histogram.lowest_equivalent(value).to_string(),
                    &histogram.highest_equivalent(value).to_string(),
                    &count.to_string(),
                    &cumulative.to_string(),
                ],
            )?;
        }
    }
    csv.flush()?;
    Ok(())
}
