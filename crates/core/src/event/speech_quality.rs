//! How an agent's speech arrived at a native caller, and how agent and caller took turns.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::units::Micros;

/// How the agent's speech of a turn arrived: what a listener would not have heard of it, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeechQuality {
    /// How long the agent spoke: gaps are included, and pauses below 200 ms. Early journals leave out gaps from 200 ms on.
    pub speech: Micros,
    /// Gaps of digital silence that cut its speech while packets went on: its synthesis starved.
    #[serde(default, skip_serializing_if = "is_default")]
    pub starved: u32,
    /// Gaps before packets that came too late, and then at once: the agent's machine starved, or the network held them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub late: u32,
    /// Gaps of packets that never came: the network lost them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lost: u32,
    /// How long the gaps of digital silence were.
    #[serde(default, skip_serializing_if = "is_default")]
    pub silent: Micros,
    /// How long a listener's jitter buffer had nothing to play, whatever the length of the gap.
    #[serde(default, skip_serializing_if = "is_default")]
    pub concealed: Micros,
    /// The longest gap.
    #[serde(default, skip_serializing_if = "is_default")]
    pub longest_gap: Micros,
}

impl SpeechQuality {
    /// All gaps.
    pub const fn gaps(&self) -> u64 {
        self.starved as u64 + self.late as u64 + self.lost as u64
    }

    /// What was not heard of the speech: silent, or concealed.
    pub fn unheard(&self) -> Micros {
        self.silent + self.concealed
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            speech: self.speech + other.speech,
            starved: self.starved.saturating_add(other.starved),
            late: self.late.saturating_add(other.late),
            lost: self.lost.saturating_add(other.lost),
            silent: self.silent + other.silent,
            concealed: self.concealed + other.concealed,
            longest_gap: self.longest_gap.max(other.longest_gap),
        }
    }
}

/// How agent and caller took turns, from the beginning of the caller's turn to the end of the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnTaking {
    /// The longest silence in which it was the agent's turn.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dead_air: Micros,
    /// How long the caller spoke, from its first sound to its last.
    #[serde(default, skip_serializing_if = "is_default")]
    pub caller_speech: Micros,
    /// For how much of that the agent spoke too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlap: Micros,
    /// Whether the agent began while the caller spoke, and had not stopped when it ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub talked_over: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_without_a_gap_writes_only_how_long_it_was() {
        let clean = SpeechQuality { speech: Micros(7), ..SpeechQuality::default() };
        assert_eq!(serde_json::to_string(&clean).unwrap(), r#"{"speech":7}"#);
        let gaps = SpeechQuality { starved: 2, late: 1, longest_gap: Micros(5), ..clean };
        let both = gaps.plus(&SpeechQuality { lost: 1, longest_gap: Micros(3), ..clean });
        assert_eq!((both.gaps(), both.speech, both.longest_gap), (4, Micros(14), Micros(5)));
        let text = serde_json::to_string(&both).unwrap();
        assert_eq!(serde_json::from_str::<SpeechQuality>(&text).unwrap(), both);
    }
}
