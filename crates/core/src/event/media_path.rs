//! The way of a native caller's media and data to the server.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The way of a native caller's media and data to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaPath {
    /// UDP.
    Udp,
    /// ICE over TCP.
    Tcp,
    /// A TURN server, reached over UDP.
    TurnUdp,
    /// A TURN server, reached over TCP.
    TurnTcp,
    /// A TURN server, reached over TLS.
    TurnTls,
}

impl MediaPath {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::TurnUdp => "TURN over UDP",
            Self::TurnTcp => "TURN over TCP",
            Self::TurnTls => "TURN over TLS",
        }
    }
}

impl fmt::Display for MediaPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
