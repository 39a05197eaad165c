//! Thresholds and what was measured for them.

use std::fmt;

use super::counted;
use super::quality::quality_figure;
use crate::session::{Criterion, ThresholdFigure, ThresholdResult, Verdict};

impl fmt::Display for ThresholdFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing was measured"),
            Self::Percentile { value, low, high, n } => {
                write!(f, "{value} [{low}, {high}] (n={n})")
            }
            Self::PercentileAlone { value, n, needs } => {
                write!(f, "{value} of {n} samples; an interval needs {needs}")
            }
            Self::Share { count, of, awaited, estimated } => {
                let percent = |fraction: f64| format!("{:.2} %", fraction * 100.0);
                let (value, low, high) =
                    (percent(estimated.value), percent(estimated.low), percent(estimated.high));
                write!(f, "{value} [{low}, {high}] ({count} of {of}")?;
                if *awaited > 0 {
                    write!(f, "; {awaited} more have not ended")?;
                }
                f.write_str(")")
            }
            Self::Heard { share, units, conversations, estimated } => {
                let percent = |fraction: f64| format!("{:.2} %", fraction * 100.0);
                let (value, low, high) =
                    (percent(estimated.value), percent(estimated.low), percent(estimated.high));
                let unit = share.unit();
                write!(
                    f,
                    "{value} [{low}, {high}] ({units} {unit} in {conversations} conversations)"
                )
            }
            Self::Quality { measure, conversations, estimated } => {
                let figure = quality_figure(*measure, *estimated);
                write!(f, "{figure} ({})", counted(*conversations, "conversation"))
            }
        }
    }
}

/// The heading over the figures that thresholds are compared with.
pub(crate) const fn found_heading(criterion: Criterion) -> &'static str {
    match criterion {
        Criterion::Interval => "measured, with its 95 % interval",
        Criterion::PointEstimate => "measured, with its 95 % interval; judged by the figure alone",
    }
}

/// How many samples an undecided threshold needs.
pub(crate) fn needs_note(verdict: Verdict) -> Option<String> {
    match verdict {
        Verdict::Undecided { needs: Some(needs) } => {
            Some(format!("about {needs} samples would decide it"))
        }
        _ => None,
    }
}

/// Why a threshold aborts its session.
pub fn abort_reason(result: &ThresholdResult) -> String {
    format!("{} does not hold: {}", result.name(), result.found)
}
