//! `capacity.csv`: a row for each session of a search, in the order in which they were held.

use std::io::Write;

use super::completed_search::CompletedSearch;
use super::finding::TrialThreshold;
use rushhour_core::profile::{Threshold, ThresholdBound};

/// Writes the sessions of a search.
///
/// # Errors
/// Where `to` cannot be written.
pub fn capacity_csv(searched: &CompletedSearch<'_>, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    let thresholds = &searched.opening.profile.thresholds;
    let mut head: Vec<String> = [
        "order",
        "in_flight",
        "purpose",
        "verdict",
        "began_us",
        "measured_us",
        "ended_us",
        "runs",
        "failed",
    ]
    .map(str::to_owned)
    .to_vec();
    for threshold in thresholds {
        let name = column(threshold);
        head.extend(
            ["figure", "low", "high"].map(|part| format!("{name}_{part}_{}", unit(threshold))),
        );
        head.extend([format!("{name}_n"), format!("{name}_verdict")]);
    }
    head.push("folder".to_owned());
    csv.write_record(&head)?;
    for finding in searched.findings {
        let (runs, failed) = (finding.runs, finding.failed);
        let tried = &finding.result;
        let mut row = vec![
            finding.number.to_string(),
            finding.in_flight().to_string(),
            finding.purpose().name().to_owned(),
            tried.verdict.name().to_owned(),
            tried.start.0.to_string(),
            tried.trial.duration.0.to_string(),
            tried.end.0.to_string(),
            runs.to_string(),
            failed.to_string(),
        ];
        for threshold in thresholds {
            let found = finding.thresholds.iter().find(|found| found.threshold == *threshold);
            row.extend(cells(found));
        }
        row.push(finding.folder.clone());
        csv.write_record(&row)?;
    }
    csv.flush()?;
    Ok(())
}

/// A threshold's measure as the beginning of a column's name.
fn column(threshold: &Threshold) -> String {
    threshold.measure.to_string().replace(' ', "_")
}

const fn unit(threshold: &Threshold) -> &'static str {
    match threshold.bound {
        ThresholdBound::Time(_) => "us",
        ThresholdBound::Share(_) => "share",
    }
}

fn cells(found: Option<&TrialThreshold>) -> [String; 5] {
    let Some(found) = found else { return [const { String::new() }; 5] };
    let number = |value: f64| match found.threshold.bound {
        ThresholdBound::Time(_) => format!("{value:.0}"),
        ThresholdBound::Share(_) => format!("{value:.6}"),
    };
    let estimated = found.estimated.map(|e| [number(e.value), number(e.low), number(e.high)]);
    let [value, low, high] = estimated.unwrap_or_default();
    [value, low, high, found.n.to_string(), found.verdict.word().to_owned()]
}
