//! What the network did to an agent's voice on the way to its caller.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::units::Micros;

/// The packets of an agent's voice as its caller received them, silence included (RFC 3550, section 6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedAudio {
    /// Packets that arrived.
    pub packets: u64,
    /// Packets that did not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lost: u64,
    /// The interarrival jitter, as a mean over all packets.
    #[serde(default, skip_serializing_if = "is_default")]
    pub jitter: Micros,
}

impl ReceivedAudio {
    /// The share of the packets that did not arrive; `None` where none was sent.
    pub fn loss(&self) -> Option<f64> {
        let sent = self.packets.saturating_add(self.lost);
        (sent > 0).then(|| self.lost as f64 / sent as f64)
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let packets = self.packets.saturating_add(other.packets);
        let weighted = |one: &Self| u128::from(one.jitter.0) * u128::from(one.packets);
        let jitter = (weighted(self) + weighted(other)) / u128::from(packets.max(1));
        Self {
            packets,
            lost: self.lost.saturating_add(other.lost),
            jitter: Micros(u64::try_from(jitter).unwrap_or(u64::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_a_mean_over_packets_and_loss_a_share_of_what_was_sent() {
        let none = ReceivedAudio::default();
        assert_eq!((none.loss(), none.plus(&none)), (None, none));
        let one = ReceivedAudio { packets: 300, lost: 100, jitter: Micros(4_000) };
        let other = ReceivedAudio { packets: 100, lost: 0, jitter: Micros(8_000) };
        let both = one.plus(&other);
        assert_eq!(both, ReceivedAudio { packets: 400, lost: 100, jitter: Micros(5_000) });
        assert_eq!(both.loss(), Some(0.2));
        assert_eq!(serde_json::to_string(&other).unwrap(), r#"{"packets":100,"jitter":8000}"#);
        assert_eq!(serde_json::from_str::<ReceivedAudio>(r#"{"packets":1}"#).unwrap().lost, 0);
    }
}
