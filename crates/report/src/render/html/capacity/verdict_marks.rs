//! The marks of verdicts in charts: each has its own colour and shape.

use crate::capacity::LevelVerdict;
use crate::render::html::chart::LineStyle;
use crate::session::Verdict;

const PASSED: LineStyle = LineStyle(2);
const FAILED: LineStyle = LineStyle(4);
const UNDECIDED: LineStyle = LineStyle(1);
const INVALID: LineStyle = LineStyle(5);

pub(super) const fn level_mark(verdict: LevelVerdict) -> LineStyle {
    match verdict {
        LevelVerdict::Passed => PASSED,
        LevelVerdict::Failed => FAILED,
        LevelVerdict::Undecided => UNDECIDED,
        LevelVerdict::Generator
        | LevelVerdict::Stopped
        | LevelVerdict::Budget
        | LevelVerdict::Broken => INVALID,
    }
}

pub(super) const fn threshold_mark(verdict: Verdict) -> LineStyle {
    match verdict {
        Verdict::Passed => PASSED,
        Verdict::Failed | Verdict::NoSamples => FAILED,
        Verdict::Undecided { .. } => UNDECIDED,
    }
}

/// The legend of the marks that are drawn.
pub(super) fn legend(drawn: &[LineStyle]) -> Vec<(LineStyle, String)> {
    [
        (PASSED, "passed"),
        (FAILED, "failed"),
        (UNDECIDED, "not enough data"),
        (INVALID, "says nothing about the agent"),
    ]
    .into_iter()
    .filter(|(mark, _)| drawn.contains(mark))
    .map(|(mark, label)| (mark, label.to_owned()))
    .collect()
}
