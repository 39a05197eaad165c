//! The latencies that Rushhour measures: one name and one definition each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::mode::Mode;
use super::parse_error::ParseUnitError;

macro_rules! metrics {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal: $definition:literal,)*) => {
        /// A latency, measured from one well-defined moment to another.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Metric {
            $(
                #[doc = $definition]
                #[serde(rename = $name)]
                $variant,
            )*
        }

        impl Metric {
            /// Every metric, in the order of a run.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name used in thresholds, CSV columns and tags.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The moments from which to which it is measured, as a sentence.
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
        "From the intended start, or from the moment a slot was free if that was later, to the moment the driver acted: the load generator's own delay.",
    InFlightWait = "in_flight_wait":
        "From the intended start to the moment a slot was free; zero if one was free at once.",
    Room = "room":
        "From sending CreateRoom to its answer.",
    Dispatch = "dispatch":
        "From sending CreateDispatch to its answer; says nothing about the agent.",
    AgentJoin = "agent_join":
        "From sending the request that dispatches the agent to seeing a participant of kind AGENT in the room.",
    AgentJoinServer = "agent_join.server":
        "From sending the request that dispatches the agent to the server's joined_at of that participant; both clocks matter.",
    AgentReady = "agent_ready":
        "From sending the request that dispatches the agent to seeing its attribute lk.agent.state as listening.",
    Greeting = "greeting":
        "From the agent's join to its first text or first audible speech, where that comes before the caller's first turn.",
    LimiterWait = "limiter_wait":
        "From the moment the submission was ready to the moment the limiter admitted it.",
    SubmissionService = "submission.service":
        "From sending the submission to the evaluator's acceptance.",
    SubmissionResponse = "submission.response":
        "From the intended start to the evaluator's acceptance.",
    Queue = "queue":
        "From the evaluator's acceptance to the moment the run was first seen running.",
    Conversation = "conversation":
        "From the moment the run was first seen running to the end of the conversation.",
    Judging = "judging":
        "From the end of the conversation to the run's terminal status.",
    CompletionService = "completion.service":
        "From sending the submission to the run's terminal status.",
    CompletionResponse = "completion.response":
        "From the intended start to the run's terminal status.",
    TurnChatAny = "turn.chat.any":
        "From sending the last byte of our turn to the first chunk of anything that the agent writes, a filler or its answer; only of turns whose answer the script expects.",
    TurnChatFirst = "turn.chat.first":
        "From sending the last byte of our turn to the first chunk of the agent's answer.",
    TurnChatFinal = "turn.chat.final":
        "From sending the last byte of our turn to the final chunk of the agent's answer.",
    TurnChatDone = "turn.chat.done":
        "From sending the last byte of our turn to the last chunk before the agent listens again, with fillers, tool calls and further answers.",
    TurnVoiceAny = "turn.voice.any":
        "From sending the last audible frame of our turn to receiving the agent's first audible frame of anything, a filler or its answer; only of turns whose answer the script expects.",
    TurnVoice = "turn.voice":
        "From sending the last audible frame of our turn to receiving the agent's first audible frame.",
    TurnVoiceDone = "turn.voice.done":
        "From sending the last audible frame of our turn to the agent's last audible frame before it listens again, with pauses, fillers and tool calls.",
    TimeToYield = "time_to_yield":
        "From our first audible frame during the agent's speech to the agent's silence, where the agent yielded to us.",
    SpeechLongestGap = "speech.longest_gap":
        "The longest gap in the agent's speech of a run: digital silence that cuts it, or packets that came too late for a jitter buffer of 100 ms, or never; zero where there is none.",
    DeadAir = "dead_air":
        "The longest silence of a run in which it was the agent's turn: from our last audible frame to its first, or between two of its sounds.",
    Reconnect = "reconnect":
        "From the moment a native caller noticed that its connection was lost to the moment it was back; what was not recovered is a failure, connection_lost.",
    AgentTranscription = "agent.transcription":
        "As reported by the agent: from the end of the caller's speech to its transcript.",
    AgentEndOfTurn = "agent.end_of_turn":
        "As reported by the agent: from the end of the caller's speech to the decision that the turn is over.",
    AgentLlmFirstToken = "agent.llm_first_token":
        "As reported by the agent: from the request to the language model to its first token.",
    AgentTtsFirstByte = "agent.tts_first_byte":
        "As reported by the agent: from the request to speech synthesis to its first byte.",
    AgentEndToEnd = "agent.end_to_end":
        "As reported by the agent: from the end of the caller's speech to the beginning of its own, without network delay.",
}

impl Metric {
    /// The only mode in which it is measured; `None` if it is measured in both.
    pub const fn mode(self) -> Option<Mode> {
        match self {
            Self::TurnVoiceAny
            | Self::TurnVoice
            | Self::TurnVoiceDone
            | Self::TimeToYield
            | Self::SpeechLongestGap
            | Self::DeadAir
            | Self::AgentTranscription
            | Self::AgentEndOfTurn
            | Self::AgentTtsFirstByte => Some(Mode::Voice),
            Self::TurnChatAny | Self::TurnChatFirst | Self::TurnChatFinal | Self::TurnChatDone => {
                Some(Mode::Chat)
            }
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
                format!("`{text}` is not a metric"),
                format!("write one of: {}", names.join(", ")),
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
        // 99.9 / 100 alone is not the nearest double to 0.999.
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
    fn every_metric_parses_from_its_name() {
        for metric in Metric::ALL {
            assert_eq!(metric.name().parse::<Metric>().unwrap(), *metric);
        }
        assert!("latency".parse::<Metric>().unwrap_err().hint.contains("submission.response"));
    }

    #[test]
    fn percentiles_parse_and_format() {
        assert!((Percentile::LISTED[5].fraction() - 0.999).abs() < 1e-15);
        for text in ["p50", "p95", "p99.9"] {
            assert_eq!(text.parse::<Percentile>().unwrap().to_string(), text);
        }
        for text in ["p0", "p100", "95", "p", "pp9", "pNaN"] {
            assert!(text.parse::<Percentile>().is_err(), "{text}");
        }
    }
}
