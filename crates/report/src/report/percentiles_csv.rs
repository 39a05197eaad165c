//! `percentiles.csv`: every latency in every part of the session, one percentile a line.

use std::io::Write;

use super::figures::{PercentileFigure, listed};
use super::unfinished::{ReachedFigure, WithUnfinished};
use crate::fold::{FoldedSession, Latencies, Scope};
use rushhour_core::units::{Micros, Percentile};

/// Writes one line for each percentile. `value_us` is `n/a` where there are too few samples, and `note`
/// says how many it takes; pandas reads that as missing. `with_unfinished_us` counts runs that were cut
/// off as longer than what was seen of them (Kaplan and Meier), `unfinished` is how many these were.
///
/// # Errors
/// Where the writer refuses.
pub fn percentiles_csv(folded: &FoldedSession, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record([
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
    ])?;
    for (metric, mode, scope, latencies) in folded.latencies.iter() {
        let (kind, name, measured) = scope_words(folded, scope);
        let unfinished = folded.unfinished.get(metric, mode, scope);
        let with_unfinished = WithUnfinished::new(latencies, unfinished);
        for (percentile, [value, low, high], note) in lines(latencies) {
            let [count, cut, cut_low, cut_high, cut_note] =
                unfinished_words(with_unfinished.as_ref(), &percentile);
            csv.write_record([
                metric.name(),
                mode.name(),
                kind,
                name,
                if measured { "true" } else { "false" },
                &latencies.count().to_string(),
                &percentile,
                &value,
                &low,
                &high,
                &latencies.widest_bounds().0.to_string(),
                &note,
                &count,
                &cut,
                &cut_low,
                &cut_high,
                &cut_note,
            ])?;
        }
    }
    csv.flush()?;
    Ok(())
}

type Line = (String, [String; 3], String);

fn lines(latencies: &Latencies) -> Vec<Line> {
    let extreme = |name: &str, value: String| {
        (name.to_owned(), [value, String::new(), String::new()], String::new())
    };
    let mut lines = vec![extreme("min", latencies.min().0.to_string())];
    for listed in listed(latencies) {
        let name = listed.percentile.to_string();
        lines.push(match listed.figure {
            PercentileFigure::Known { value, low, high } => {
                (name, [value, low, high].map(|micros| micros.0.to_string()), String::new())
            }
            PercentileFigure::TooFew { n, needs } => (
                name,
                ["n/a"; 3].map(str::to_owned),
                format!("n={n}, needs {needs} for a 95 % interval"),
            ),
        });
    }
    lines.push(extreme("max", latencies.max().0.to_string()));
    lines.push(extreme("mean", format!("{:.1}", latencies.mean())));
    lines
}

/// The same percentile with unfinished runs counted as longer; empty where nothing was cut off.
fn unfinished_words(with: Option<&WithUnfinished>, percentile: &str) -> [String; 5] {
    let Some(with) = with else { return ["0", "", "", "", ""].map(str::to_owned) };
    let count = with.unfinished().to_string();
    let Ok(percentile) = percentile.parse::<Percentile>() else {
        return [&count, "", "", "", ""].map(str::to_owned);
    };
    let words = |time: Option<Micros>| time.map_or("n/a".to_owned(), |time| time.0.to_string());
    match with.figure(percentile) {
        ReachedFigure::Known { value, low, high, seen_until } => {
            let note = if value.is_none() || high.is_none() {
                format!("not reached by {} us", seen_until.0)
            } else {
                String::new()
            };
            [count, words(value), words(low), words(high), note]
        }
        ReachedFigure::TooFew { n, needs } => {
            let [value, low, high] = ["n/a"; 3].map(str::to_owned);
            [count, value, low, high, format!("n={n}, needs {needs}")]
        }
    }
}

/// A part of the session in words: its kind, its name, and whether it counts.
pub(super) fn scope_words(folded: &FoldedSession, scope: Scope) -> (&'static str, &str, bool) {
    match scope {
        Scope::Measured => ("session", "", true),
        Scope::Scenario(index) => {
            ("scenario", folded.names.scenarios.get(index as usize).map_or("", |n| n), true)
        }
        Scope::Stage(index) => match folded.names.stages.get(index as usize) {
            Some((name, measured)) => ("stage", name, *measured),
            None => ("stage", "", false),
        },
    }
}
