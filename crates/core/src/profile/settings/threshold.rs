//! What must hold for a session to pass: a measure, a comparison and a bound, such as `"agent_join p99" = "< 5s"`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::{
    Metric, Micros, ParseUnitError, Percent, Percentile, PositiveDuration, Rate, parse_duration,
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
    /// How the agent sounds, and how it takes turns.
    Quality(QualityMeasure),
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

/// How agents sound to native callers, and how they take turns, over all measured runs in voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum QualityMeasure {
    /// Gaps in each minute of speech.
    #[serde(rename = "speech.gaps")]
    Gaps,
    /// The share of speech that a listener does not hear: silent, or concealed.
    #[serde(rename = "speech.concealed")]
    Concealed,
    /// The share of what the caller says during which the agent speaks too.
    #[serde(rename = "overlap")]
    Overlap,
    /// The share of turns in which the agent begins while the caller speaks, and does not stop.
    #[serde(rename = "talk_over")]
    TalkOver,
}

impl QualityMeasure {
    /// Every measure.
    pub const ALL: [Self; 4] = [Self::Gaps, Self::Concealed, Self::Overlap, Self::TalkOver];

    /// The name used in thresholds and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gaps => "speech.gaps",
            Self::Concealed => "speech.concealed",
            Self::Overlap => "overlap",
            Self::TalkOver => "talk_over",
        }
    }

    /// What it is, as a sentence.
    pub const fn definition(self) -> &'static str {
        match self {
            Self::Gaps => {
                "Gaps of at least 30 ms in each minute of the agent's speech: digital silence that cuts it, or packets that came too late for a jitter buffer of 100 ms, or never."
            }
            Self::Concealed => {
                "The share of the agent's speech that a listener does not hear: gaps of digital silence, and whatever its jitter buffer must conceal, however short."
            }
            Self::Overlap => {
                "The share of what callers say, from the first sound of a turn to its last, during which the agent speaks too."
            }
            Self::TalkOver => {
                "The share of turns in which the agent begins while the caller speaks, at least 200 ms before its last sound, and has not stopped when the caller ends."
            }
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
            Self::Quality(measure) => f.write_str(measure.name()),
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
    /// The bound of what is counted by the minute.
    Rate(Rate),
}

impl fmt::Display for ThresholdBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(micros) => micros.fmt(f),
            Self::Share(percent) => percent.fmt(f),
            Self::Rate(rate) => f.pad(&format!("{}/min", rounded(per_minute(*rate)))),
        }
    }
}

const SECONDS_PER_MINUTE: f64 = 60.0;

fn per_minute(rate: Rate) -> f64 {
    rate.per_second() * SECONDS_PER_MINUTE
}

fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// What must hold for a session to pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// What is bounded.
    pub measure: ThresholdMeasure,
    /// On which side of the bound it must be.
    pub comparison: ThresholdOperator,
    /// The bound: a time for a latency, a share for a share, a rate for what is counted by the minute.
    pub bound: ThresholdBound,
    /// If the threshold may stop the session early: how long after the session's start at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_after: Option<PositiveDuration>,
}

impl Threshold {
    /// The bound as a number: microseconds, a fraction between 0 and 1, or a count by the minute.
    pub fn bound_number(&self) -> f64 {
        match self.bound {
            ThresholdBound::Time(micros) => micros.0 as f64,
            ThresholdBound::Share(percent) => percent.fraction(),
            ThresholdBound::Rate(rate) => per_minute(rate),
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
            if let Some(measure) = QualityMeasure::ALL.into_iter().find(|one| one.name() == word) {
                return Ok(ThresholdMeasure::Quality(measure));
            }
            let known: Metric = word.parse().map_err(|error: ParseUnitError| ParseUnitError {
                hint: format!("{}; or a share of runs: failed, skipped, judged_failed; or of what was heard: heard.wer, heard.cer, heard.words; or how agents sound and take turns: speech.gaps, speech.concealed, overlap, talk_over", error.hint),
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
        ThresholdMeasure::Quality(QualityMeasure::Gaps) => ThresholdBound::Rate(rest.parse()?),
        ThresholdMeasure::Share(_) | ThresholdMeasure::Heard(_) | ThresholdMeasure::Quality(_) => {
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
        assert_eq!(threshold("speech.gaps", "< 0.5/min").unwrap(), "speech.gaps < 0.5/min");
        assert_eq!(threshold("speech.gaps", "< 1/s").unwrap(), "speech.gaps < 60/min");
        assert_eq!(threshold("talk_over", "< 2%").unwrap(), "talk_over < 2%");
        assert_eq!(threshold("turn.voice  p50", "> 200ms").unwrap(), "turn.voice p50 > 200ms");
    }

    #[test]
    fn the_message_names_the_mistake() {
        let wrong = |measure: &str, bound: &str| threshold(measure, bound).unwrap_err().message;
        assert_eq!(wrong("agent_join", "< 5s"), "`agent_join` needs a percentile");
        assert_eq!(wrong("joins p99", "< 5s"), "`joins` is not a metric");
        assert_eq!(wrong("fails", "< 5%"), "`fails` is not a metric");
        assert_eq!(wrong("speech.gaps", "< 5%"), "`5%` has no unit of time");
        assert_eq!(wrong("failed", "5%"), "`5%` has no comparison");
        assert_eq!(wrong("failed", "< 5s"), "`5s` has no percent sign");
        assert_eq!(wrong("agent_join p99", "< 5%"), "`5%` is not a duration");
        assert_eq!(wrong("agent join p99", "< 5s"), "`agent join p99` is not a measure");
    }
}
