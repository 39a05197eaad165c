//! How verdicts look: each has a sign, a word, a colour and a shape of its own.

use maud::{Markup, html};

use crate::capacity::trial::LevelVerdict;
use crate::report::{LineStyle, Verdict};

/// The kinds of verdicts that are told apart in drawings, with their words for the key.
pub(super) const KINDS: [(LineStyle, &str); 4] = [
    (LineStyle(2), "passed"),
    (LineStyle(4), "failed"),
    (LineStyle(1), "not enough data"),
    (LineStyle(5), "nothing is said of the agent"),
];

pub(super) const fn line_of(verdict: LevelVerdict) -> LineStyle {
    match verdict {
        LevelVerdict::Passed => KINDS[0].0,
        LevelVerdict::Failed => KINDS[1].0,
        LevelVerdict::Undecided => KINDS[2].0,
        LevelVerdict::Generator
        | LevelVerdict::Stopped
        | LevelVerdict::Budget
        | LevelVerdict::Broken => KINDS[3].0,
    }
}

pub(super) const fn line_of_threshold(verdict: &Verdict) -> LineStyle {
    match verdict {
        Verdict::Passed => KINDS[0].0,
        Verdict::Failed | Verdict::NoSamples => KINDS[1].0,
        Verdict::Undecided { .. } => KINDS[2].0,
    }
}

/// The key's entries of the kinds that are drawn.
pub(super) fn key(drawn: &[LineStyle]) -> Vec<(LineStyle, String)> {
    KINDS
        .into_iter()
        .filter(|(line, _)| drawn.contains(line))
        .map(|(line, words)| (line, words.to_owned()))
        .collect()
}

/// A verdict with its sign, as a cell of a table has it.
pub(super) fn shown(verdict: LevelVerdict) -> Markup {
    let (class, sign) = match verdict {
        LevelVerdict::Passed => ("passed", "✓"),
        LevelVerdict::Failed => ("failed", "✗"),
        LevelVerdict::Undecided => ("undecided", "?"),
        LevelVerdict::Generator
        | LevelVerdict::Stopped
        | LevelVerdict::Budget
        | LevelVerdict::Broken => ("invalid", "–"),
    };
    html! { span class=(format!("verdict {class}")) { (sign) " " (verdict.label()) } }
}
