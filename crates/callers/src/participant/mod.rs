//! A participant of a LiveKit room without IO of its own: signal messages, datagrams and time in; signal
//! messages, datagrams, events and a deadline out.
//!
//! `peer` is the one peer connection (str0m), `signal` the words of LiveKit's signalling, `participant`
//! puts both together.

#[expect(clippy::module_inception, reason = "the room's own file is named for it")]
mod participant;
mod peer_connection;
mod remote_participant;
mod signal;

pub use participant::{
    JoinConfig, Participant, ParticipantError, ParticipantEvent, ParticipantOutput, SendOutcome,
};
pub use peer_connection::AudioPacket;
pub use remote_participant::{RemoteParticipant, TrackInfo};
pub use signal::{JoinQuery, decode_signal, encode_signal};
