//! A turn of a conversation as a native caller sees it in the room.

use serde::{Deserialize, Serialize};

use super::is_default;
use super::key_words::KeyWords;
use super::speech_quality::{SpeechQuality, TurnTaking};
use super::transcription_errors::TranscriptionErrors;
use crate::units::{Micros, SessionTime};

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnEnding {
    /// The agent answered; as expected, if the script expects anything.
    Answered,
    /// The agent answered, but not as expected.
    Unexpected,
    /// The agent began to answer before our turn had ended, and not again after it: there is no latency.
    Early,
    /// The agent did not answer in time.
    TimedOut,
    /// The conversation ended in the middle of the turn.
    BrokenOff,
}

impl TurnEnding {
    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unexpected => "unexpected",
            Self::Early => "early",
            Self::TimedOut => "timed_out",
            Self::BrokenOff => "broken_off",
        }
    }

    /// Whether the agent answered at all.
    pub const fn is_answered(self) -> bool {
        matches!(self, Self::Answered | Self::Unexpected | Self::Early)
    }
}

/// What the agent reports about the parts of a turn (`lk.agent.session` of LiveKit Agents).
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
    /// From the request to the first byte of synthesised speech.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tts_first_byte: Option<Micros>,
    /// From the end of the caller's speech to the beginning of the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_to_end: Option<Micros>,
}

impl TurnParts {
    /// Whether the agent reported nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A turn: what the caller said, and the agent's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Its number in the script, from 1.
    pub number: u32,
    /// When the caller's turn was sent completely: its last byte, or its last audible frame.
    pub said: SessionTime,
    /// When the agent was first read or heard after it, by the first chunk or audible frame, where the script says what it
    /// expects: a filler may come before the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_any: Option<SessionTime>,
    /// When the answer began to arrive: its first chunk, or its first audible frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<SessionTime>,
    /// When the answer was complete: its final chunk, or its last audible frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<SessionTime>,
    /// When the agent had finished: its last sound or chunk before the caller went on, pauses, fillers and tool calls
    /// included. `None` if it was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<SessionTime>,
    /// How it ended.
    pub ending: TurnEnding,
    /// If the caller interrupted the agent and it yielded: how long the agent went on speaking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yielded: Option<Micros>,
    /// What the agent reports about it.
    #[serde(default, skip_serializing_if = "TurnParts::is_empty")]
    pub parts: TurnParts,
    /// In voice, what the agent heard of the caller against what the script says, by words; `None` where either is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<TranscriptionErrors>,
    /// The same by characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_characters: Option<TranscriptionErrors>,
    /// In voice, whether the agent heard the key words that the script names; `None` where it wrote no transcript.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_words: Option<KeyWords>,
    /// The number of the rule by which the caller said it, from 1; none of a turn of the script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<u32>,
    /// In voice, how the agent's speech arrived since the turn before; that of the first turn includes the greeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<SpeechQuality>,
    /// In voice, how agent and caller took turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taking: Option<TurnTaking>,
    /// Whether the caller's connection was away during it, or its worker stood still: its times are then not the agent's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub away: bool,
}

impl Turn {
    /// A turn of which nothing is known but when it was said, and how it ended.
    pub fn new(number: u32, said: SessionTime, ending: TurnEnding) -> Self {
        Self {
            number,
            said,
            first_any: None,
            first: None,
            last: None,
            done: None,
            ending,
            yielded: None,
            parts: TurnParts::default(),
            heard: None,
            heard_characters: None,
            key_words: None,
            rule: None,
            sound: None,
            taking: None,
            away: false,
        }
    }

    /// The same turn with all its times on another clock.
    #[must_use]
    pub fn on_clock(self, clock: impl Fn(SessionTime) -> SessionTime) -> Self {
        Self {
            said: clock(self.said),
            first_any: self.first_any.map(&clock),
            first: self.first.map(&clock),
            last: self.last.map(&clock),
            done: self.done.map(&clock),
            ..self
        }
    }
}

/// The audio that a native caller sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FramesSent {
    /// Frames of 20 ms.
    pub sent: u64,
    /// Frames that were sent more than 5 ms late.
    pub late: u64,
    /// Frames that were dropped because too many were due at once after a stall.
    pub given_up: u64,
}
