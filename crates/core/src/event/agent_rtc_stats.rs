//! What an agent's own WebRTC stack counts, as its session tells it.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::units::Micros;

/// What an agent's own WebRTC stack had counted of its audio and of its caller's, when the last answer seemed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRtcStats {
    /// Packets of audio that it sent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sent: u64,
    /// Packets of them that did not reach LiveKit, as LiveKit told it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sent_lost: u64,
    /// Packets of audio that it received.
    #[serde(default, skip_serializing_if = "is_default")]
    pub received: u64,
    /// Packets that it should have received, and did not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub received_lost: u64,
    /// Samples that it played out to its speech recognition.
    #[serde(default, skip_serializing_if = "is_default")]
    pub samples: u64,
    /// Samples of them that its jitter buffer made up, silence aside.
    #[serde(default, skip_serializing_if = "is_default")]
    pub concealed: u64,
    /// The latest round trip between it and LiveKit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip: Option<Micros>,
}

impl AgentRtcStats {
    /// Both together; of the round trips, the longer.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            sent: self.sent.saturating_add(other.sent),
            sent_lost: self.sent_lost.saturating_add(other.sent_lost),
            received: self.received.saturating_add(other.received),
            received_lost: self.received_lost.saturating_add(other.received_lost),
            samples: self.samples.saturating_add(other.samples),
            concealed: self.concealed.saturating_add(other.concealed),
            round_trip: self.round_trip.max(other.round_trip),
        }
    }
}
