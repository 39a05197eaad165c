//! How a native caller that lost its connection came back.

use serde::{Deserialize, Serialize};

use crate::units::{Micros, SessionTime};

/// Why a caller had to reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReconnectCause {
    /// The signal WebSocket broke or was closed.
    SignalLost,
    /// Nothing came over the signal WebSocket any more, not even the answers to pings.
    SignalSilent,
    /// Media lost its path to the server.
    MediaLost,
    /// The server asked for it.
    ServerRequest,
}

impl ReconnectCause {
    /// What was lost, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::SignalLost => "the signal connection broke",
            Self::SignalSilent => "the signal connection fell silent",
            Self::MediaLost => "media lost its path to the server",
            Self::ServerRequest => "the server asked for it",
        }
    }
}

/// How a caller came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReconnectMethod {
    /// With a new signal connection to the same participant; media and data went on, or found another path.
    Resume,
    /// By joining again: a new participant with new connections. What was said or written meanwhile is lost.
    Rejoin,
}

/// A lost connection that was recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconnect {
    /// Why.
    pub cause: ReconnectCause,
    /// How.
    pub method: ReconnectMethod,
    /// When the loss was noticed.
    pub lost: SessionTime,
    /// When the connection was back.
    pub back: SessionTime,
    /// How many attempts it took.
    pub attempts: u32,
}

impl Reconnect {
    /// For how long the connection was away.
    pub const fn duration(self) -> Micros {
        self.back.since(self.lost)
    }

    /// The same with its times on another clock.
    #[must_use]
    pub fn on_clock(self, clock: impl Fn(SessionTime) -> SessionTime) -> Self {
        Self { lost: clock(self.lost), back: clock(self.back), ..self }
    }
}
