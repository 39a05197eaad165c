//! Why a participant is not in its room.

use std::fmt;

use super::connect_error::ConnectError;
use crate::participant::DisconnectError;

/// Why a participant is not, or no longer, in its room.
#[derive(Debug)]
pub enum LeaveReason {
    /// It could not join.
    JoinFailed(ConnectError),
    /// Its handler left the room, or [`ParticipantControl::stop`](super::ParticipantControl::stop) or the end of
    /// the engine made it leave.
    ClientInitiated,
    /// The server disconnected it, the room was deleted, or the connection was lost.
    Disconnected(DisconnectError),
}

impl fmt::Display for LeaveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JoinFailed(error) => error.fmt(f),
            Self::ClientInitiated => f.write_str("client initiated"),
            Self::Disconnected(error) => error.fmt(f),
        }
    }
}
