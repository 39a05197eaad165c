//! A comparison as Markdown, for pull requests and job summaries.

use super::comparison::{Conclusion, SessionComparison, Side};
use super::text::{in_words, times};

/// The comparison as a heading, a table and notes.
pub fn comparison_markdown(comparison: &SessionComparison) -> String {
    let (a, b) = (&comparison.baseline, &comparison.candidate);
    let mut lines = vec![
        format!("### {}", heading(comparison)),
        String::new(),
        format!("{}  ", side("A", a)),
        side("B", b),
        String::new(),
    ];
    for (name, side) in [("A", a), ("B", b)] {
        lines.extend(side.broken.iter().map(|broken| format!("- {name}: {broken}")));
    }
    if comparison.conclusion != Conclusion::Invalid {
        lines.push("| measure | A | B | B / A [95 %] | smallest seen | finding |".to_owned());
        lines.push("| --- | ---: | ---: | --- | ---: | --- |".to_owned());
        lines.extend(rows(comparison));
        lines.push(String::new());
    }
    lines.extend(comparison.regressions.iter().map(|regression| format!("- **{regression}**")));
    lines.extend(comparison.notes.iter().map(|note| format!("- {note}")));
    if !comparison.profile_differences.is_empty() {
        lines.push(String::new());
        lines.push("The profiles differ:".to_owned());
        lines.push(String::new());
        let each = comparison.profile_differences.iter();
        lines.extend(each.map(|difference| format!("- `{}`", difference.replace('`', "'"))));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn side(name: &str, side: &Side) -> String {
    let part = side.part.as_ref();
    let part = part.map_or(String::new(), |part| format!(", `{}`", part.replace('`', "'")));
    format!(
        "{name}: `{}`{part}, {} measured {} runs, {} failed",
        side.session, side.started_runs, side.mode, side.failed
    )
}

fn heading(comparison: &SessionComparison) -> &'static str {
    match comparison.conclusion {
        Conclusion::Invalid => "Nothing is said: a generator did not deliver its load",
        Conclusion::Regression => "Regression",
        Conclusion::NotEnoughData => "Not enough data",
        Conclusion::NoRegressionShown => "No regression shown",
        Conclusion::NoRegression => "No regression",
    }
}

fn rows(comparison: &SessionComparison) -> Vec<String> {
    let mut rows = Vec::new();
    for latency in &comparison.latencies {
        for one in &latency.percentiles {
            let time = |value: Option<f64>| value.map_or("n/a".to_owned(), in_words);
            let ratio = match (one.ratio, one.ratio_low, one.ratio_high) {
                (Some(ratio), Some(low), Some(high)) => {
                    format!("{} [{}, {}]", times(ratio), times(low), times(high))
                }
                _ => one.note.clone().unwrap_or_default(),
            };
            rows.push(format!(
                "| {} {} | {} | {} | {ratio} | {} | {} |",
                latency.metric,
                one.percentile,
                time(one.baseline_us),
                time(one.candidate_us),
                one.smallest_ratio_seen.map_or(String::new(), times),
                emphasised(one.finding.words(), one.regression)
            ));
        }
    }
    for rate in &comparison.rates {
        let points = |value: Option<f64>| {
            value.map_or("n/a".to_owned(), |value| format!("{:+.1}", value * 100.0))
        };
        rows.push(format!(
            "| {} | {} of {} | {} of {} | {} [{}, {}] points | {} | {} |",
            rate.measure,
            rate.baseline_count,
            rate.baseline_n,
            rate.candidate_count,
            rate.candidate_n,
            points(rate.difference),
            points(rate.difference_low),
            points(rate.difference_high),
            points(rate.smallest_difference_seen),
            emphasised(rate.finding.words(), rate.regression)
        ));
    }
    rows.extend(comparison.cost.as_ref().map(|cost| {
        let ratio = match (cost.ratio, cost.ratio_low, cost.ratio_high) {
            (Some(ratio), Some(low), Some(high)) => {
                format!("{} [{}, {}]", times(ratio), times(low), times(high))
            }
            _ => cost.note.clone().unwrap_or_default(),
        };
        format!(
            "| cost of a run | {:.4} USD | {:.4} USD | {ratio} | | {} |",
            cost.baseline_usd,
            cost.candidate_usd,
            cost.finding.words()
        )
    }));
    rows
}

fn emphasised(words: &str, regression: bool) -> String {
    if regression { format!("**{words}**") } else { words.to_owned() }
}
