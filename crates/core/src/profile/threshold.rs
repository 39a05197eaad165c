//! What has to hold for a session to pass: a measure, a comparison and a bound, such as `"agent_join p99" = "< 5s"`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::{
    Metric, Micros, ParseUnitError, Percent, Percentile, PositiveDuration, parse_duration,
};

/// What a threshold looks at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdMeasure {
    /// A percentile of a latency.
    Latency {
        /// The latency.
        metric: Metric,
        /// The percentile.
        percentile: Percentile,
    },
    /// A share of the runs.
    Share(RunShare),
}

/// A share of the measured runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunShare {
    /// Failed, of all that were started.
    Failed,
    /// Skipped because nothing was free, of all that were planned.
    Skipped,
    /// Judged as not passed, of all that were judged.
    JudgedFailed,
}

impl RunShare {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Failed, Self::Skipped, Self::JudgedFailed];

    /// The name used in thresholds and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::JudgedFailed => "judged_failed",
        }
    }
}

impl fmt::Display for ThresholdMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency { metric, percentile } => write!(f, "{metric} {percentile}"),
            Self::Share(share) => f.write_str(share.name()),
        }
    }
}

/// On which side of the bound the measure has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ThresholdOperator {
    /// Below the bound, or at it.
    #[serde(rename = "<")]
    Below,
    /// Above the bound, or at it.
    #[serde(rename = ">")]
    Above,
}

/// The bound, in the measure's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdBound {
    /// Of a latency.
    Time(Micros),
    /// Of a share.
    Share(Percent),
}

impl fmt::Display for ThresholdBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(micros) => micros.fmt(f),
            Self::Share(percent) => percent.fmt(f),
        }
    }
}

/// What has to hold for a session to pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// What is looked at.
    pub measure: ThresholdMeasure,
    /// On which side of the bound it has to be.
    pub comparison: ThresholdOperator,
    /// The bound; a time for a latency, a share for a share.
    pub bound: ThresholdBound,
    /// Where it may end the session before the plan does: not before so long from its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_after: Option<PositiveDuration>,
}

impl Threshold {
    /// The bound as a number: a share between 0 and 1, or microseconds.
    pub fn bound_number(&self) -> f64 {
        match self.bound {
            ThresholdBound::Time(micros) => micros.0 as f64,
            ThresholdBound::Share(percent) => percent.fraction(),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.comparison {
            ThresholdOperator::Below => "<",
            ThresholdOperator::Above => ">",
        };
        write!(f, "{} {sign} {}", self.measure, self.bound)
    }
}

/// Reads a measure such as `agent_join p99` or `failed`.
///
/// # Errors
/// Where it is neither a latency with a percentile nor a share.
pub(super) fn parse_measure(text: &str) -> Result<ThresholdMeasure, ParseUnitError> {
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(metric), Some(percentile), None) => Ok(ThresholdMeasure::Latency {
            metric: metric.parse()?,
            percentile: percentile.parse()?,
        }),
        (Some(word), None, None) => {
            if let Some(share) = RunShare::ALL.into_iter().find(|share| share.name() == word) {
                return Ok(ThresholdMeasure::Share(share));
            }
            let known: Metric = word.parse().map_err(|error: ParseUnitError| ParseUnitError {
                hint: format!("{}; or a share: failed, skipped, judged_failed", error.hint),
                ..error
            })?;
            Err(ParseUnitError {
                what: format!("`{known}` needs a percentile"),
                hint: format!("write \"{known} p95\""),
            })
        }
        _ => Err(ParseUnitError {
            what: format!("`{text}` is not a measure"),
            hint: "write a latency and a percentile such as \"agent_join p99\", or \"failed\""
                .into(),
        }),
    }
}

/// Reads a bound such as `< 5s` or `< 1%`, of the kind that the measure has.
///
/// # Errors
/// Where there is no comparison, or the bound is of the other kind.
pub(super) fn parse_bound(
    measure: &ThresholdMeasure,
    text: &str,
) -> Result<(ThresholdOperator, ThresholdBound), ParseUnitError> {
    let trimmed = text.trim();
    let (comparison, rest) = if let Some(rest) = trimmed.strip_prefix('<') {
        (ThresholdOperator::Below, rest)
    } else if let Some(rest) = trimmed.strip_prefix('>') {
        (ThresholdOperator::Above, rest)
    } else {
        return Err(ParseUnitError {
            what: format!("`{text}` has no comparison"),
            hint: "begin with < or >, such as \"< 2s\"".into(),
        });
    };
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim();
    let bound = match measure {
        ThresholdMeasure::Latency { .. } => {
            ThresholdBound::Time(Micros::from(parse_duration(rest)?))
        }
        ThresholdMeasure::Share(_) => ThresholdBound::Share(rest.parse()?),
    };
    Ok((comparison, bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(measure: &str, bound: &str) -> Result<String, ParseUnitError> {
        let measure = parse_measure(measure)?;
        let (comparison, bound) = parse_bound(&measure, bound)?;
        Ok(Threshold { measure, comparison, bound, abort_after: None }.to_string())
    }

    #[test]
    fn thresholds_read_and_write_back() {
        assert_eq!(threshold("agent_join p99", "< 5s").unwrap(), "agent_join p99 < 5.00s");
        assert_eq!(threshold("failed", "<=1%").unwrap(), "failed < 1%");
        assert_eq!(threshold("turn.voice  p50", "> 200ms").unwrap(), "turn.voice p50 > 200ms");
    }

    #[test]
    fn the_message_names_the_mistake() {
        let wrong = |measure: &str, bound: &str| threshold(measure, bound).unwrap_err().what;
        assert_eq!(wrong("agent_join", "< 5s"), "`agent_join` needs a percentile");
        assert_eq!(wrong("joins p99", "< 5s"), "nothing named `joins` is measured");
        assert_eq!(wrong("fails", "< 5%"), "nothing named `fails` is measured");
        assert_eq!(wrong("failed", "5%"), "`5%` has no comparison");
        assert_eq!(wrong("failed", "< 5s"), "`5s` has no percent sign");
        assert_eq!(wrong("agent_join p99", "< 5%"), "`5%` is not a length of time");
        assert_eq!(wrong("agent join p99", "< 5s"), "`agent join p99` is not a measure");
    }
}
