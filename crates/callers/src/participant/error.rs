//! Why a participant failed, and why it lost its room.

use std::error::Error;

use livekit_protocol as proto;
use rushhour_core::event::ReconnectCause;
use rushhour_core::units::ForeignText;
use str0m::RtcError;

/// A participant cannot continue: its peer connection failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParticipantError {
    /// The server's SDP answer cannot be parsed, or does not match the offer.
    #[error("the server's SDP answer was not accepted: {}", without_addresses(&.0.to_string()))]
    Answer(#[source] RtcError),
    /// The server's SDP offer cannot be parsed, or does not follow the one before.
    #[error("the server's SDP offer was not accepted: {}", without_addresses(&.0.to_string()))]
    Offer(#[source] RtcError),
    /// ICE, DTLS, SRTP or SCTP failed.
    #[error("the peer connection failed: {0}")]
    PeerConnection(#[from] RtcError),
}

/// The text of an error without the addresses in memory that the parser of SDP puts into it: with them, equal failures
/// would not be counted together.
fn without_addresses(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("0x") {
        let digits = rest[start + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        shown.push_str(&rest[..start]);
        shown.push_str(if digits >= 6 { "0x…" } else { &rest[start..start + 2 + digits] });
        rest = &rest[start + 2 + digits..];
    }
    shown + rest
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
    /// The signal connection ended before the participant had joined.
    #[error(transparent)]
    Signal(Box<dyn Error + Send + Sync>),
    /// The connection was lost, and could not be recovered.
    #[error("{}", not_recovered(*cause, *attempts, last_error.as_deref()))]
    NotRecovered {
        /// What was lost.
        cause: ReconnectCause,
        /// How often it was tried.
        attempts: u32,
        /// Why the last attempt failed.
        last_error: Option<ForeignText>,
    },
    /// The participant itself could not continue.
    #[error(transparent)]
    Participant(#[from] ParticipantError),
}

fn not_recovered(cause: ReconnectCause, attempts: u32, last_error: Option<&str>) -> String {
    let lost = cause.meaning();
    match (attempts, last_error) {
        (0, None) => format!("{lost}; reconnecting is off"),
        (0, Some(error)) => format!("{lost}: {error}"),
        (1, None) => format!("{lost}; one attempt did not bring it back"),
        (1, Some(error)) => format!("{lost}; one attempt did not bring it back: {error}"),
        (_, None) => format!("{lost}; {attempts} attempts did not bring it back"),
        (_, Some(error)) => {
            format!("{lost}; {attempts} attempts did not bring it back, the last one: {error}")
        }
    }
}

impl DisconnectError {
    /// Whether the participant lost its connection, rather than being removed or leaving.
    pub const fn is_lost_connection(&self) -> bool {
        use proto::DisconnectReason as Reason;
        match self {
            Self::NotRecovered { .. } => true,
            Self::ByServer(reason) => matches!(
                reason,
                Reason::ServerShutdown
                    | Reason::StateMismatch
                    | Reason::Migration
                    | Reason::SignalClose
                    | Reason::ConnectionTimeout
                    | Reason::MediaFailure
            ),
            Self::RoomDeleted | Self::Signal(_) | Self::Participant(_) => false,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_failures_have_equal_messages() {
        let parse =
            |text: &str| str0m::change::SdpAnswer::from_sdp_string(text).unwrap_err().to_string();
        // Two texts at two addresses.
        let texts = [String::from("v=1 no sdp"), String::from("v=1 no sdp")];
        let messages = texts.each_ref().map(|text| without_addresses(&parse(text)));
        assert_eq!(messages[0], messages[1]);
        assert_eq!(without_addresses("at 0x7f00aabbcc: 0x1f, 0x"), "at 0x…: 0x1f, 0x");
    }
}
