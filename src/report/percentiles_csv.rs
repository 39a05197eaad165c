//! `percentiles.csv`: every latency in every part of the session, one percentile a line.

use std::io::Write;

use super::figures::{Figure, listed};
use crate::record::{Folded, Latencies, Scope};

/// Writes one line for each percentile. `value_us` is `n/a` where there are too few samples, and `note`
/// says how many it takes; pandas reads that as missing.
///
/// # Errors
/// Where the writer refuses.
pub fn percentiles_csv(folded: &Folded, to: impl Write) -> csv::Result<()> {
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
    ])?;
    for (metric, mode, scope, latencies) in folded.latencies.iter() {
        let (kind, name, measured) = scope_words(folded, scope);
        for (percentile, [value, low, high], note) in lines(latencies) {
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
                &latencies.coarsest().0.to_string(),
                &note,
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
            Figure::Known { value, low, high } => {
                (name, [value, low, high].map(|micros| micros.0.to_string()), String::new())
            }
            Figure::TooFew { n, needs } => (
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

/// A part of the session in words: its kind, its name, and whether it counts.
pub(super) fn scope_words(folded: &Folded, scope: Scope) -> (&'static str, &str, bool) {
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
