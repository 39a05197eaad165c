//! A participant in a LiveKit room, sans-IO: signal messages, datagrams and time go in; signal messages,
//! datagrams, events and a deadline come out.
//!
//! [`Participant`] combines its `peer_connections` (str0m, in `peer_connection`) with LiveKit's signalling, whose
//! join request and message encoding are in `signal`. When it loses its connection, `reconnection` says when it tries
//! what, and `reconnecting` does it.

mod certificate;
mod error;
mod ice_server;
mod introduction;
#[expect(clippy::module_inception, reason = "the file is named after the type that it holds")]
mod participant;
mod peer_connection;
mod peer_connections;
mod reconnecting;
mod reconnection;
mod remote_participant;
mod route;
mod sending;
mod signal;
#[cfg(test)]
mod tests;

pub(crate) use certificate::prepare_certificate;
pub use error::{DisconnectError, ParticipantError};
pub use ice_server::IceServer;
pub use participant::{
    JoinConfig, OwnTrack, Participant, ParticipantEvent, ParticipantOutput, SendOutcome,
    ServerDetails,
};
pub use peer_connection::AudioPacket;
pub use reconnecting::{SignalAttempt, SignalLoss, SignalTarget};
pub use reconnection::{ReconnectBounds, ReconnectPolicy};
pub use remote_participant::{DepartureReason, RemoteAudioTrack, RemoteParticipant};
pub use route::{LocalCandidate, PacketProtocol, PacketRoute, PeerRole, ServerCandidate};
pub use signal::{JoinQuery, SignalProtocol, decode_signal};
pub(crate) use signal::{encode_signal, has_too_many_parts, request_kind, response_kind};
