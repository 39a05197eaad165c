//! What is measured: one name per latency, the same in profiles, reports and the definitions beside them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Mode, ParseUnitError};

macro_rules! metrics {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal: $definition:literal,)*) => {
        /// A latency that is measured, each from one well-defined moment to another.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Metric {
            $(
                #[doc = $definition]
                #[serde(rename = $name)]
                $variant,
            )*
        }

        impl Metric {
            /// Every metric, in the order of a run's life.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name used in thresholds, CSV columns and tags.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// From which moment to which it is measured, in one sentence.
            pub const fn definition(self) -> &'static str {
                match self {
                    $(Self::$variant => $definition,)*
                }
            }
        }
    };
}

metrics! {
    ScheduleLag = "schedule_lag":
        "From the intended start, or from the moment a place in flight was free if that was later, to the moment the driver acted: the generator's own lateness.",
    InFlightWait = "in_flight_wait":
        "From the intended start to the moment a place in flight was free; zero where one was free at once.",
    Room = "room":
        "From CreateRoom sent to its answer.",
    Dispatch = "dispatch":
        "From CreateDispatch sent to its answer; says nothing of an agent.",
    AgentJoin = "agent_join":
        "From the request that dispatches the agent sent to a participant of kind AGENT seen in the room.",
    AgentJoinServer = "agent_join.server":
        "From the request that dispatches the agent sent to the server's own joined_at of that participant; both clocks matter.",
    AgentReady = "agent_ready":
        "From the request that dispatches the agent sent to its attribute lk.agent.state seen as listening.",
    Greeting = "greeting":
        "From the agent joined to its first text or first audible speech.",
    LimiterWait = "limiter_wait":
        "From the submission ready to send to the moment the limiter admitted it.",
    SubmissionService = "submission.service":
        "From the submission sent to the evaluator's acceptance.",
    SubmissionResponse = "submission.response":
        "From the intended start to the evaluator's acceptance.",
    Queue = "queue":
        "From the evaluator's acceptance to the run first seen running.",
    Conversation = "conversation":
        "From the run first seen running to the conversation over.",
    Judging = "judging":
        "From the conversation over to the run's terminal status.",
    CompletionService = "completion.service":
        "From the submission sent to the run's terminal status.",
    CompletionResponse = "completion.response":
        "From the intended start to the run's terminal status.",
    TurnChatFirst = "turn.chat.first":
        "From our last byte of a turn sent to the first chunk of the agent's answer.",
    TurnChatFinal = "turn.chat.final":
        "From our last byte of a turn sent to the final chunk of the agent's answer.",
    TurnVoice = "turn.voice":
        "From our last audible frame of a turn sent to the agent's first audible frame received.",
    TimeToYield = "time_to_yield":
        "From our first audible frame over the agent's speech to the agent silent.",
    AgentTranscription = "agent.transcription":
        "As the agent tells it: from the end of the caller's speech to its transcript.",
    AgentEndOfTurn = "agent.end_of_turn":
        "As the agent tells it: from the end of the caller's speech to the decision that the turn is over.",
    AgentLlmFirstToken = "agent.llm_first_token":
        "As the agent tells it: from the request to the language model to its first token.",
    AgentTtsFirstByte = "agent.tts_first_byte":
        "As the agent tells it: from the request to the synthesiser to its first byte.",
    AgentEndToEnd = "agent.end_to_end":
        "As the agent tells it: from the end of the caller's speech to the beginning of its own, without the network.",
}

impl Metric {
    /// The mode in which alone it is measured; none where both modes have it.
    pub const fn mode(self) -> Option<Mode> {
        match self {
            Self::TurnVoice
            | Self::TimeToYield
            | Self::AgentTranscription
            | Self::AgentEndOfTurn
            | Self::AgentTtsFirstByte => Some(Mode::Voice),
            Self::TurnChatFirst | Self::TurnChatFinal => Some(Mode::Chat),
            _ => None,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|metric| metric.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|metric| metric.name()).collect();
            ParseUnitError::new(
                format!("nothing named `{text}` is measured"),
                format!("one of: {}", names.join(", ")),
            )
        })
    }
}

/// A percentile such as p95 or p99.9: above 0 and below 100.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Percentile(f64);

impl Percentile {
    /// The percentiles that every report lists.
    pub const LISTED: [Self; 6] =
        [Self(50.0), Self(75.0), Self(90.0), Self(95.0), Self(99.0), Self(99.9)];

    /// The percentile as a fraction: 0.95 for p95.
    pub fn fraction(self) -> f64 {
        // Two steps in decimal: 99.9 / 100 alone is not the nearest number to 0.999.
        (self.0 * 1000.0).round() / 100_000.0
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("p{}", self.0))
    }
}

impl FromStr for Percentile {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            ParseUnitError::new(
                format!("`{text}` is not a percentile"),
                "write p50, p95, p99 or p99.9",
            )
        };
        let number: f64 = text.strip_prefix('p').and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
        if number > 0.0 && number < 100.0 { Ok(Self(number)) } else { Err(wrong()) }
    }
}

impl From<Percentile> for String {
    fn from(percentile: Percentile) -> Self {
        percentile.to_string()
    }
}

impl TryFrom<String> for Percentile {
    type Error = ParseUnitError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_name() {
        for metric in Metric::ALL {
            assert_eq!(metric.name().parse::<Metric>().unwrap(), *metric);
        }
        assert!("latency".parse::<Metric>().unwrap_err().hint.contains("submission.response"));
    }

    #[test]
    fn percentiles_read_and_write_back() {
        assert!((Percentile::LISTED[5].fraction() - 0.999).abs() < 1e-15);
        for text in ["p50", "p95", "p99.9"] {
            assert_eq!(text.parse::<Percentile>().unwrap().to_string(), text);
        }
        for text in ["p0", "p100", "95", "p", "pp9", "pNaN"] {
            assert!(text.parse::<Percentile>().is_err(), "{text}");
        }
    }
}
