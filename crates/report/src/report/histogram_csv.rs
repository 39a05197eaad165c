//! `histogram.csv`: how many samples fell between which values, for plots of one's own.

use std::io::Write;

use super::percentiles_csv::scope_words;
use crate::fold::FoldedSession;

/// Writes one line for each filled bucket, three significant digits wide; bounds are included.
///
/// # Errors
/// Where the writer refuses.
pub fn histogram_csv(folded: &FoldedSession, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record([
        "metric",
        "mode",
        "scope",
        "name",
        "from_us",
        "to_us",
        "count",
        "cumulative",
    ])?;
    for (metric, mode, scope, latencies) in folded.latencies.iter() {
        let (kind, name, _) = scope_words(folded, scope);
        let histogram = latencies.histogram();
        let mut cumulative = 0;
        for bucket in histogram.iter_recorded() {
            let value = bucket.value_iterated_to();
            let count = bucket.count_at_value();
            cumulative += count;
            csv.write_record([
                metric.name(),
                mode.name(),
                kind,
                name,
                &histogram.lowest_equivalent(value).to_string(),
                &histogram.highest_equivalent(value).to_string(),
                &count.to_string(),
                &cumulative.to_string(),
            ])?;
        }
    }
    csv.flush()?;
    Ok(())
}
