//! A comparison in Markdown.

use crate::compare::{Conclusion, SessionComparison, Side};
use crate::render::tables::comparison::comparison_table;

/// The comparison as a heading, a table and notes.
pub fn comparison_markdown(comparison: &SessionComparison) -> String {
    let (a, b) = (&comparison.baseline, &comparison.candidate);
    let mut lines = vec![
        format!("### {}", heading(comparison.conclusion)),
        String::new(),
        format!("{}  ", side("A", a)),
        side("B", b),
        String::new(),
    ];
    for (name, side) in [("A", a), ("B", b)] {
        lines.extend(side.broken.iter().map(|broken| format!("- {name}: {broken}")));
    }
    if comparison.conclusion != Conclusion::Invalid {
        lines.push(comparison_table(comparison).markdown());
    }
    lines.extend(comparison.regressions.iter().map(|regression| format!("- **{regression}**")));
    lines.extend(comparison.notes.iter().map(|note| format!("- {note}")));
    if !comparison.profile_differences.is_empty() {
        lines.push(String::new());
        lines.push("The profiles differ:".to_owned());
        lines.push(String::new());
        let differences = comparison.profile_differences.iter();
        lines.extend(differences.map(|difference| format!("- {}", code(&difference.to_string()))));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn side(name: &str, side: &Side) -> String {
    let part = side.part.as_ref().map_or(String::new(), |part| format!(", {}", code(part)));
    format!(
        "{name}: `{}`{part}, {} measured {} runs, {} failed",
        side.session, side.started_runs, side.mode, side.failed
    )
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

const fn heading(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Invalid => {
            "Nothing is compared: a load generator did not deliver the requested load"
        }
        Conclusion::Regression => "Regression",
        Conclusion::NotEnoughData => "Not enough data",
        Conclusion::NoRegressionShown => "No regression shown",
        Conclusion::NoRegression => "No regression",
    }
}
