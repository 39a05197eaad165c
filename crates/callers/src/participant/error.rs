//! Why a participant failed, and why it lost its room.

use std::error::Error;

use livekit_protocol as proto;
use str0m::RtcError;

/// A participant cannot continue: its peer connection failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParticipantError {
    /// The server's SDP answer cannot be parsed, or does not match the offer.
    #[error("the server's SDP answer was not accepted: {0}")]
    Answer(#[source] RtcError),
    /// ICE, DTLS, SRTP or SCTP failed.
    #[error("the peer connection failed: {0}")]
    PeerConnection(#[from] RtcError),
}

/// Why a participant that had joined, or was joining, was disconnected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectError {
    /// The room was deleted or closed.
    #[error("the room was deleted")]
    RoomDeleted,
    /// The server disconnected the participant, with LiveKit's reason.
    #[error("the server disconnected the participant: {}", .0.as_str_name().to_lowercase())]
    ByServer(proto::DisconnectReason),
    /// The signal connection ended.
    #[error(transparent)]
    Signal(Box<dyn Error + Send + Sync>),
    /// ICE has no working candidate pair any more.
    #[error("ICE lost the path to the server")]
    IceDisconnected,
    /// The server closed DTLS or SCTP.
    #[error("the server closed the peer connection")]
    PeerConnectionClosed,
    /// The participant itself could not continue.
    #[error(transparent)]
    Participant(#[from] ParticipantError),
}

impl From<proto::DisconnectReason> for DisconnectError {
    fn from(reason: proto::DisconnectReason) -> Self {
        use proto::DisconnectReason::{RoomClosed, RoomDeleted};
        match reason {
            RoomDeleted | RoomClosed => Self::RoomDeleted,
            other => Self::ByServer(other),
        }
    }
}
