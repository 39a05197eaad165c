//! A turn of a conversation as our own callers see it from inside the room.

use serde::{Deserialize, Serialize};

use crate::units::{Micros, SessionTime};

/// What became of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnEnding {
    /// The agent answered, and as expected where something was expected.
    Answered,
    /// The agent answered, and not as expected.
    Unexpected,
    /// The agent began to speak before we had finished, and never again: an answer without a latency.
    Early,
    /// No answer in time.
    TimedOut,
    /// The conversation broke off before it was over.
    BrokenOff,
}

impl TurnEnding {
    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unexpected => "unexpected",
            Self::Early => "early",
            Self::TimedOut => "timed_out",
            Self::BrokenOff => "broken_off",
        }
    }

    /// Whether the agent answered, whatever.
    pub const fn is_answered(self) -> bool {
        matches!(self, Self::Answered | Self::Unexpected | Self::Early)
    }
}

/// How long the agent itself says that the parts of a turn took (`lk.agent.session` of LiveKit's framework).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnParts {
    /// From the end of speech to its transcript.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcription: Option<Micros>,
    /// From the end of speech to the decision that the turn is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_turn: Option<Micros>,
    /// From the request to the language model's first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_first_token: Option<Micros>,
    /// From the request to the synthesiser's first byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tts_first_byte: Option<Micros>,
    /// From the end of the user's speech to the beginning of the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_to_end: Option<Micros>,
}

impl TurnParts {
    /// Whether the agent told nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A turn: what we said, and what came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Its place in the script, from 1.
    pub number: u32,
    /// When the last of what we said was sent: the last byte, or the last audible frame.
    pub said: SessionTime,
    /// When the first of the answer arrived: the first chunk, or the first audible frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<SessionTime>,
    /// When the last of the answer arrived: the final chunk, or the last audible frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<SessionTime>,
    /// What became of it.
    pub ending: TurnEnding,
    /// Where we spoke over the agent, how long it spoke on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yielded: Option<Micros>,
    /// What the agent tells of it.
    #[serde(default, skip_serializing_if = "TurnParts::is_empty")]
    pub parts: TurnParts,
}

impl Turn {
    /// The same turn on a clock that began so much earlier.
    #[must_use]
    pub fn later(self, by: Micros) -> Self {
        Self {
            said: self.said + by,
            first: self.first.map(|at| at + by),
            last: self.last.map(|at| at + by),
            ..self
        }
    }
}

/// Audio that one of our callers sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FramesSent {
    /// Frames of 20 ms.
    pub sent: u64,
    /// Those that left more than 5 ms late.
    pub late: u64,
    /// Those that never left, because a stall had left too many due at once.
    pub given_up: u64,
}
