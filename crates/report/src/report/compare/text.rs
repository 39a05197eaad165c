//! A comparison on the terminal, in at most a hundred columns.

use super::super::terminal::Style;
use super::comparison::{Conclusion, SessionComparison, Side};
use super::cost::CostComparison;
use super::finding::ComparisonFinding;
use super::latency::{LatencyComparison, QuantileComparison};
use super::rate::RateComparison;
use rushhour_core::units::Micros;

/// The widest line, where words are broken.
const WIDTH: usize = 100;

/// The comparison in words.
pub fn comparison_text(comparison: &SessionComparison, style: Style) -> String {
    let mut lines = side("A", &comparison.baseline);
    lines.extend(side("B", &comparison.candidate));
    if !comparison.profile_differences.is_empty() {
        lines.push(String::new());
        lines.push("The profiles differ:".to_owned());
        for difference in &comparison.profile_differences {
            lines.extend(wrapped(difference, 2));
        }
    }
    lines.push(String::new());
    if comparison.conclusion == Conclusion::Invalid {
        let words = "A generator did not deliver its load as asked: nothing is said of the agents.";
        lines.push(style.bad(words));
        for (name, side) in [("A", &comparison.baseline), ("B", &comparison.candidate)] {
            for broken in &side.broken {
                lines.extend(wrapped(&format!("{name}: {broken}"), 2));
            }
        }
    } else {
        lines.push(format!(
            "{:<24}{:>9} {:>9}  {:<24}{:>6}",
            "", "A", "B", "B / A, 95 % interval", "sees"
        ));
        for latency in &comparison.latencies {
            lines.extend(latency_lines(latency, style));
        }
        for rate in &comparison.rates {
            lines.extend(rate_lines(rate, style));
        }
        lines.extend(comparison.cost.iter().flat_map(|cost| cost_lines(cost, style)));
        lines.push(String::new());
        lines.extend(conclusion(comparison, style));
    }
    for note in &comparison.notes {
        lines.extend(wrapped(note, 0).into_iter().map(|line| style.unclear(&line)));
    }
    lines.join("\n")
}

fn side(name: &str, side: &Side) -> Vec<String> {
    let open = if side.open > 0 { format!(", {} open", side.open) } else { String::new() };
    let part = side.part.as_ref().map_or(String::new(), |part| format!(", {part}"));
    let told = format!(
        "{}{part}: {} measured {} runs, {} completed, {} failed{open}",
        side.session, side.started_runs, side.mode, side.completed, side.failed
    );
    let mut lines = wrapped(&told, 3);
    if let Some(first) = lines.first_mut() {
        first.replace_range(..3, &format!("{name:<3}"));
    }
    lines
}

fn latency_lines(latency: &LatencyComparison, style: Style) -> Vec<String> {
    let unfinished = match (latency.baseline_unfinished, latency.candidate_unfinished) {
        (0, 0) => String::new(),
        (a, b) => format!("; {a} and {b} of them unfinished, counted as longer"),
    };
    let head = format!(
        "{} ({} and {} runs{unfinished})",
        latency.metric, latency.baseline_n, latency.candidate_n
    );
    let percentiles = latency.percentiles.iter().map(|one| percentile_line(one, style));
    std::iter::once(style.strong(&head)).chain(percentiles).collect()
}

fn percentile_line(one: &QuantileComparison, style: Style) -> String {
    let time = |value: Option<f64>| value.map_or("n/a".to_owned(), in_words);
    let ratio = match (one.ratio, one.ratio_low, one.ratio_high) {
        (Some(ratio), Some(low), Some(high)) => {
            format!("{} [{}, {}]", times(ratio), times(low), times(high))
        }
        _ => one.note.clone().unwrap_or_default(),
    };
    let seen = one.smallest_ratio_seen.map_or(String::new(), times);
    let words = finding(one.finding, one.regression, style);
    let (a, b) = (time(one.baseline_us), time(one.candidate_us));
    if one.ratio.is_some() {
        let told = one.note.as_ref().filter(|_| one.is_significant());
        let note = told.map_or(String::new(), |note| format!("\n    {note}"));
        format!("  {:<22}{a:>9} {b:>9}  {ratio:<24}{seen:>6}  {words}{note}", one.percentile)
    } else {
        format!("  {:<22}{a:>9} {b:>9}  {ratio:<30}  {words}", one.percentile)
    }
}

