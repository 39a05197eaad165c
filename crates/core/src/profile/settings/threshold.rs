//! What must hold for a session to pass: a measure, a comparison and a bound, such as `"agent_join p99" = "< 5s"`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::{
    Metric, Micros, ParseUnitError, Percent, Percentile, PositiveDuration, parse_duration,
};

/// What a threshold bounds.
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
    /// A share of what callers said.
    Heard(HeardShare),
}

/// A share of what native callers said, by the agent's transcripts of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HeardShare {
    /// The word error rate.
    #[serde(rename = "heard.wer")]
    WordErrors,
    /// The character error rate.
    #[serde(rename = "heard.cer")]
    CharacterErrors,
    /// Key words that were heard, of all that were said.
    #[serde(rename = "heard.words")]
    KeyWords,
}

impl HeardShare {
    /// Every share.
    pub const ALL: [Self; 3] = [Self::WordErrors, Self::CharacterErrors, Self::KeyWords];

    /// The name used in thresholds and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WordErrors => "heard.wer",
            Self::CharacterErrors => "heard.cer",
            Self::KeyWords => "heard.words",
        }
    }

    /// What is counted.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::WordErrors => "words",
            Self::CharacterErrors => "characters",
            Self::KeyWords => "key words",
        }
    }
}

/// A share of the measured runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunShare {
    /// Failed runs, of all that started.
    Failed,
    /// Runs skipped for lack of a free slot, of all that were planned.
    Skipped,
    /// Runs judged as failed, of all that were judged.
    JudgedFailed,
}

impl RunShare {
    /// Every share.
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
            Self::Heard(share) => f.write_str(share.name()),
        }
    }
}

/// On which side of the bound the measure must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ThresholdOperator {
    /// Below the bound, or equal to it.
    #[serde(rename = "<")]
    Below,
    /// Above the bound, or equal to it.
    #[serde(rename = ">")]
    Above,
}

/// The bound, in the measure's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdBound {
    /// The bound of a latency.
    Time(Micros),
    /// The bound of a share.
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

/// What must hold for a session to pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// What is bounded.
    pub measure: ThresholdMeasure,
    /// On which side of the bound it must be.
    pub comparison: ThresholdOperator,
    /// The bound: a time for a latency, a share for a share.
    pub bound: ThresholdBound,
    /// If the threshold may stop the session early: how long after the session's start at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_after: Option<PositiveDuration>,
}

impl Threshold {
    /// The bound as a number: microseconds, or a fraction between 0 and 1.
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

/// Parses a measure such as `agent_join p99` or `failed`.
pub(crate) fn parse_measure(text: &str) -> Result<ThresholdMeasure, ParseUnitError> {
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
            if let Some(share) = HeardShare::ALL.into_iter().find(|share| share.name() == word) {
                return Ok(ThresholdMeasure::Heard(share));
            }
            let known: Metric = word.parse().map_err(|error: ParseUnitError| ParseUnitError {
                hint: format!("{}; or a share: failed, skipped, judged_failed, heard.wer, heard.cer, heard.words", error.hint),
                ..error
            })?;
            Err(ParseUnitError {
                message: format!("`{known}` needs a percentile"),
                hint: format!("write \"{known} p95\""),
            })
        }
        _ => Err(ParseUnitError {
            message: format!("`{text}` is not a measure"),
            hint: "write a latency and a percentile such as \"agent_join p99\", or \"failed\""
                .into(),
        }),
    }
}

/// Parses a bound such as `< 5s` for a latency, `< 1%` for a share.
pub(crate) fn parse_bound(
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
            message: format!("`{text}` has no comparison"),
            hint: "begin with < or >, such as \"< 2s\"".into(),
        });
    };
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim();
    let bound = match measure {
        ThresholdMeasure::Latency { .. } => {
            ThresholdBound::Time(Micros::from(parse_duration(rest)?))
        }
        ThresholdMeasure::Share(_) | ThresholdMeasure::Heard(_) => {
            ThresholdBound::Share(rest.parse()?)
        }
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
    fn thresholds_parse_and_format() {
        assert_eq!(threshold("agent_join p99", "< 5s").unwrap(), "agent_join p99 < 5.00s");
        assert_eq!(threshold("heard.wer", "< 10%").unwrap(), "heard.wer < 10%");
        assert_eq!(threshold("heard.words", "> 95%").unwrap(), "heard.words > 95%");
        assert_eq!(threshold("failed", "<=1%").unwrap(), "failed < 1%");
        assert_eq!(threshold("turn.voice  p50", "> 200ms").unwrap(), "turn.voice p50 > 200ms");
    }

    #[test]
    fn the_message_names_the_mistake() {
        let wrong = |measure: &str, bound: &str| threshold(measure, bound).unwrap_err().message;
        assert_eq!(wrong("agent_join", "< 5s"), "`agent_join` needs a percentile");
        assert_eq!(wrong("joins p99", "< 5s"), "`joins` is not a metric");
        assert_eq!(wrong("fails", "< 5%"), "`fails` is not a metric");
        assert_eq!(wrong("failed", "5%"), "`5%` has no comparison");
        assert_eq!(wrong("failed", "< 5s"), "`5s` has no percent sign");
        assert_eq!(wrong("agent_join p99", "< 5%"), "`5%` is not a duration");
        assert_eq!(wrong("agent join p99", "< 5s"), "`agent join p99` is not a measure");
    }
}
