//! Another participant in the room, as the server describes it.

use livekit_protocol as proto;
use proto::participant_info::State;

use rushhour_core::units::{Identity, shortened};
use rushhour_livekit::{AgentState, is_agent, represented};

/// Audio tracks of one participant that are kept, at most.
const MAX_AUDIO_TRACKS: usize = 16;

/// The longest name of a track, or SID, that is kept, in bytes.
const MAX_TRACK_NAME: usize = 256;

/// Another participant in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteParticipant {
    /// Its identity, unique in the room.
    pub identity: Identity,
    /// Its SID, which is another one each time that it joins.
    pub sid: String,
    /// Whether its kind is agent, or it has the permission of an agent.
    pub is_agent: bool,
    /// The agent on whose behalf it publishes, where it is an avatar.
    pub publishes_for: Option<Identity>,
    /// Whether it is in the room; false once it has left.
    pub connected: bool,
    /// Whether the server has connected its media. Until then it is let in, and can neither hear nor speak.
    pub has_media: bool,
    /// Why it left, once it has.
    pub departure: DepartureReason,
    /// When it joined by the server's clock, in milliseconds since the Unix epoch.
    pub joined_at_ms: Option<i64>,
    /// What it says that it does, where it is an agent that says so.
    pub agent_state: Option<AgentState>,
    /// The audio tracks that it publishes.
    pub audio_tracks: Vec<RemoteAudioTrack>,
}

impl RemoteParticipant {
    /// A participant of whom only the identity is known, and whether it is an agent.
    pub const fn new(identity: Identity, is_agent: bool) -> Self {
        Self {
            identity,
            sid: String::new(),
            is_agent,
            publishes_for: None,
            connected: true,
            has_media: true,
            departure: DepartureReason::Unknown,
            joined_at_ms: None,
            agent_state: None,
            audio_tracks: Vec::new(),
        }
    }
}

/// Why another participant left the room, as the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DepartureReason {
    /// The server does not say.
    Unknown,
    /// It left of its own accord.
    Left,
    /// The server lost its connection: its process or its network is gone.
    Lost,
    /// Somebody removed it.
    Removed,
    /// The room is being deleted.
    RoomDeleted,
}

impl From<proto::DisconnectReason> for DepartureReason {
    fn from(reason: proto::DisconnectReason) -> Self {
        use proto::DisconnectReason as Reason;
        match reason {
            Reason::ClientInitiated => Self::Left,
            Reason::ConnectionTimeout
            | Reason::SignalClose
            | Reason::StateMismatch
            | Reason::MediaFailure
            | Reason::AgentError => Self::Lost,
            Reason::ParticipantRemoved | Reason::DuplicateIdentity => Self::Removed,
            Reason::RoomDeleted | Reason::RoomClosed => Self::RoomDeleted,
            _ => Self::Unknown,
        }
    }
}

/// An audio track of another participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteAudioTrack {
    /// Its SID.
    pub sid: String,
    /// Its name.
    pub name: String,
    /// Whether its source is a microphone; background audio and shared screens are not.
    pub is_microphone: bool,
    /// Whether its audio is encrypted end to end.
    pub is_encrypted: bool,
}

impl RemoteAudioTrack {
    fn new(track: &proto::TrackInfo) -> Option<Self> {
        (track.r#type() == proto::TrackType::Audio).then(|| Self {
            is_microphone: track.source() == proto::TrackSource::Microphone,
            is_encrypted: track.encryption() != proto::encryption::Type::None,
            sid: shortened(&track.sid, MAX_TRACK_NAME),
            name: shortened(&track.name, MAX_TRACK_NAME),
        })
    }
}

impl From<proto::ParticipantInfo> for RemoteParticipant {
    fn from(info: proto::ParticipantInfo) -> Self {
        Self {
            is_agent: is_agent(&info),
            publishes_for: represented(&info).map(Identity::new),
            connected: info.state() != State::Disconnected,
            has_media: info.state() == State::Active,
            departure: info.disconnect_reason().into(),
            joined_at_ms: (info.joined_at_ms > 0).then_some(info.joined_at_ms),
            agent_state: info
                .attributes
                .get(AgentState::ATTRIBUTE)
                .map(|state| AgentState::from(state.as_str())),
            audio_tracks: info
                .tracks
                .iter()
                .filter_map(RemoteAudioTrack::new)
                .take(MAX_AUDIO_TRACKS)
                .collect(),
            sid: shortened(&info.sid, MAX_TRACK_NAME),
            identity: Identity::new(info.identity),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn info() -> proto::ParticipantInfo {
        proto::ParticipantInfo { identity: "one".to_owned(), ..proto::ParticipantInfo::default() }
    }

    #[test]
    fn an_avatar_names_its_agent_and_tracks_have_their_source() {
        let attributes = HashMap::from([("lk.publish_on_behalf".to_owned(), "agent-1".to_owned())]);
        let track =
            |name: &str, kind: proto::TrackType, source: proto::TrackSource| proto::TrackInfo {
                sid: format!("TR_{name}"),
                name: name.to_owned(),
                r#type: kind.into(),
                source: source.into(),
                ..proto::TrackInfo::default()
            };
        let tracks = vec![
            track("avatar_video", proto::TrackType::Video, proto::TrackSource::Camera),
            track("avatar_audio", proto::TrackType::Audio, proto::TrackSource::Microphone),
            proto::TrackInfo {
                encryption: proto::encryption::Type::Gcm.into(),
                ..track("background_audio", proto::TrackType::Audio, proto::TrackSource::Unknown)
            },
        ];
        let avatar =
            RemoteParticipant::from(proto::ParticipantInfo { attributes, tracks, ..info() });
        assert_eq!(avatar.publishes_for, Some(Identity::new("agent-1")));
        let seen: Vec<_> = avatar
            .audio_tracks
            .iter()
            .map(|track| (track.name.as_str(), track.is_microphone, track.is_encrypted))
            .collect();
        assert_eq!(seen, [("avatar_audio", true, false), ("background_audio", false, true)]);
    }

    #[test]
    fn a_departure_says_whether_the_process_is_gone() {
        for (reason, departure) in [
            (proto::DisconnectReason::ClientInitiated, DepartureReason::Left),
            (proto::DisconnectReason::ConnectionTimeout, DepartureReason::Lost),
            (proto::DisconnectReason::ParticipantRemoved, DepartureReason::Removed),
            (proto::DisconnectReason::RoomDeleted, DepartureReason::RoomDeleted),
            (proto::DisconnectReason::UnknownReason, DepartureReason::Unknown),
        ] {
            let gone = proto::ParticipantInfo {
                state: State::Disconnected.into(),
                disconnect_reason: reason.into(),
                ..info()
            };
            let gone = RemoteParticipant::from(gone);
            assert_eq!((gone.connected, gone.departure), (false, departure), "{reason:?}");
        }
    }
}