fn rate_lines(rate: &RateComparison, style: Style) -> Vec<String> {
    let head = format!(
        "{} ({} of {}, and {} of {})",
        rate.measure, rate.baseline_count, rate.baseline_n, rate.candidate_count, rate.candidate_n
    );
    let share = |count: u64, of: u64| match of {
        0 => "n/a".to_owned(),
        _ => format!("{:.2} %", count as f64 / of as f64 * 100.0),
    };
    let points = |value: f64| format!("{:+.1}", value * 100.0);
    let difference = match (rate.difference, rate.difference_low, rate.difference_high) {
        (Some(point), Some(low), Some(high)) if rate.note.is_none() => {
            format!("{} [{}, {}] pts", points(point), points(low), points(high))
        }
        _ => rate.note.clone().unwrap_or_default(),
    };
    let seen = rate.smallest_difference_seen.filter(|_| rate.note.is_none());
    let seen = seen.map_or(String::new(), points);
    vec![
        style.strong(&head),
        format!(
            "  {:<22}{:>9} {:>9}  {difference:<24}{seen:>6}  {}",
            "",
            share(rate.baseline_count, rate.baseline_n),
            share(rate.candidate_count, rate.candidate_n),
            finding(rate.finding, rate.regression, style)
        ),
    ]
}

fn cost_lines(cost: &CostComparison, style: Style) -> Vec<String> {
    let head = format!("cost of a run ({} and {} runs)", cost.baseline_n, cost.candidate_n);
    let usd = |value: f64| format!("{value:.4}");
    let ratio = match (cost.ratio, cost.ratio_low, cost.ratio_high) {
        (Some(ratio), Some(low), Some(high)) => {
            format!("{} [{}, {}]", times(ratio), times(low), times(high))
        }
        _ => cost.note.clone().unwrap_or_default(),
    };
    let (a, b) = (usd(cost.baseline_usd), usd(cost.candidate_usd));
    let words = finding(cost.finding, false, style);
    vec![style.strong(&head), format!("  {:<22}{a:>9} {b:>9}  {ratio:<30}  {words}", "mean, USD")]
}

fn finding(finding: ComparisonFinding, regression: bool, style: Style) -> String {
    let words = finding.words();
    match finding {
        _ if regression => style.bad(words),
        ComparisonFinding::Slower
        | ComparisonFinding::More
        | ComparisonFinding::CostsMore
        | ComparisonFinding::NotEnoughData => style.unclear(words),
        ComparisonFinding::Faster | ComparisonFinding::Fewer | ComparisonFinding::CostsLess => {
            style.good(words)
        }
        ComparisonFinding::NoDifference => words.to_owned(),
    }
}

fn conclusion(comparison: &SessionComparison, style: Style) -> Vec<String> {
    let tolerance = comparison.tolerance * 100.0;
    let mut lines = match comparison.conclusion {
        Conclusion::Invalid => Vec::new(),
        Conclusion::Regression => {
            let words = format!("Regression: {}.", comparison.regressions.join("; "));
            wrapped(&words, 0).iter().map(|line| style.bad(line)).collect()
        }
        Conclusion::NotEnoughData => {
            vec![style.unclear("Not enough data: no latency could be judged at all.")]
        }
        Conclusion::NoRegressionShown => wrapped(
            &format!(
                "No regression beyond {tolerance} % was shown. Where an interval reaches beyond it, one may still be there."
            ),
            0,
        ),
        Conclusion::NoRegression => {
            vec![style.good(&format!("No judged latency is slower by more than {tolerance} %."))]
        }
    };
    lines.extend(wrapped(
        &format!(
            "`sees`: the smallest difference that so many runs show in four of five comparisons. {} figures were judged together (Holm, 5 %); runs were resampled in blocks of neighbours, with seed {}.",
            comparison.judged, comparison.seed
        ),
        0,
    ));
    lines
}

pub(super) fn times(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "latencies are not negative, and far below 2^63"
)]
pub(super) fn in_words(micros: f64) -> String {
    Micros(micros.round() as u64).to_string()
}

/// Text in lines of at most [`WIDTH`], each indented.
/// Words broken into lines of at most a hundred columns, indented.
pub(in super::super) fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && indent + longer > WIDTH {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.into_iter().map(|line| format!("{}{line}", " ".repeat(indent))).collect()
}
