//! A comparison on the terminal, in at most 100 columns.

use super::wrap::wrapped;
use crate::compare::{Conclusion, SessionComparison, Side};
use crate::render::table::Style;
use crate::render::tables::comparison::{DETECTABLE, comparison_table};

/// The comparison as text.
pub fn comparison_text(comparison: &SessionComparison, style: Style) -> String {
    let mut lines = side("A", &comparison.baseline);
    lines.extend(side("B", &comparison.candidate));
    if !comparison.profile_differences.is_empty() {
        lines.push(String::new());
        lines.push("The profiles differ:".to_owned());
        for difference in &comparison.profile_differences {
            lines.extend(wrapped(&difference.to_string(), 2));
        }
    }
    lines.push(String::new());
    if comparison.conclusion == Conclusion::Invalid {
        let invalid =
            "A load generator did not deliver the requested load, so nothing is compared.";
        lines.push(style.bad(invalid));
        for (name, side) in [("A", &comparison.baseline), ("B", &comparison.candidate)] {
            for broken in &side.broken {
                lines.extend(wrapped(&format!("{name}: {broken}"), 2));
            }
        }
    } else {
        lines.extend(comparison_table(comparison).text(style));
        lines.push(String::new());
        lines.extend(conclusion(comparison, style));
        lines.extend(method(comparison));
    }
    for note in &comparison.notes {
        lines.extend(wrapped(&note.to_string(), 0).into_iter().map(|line| style.unclear(&line)));
    }
    lines.join("\n")
}

fn side(name: &str, side: &Side) -> Vec<String> {
    let open = if side.open > 0 { format!(", {} open", side.open) } else { String::new() };
    let part = side.part.as_ref().map_or(String::new(), |part| format!(", {part}"));
    let text = format!(
        "{}{part}: {} measured {} runs, {} completed, {} failed{open}",
        side.session, side.started_runs, side.mode, side.completed, side.failed
    );
    let mut lines = wrapped(&text, 3);
    if let Some(first) = lines.first_mut() {
        first.replace_range(..3, &format!("{name:<3}"));
    }
    lines
}

fn conclusion(comparison: &SessionComparison, style: Style) -> Vec<String> {
    let tolerance = comparison.tolerance * 100.0;
    match comparison.conclusion {
        Conclusion::Invalid => Vec::new(),
        Conclusion::Regression => {
            let regressions: Vec<String> =
                comparison.regressions.iter().map(ToString::to_string).collect();
            let text = format!("Regression: {}.", regressions.join("; "));
            wrapped(&text, 0).iter().map(|line| style.bad(line)).collect()
        }
        Conclusion::NotEnoughData => {
            vec![style.unclear("Not enough data: no latency could be judged.")]
        }
        Conclusion::NoRegressionShown => wrapped(
            &format!(
                "No regression beyond {tolerance} % was shown. Where an interval reaches beyond the tolerance, there may still be one."
            ),
            0,
        ),
        Conclusion::NoRegression => {
            vec![style.good(&format!("No judged latency is slower by more than {tolerance} %."))]
        }
    }
}

fn method(comparison: &SessionComparison) -> Vec<String> {
    wrapped(
        &format!(
            "`{DETECTABLE}` is the smallest difference that four of five such comparisons would detect. {} figures were judged together (Holm, 5 %). Runs were resampled in blocks of neighbours with seed {}.",
            comparison.judged, comparison.seed
        ),
        0,
    )
}
