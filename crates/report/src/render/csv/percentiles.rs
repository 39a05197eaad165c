//! `percentiles.csv`: every latency in every part of the session, one percentile per line.

use std::io::Write;

use crate::fold::{FoldedSession, Latencies};
use crate::render::csv::write_record;
use crate::session::{
    PercentileFigure, ReachedFigure, WithUnfinished, listed_percentiles, scope_of,
};
use rushhour_core::units::{Micros, Percentile};

const HEADER: [&str; 17] = [
    "metric",
    "mode",
    "scope",
    "name",
    "measured",
    "n",
    "percentile",
    "value_us",
    "low_us",
    "high_us",
    "coarsest_us",
    "note",
    "unfinished",
    "with_unfinished_us",
    "with_unfinished_low_us",
    "with_unfinished_high_us",
    "with_unfinished_note",
];

/// Writes one line per percentile. If there are too few samples, `value_us` is `n/a`, which pandas reads as missing,
/// and `note` says how many are needed. `with_unfinished_us` counts runs that were cut off as longer than the time
/// observed (Kaplan-Meier); `unfinished` is their number.
///
/// # Errors
/// If writing fails.
pub fn percentiles_csv(folded: &FoldedSession, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    write_record(&mut csv, HEADER)?;
    for (metric, mode, scope, latencies) in folded.latencies.iter() {
        let part = scope_of(folded, scope);
        let unfinished = folded.unfinished.get(metric, mode, scope);
        let censored = WithUnfinished::new(latencies, unfinished);
        for line in lines(latencies) {
            let [count, value, low, high, note] =
                unfinished_cells(censored.as_ref(), line.percentile);
            write_record(
                &mut csv,
                [
                    metric.name(),
                    mode.name(),
                    part.kind,
                    part.name,
                    if part.is_measured { "true" } else { "false" },
                    &latencies.count().to_string(),
                    &line.name,
                    &line.value,
                    &line.low,
                    &line.high,
                    &latencies.widest_bounds().0.to_string(),
                    &line.note,
                    &count,
                    &value,
                    &low,
                    &high,
                    &note,
                ],
            )?;
        }
    }
    csv.flush()?;
    Ok(())
}

/// One line of a latency.
#[derive(Default)]
struct Line {
    name: String,
    /// `None` for minimum, maximum and mean.
    percentile: Option<Percentile>,
    value: String,
    low: String,
    high: String,
    note: String,
}

fn lines(latencies: &Latencies) -> Vec<Line> {
    let single =
        |name: &str, value: String| Line { name: name.to_owned(), value, ..Line::default() };
    let percentile = |(percentile, figure): (Percentile, PercentileFigure)| {
        let ([value, low, high], note) = match figure {
            PercentileFigure::Known { value, low, high } => {
                ([value, low, high].map(|micros| micros.0.to_string()), String::new())
            }
            PercentileFigure::TooFew { n, needs } => {
                (["n/a"; 3].map(str::to_owned), format!("n={n}, needs {needs} for a 95 % interval"))
            }
        };
        let name = percentile.to_string();
        Line { name, percentile: Some(percentile), value, low, high, note }
    };
    let mut lines = vec![single("min", latencies.min().0.to_string())];
    lines.extend(listed_percentiles(latencies).into_iter().map(percentile));
    lines.push(single("max", latencies.max().0.to_string()));
    lines.push(single("mean", format!("{:.1}", latencies.mean())));
    lines
}

/// The number of unfinished runs, then the percentile that counts them as longer: value, interval and note.
fn unfinished_cells(
    censored: Option<&WithUnfinished>,
    percentile: Option<Percentile>,
) -> [String; 5] {
    let Some(censored) = censored else { return ["0", "", "", "", ""].map(str::to_owned) };
    let count = censored.unfinished().to_string();
    let Some(percentile) = percentile else {
        return [&count, "", "", "", ""].map(str::to_owned);
    };
    let cell = |time: Option<Micros>| time.map_or("n/a".to_owned(), |time| time.0.to_string());
    match censored.figure(percentile) {
        ReachedFigure::Known { value, low, high, observed_until } => {
            let note = if value.is_none() || high.is_none() {
                format!("not reached by {} us", observed_until.0)
            } else {
                String::new()
            };
            [count, cell(value), cell(low), cell(high), note]
        }
        ReachedFigure::TooFew { n, needs } => {
            let [value, low, high] = ["n/a"; 3].map(str::to_owned);
            [count, value, low, high, format!("n={n}, needs {needs}")]
        }
    }
}
