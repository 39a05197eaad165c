//! Somebody else in the room, as the server describes them.

use livekit_protocol as proto;

use rushhour_core::units::Identity;

/// The attribute in which an agent built with LiveKit's framework tells its state.
const AGENT_STATE: &str = "lk.agent.state";

/// Somebody in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteParticipant {
    /// Who it is.
    pub identity: Identity,
    /// Whether it is an agent.
    pub is_agent: bool,
    /// Whether it is there; otherwise it has left.
    pub present: bool,
    /// When the server says it joined, in milliseconds of the Unix epoch.
    pub joined_at_ms: Option<i64>,
    /// Its state, if it is an agent that tells.
    pub agent_state: Option<String>,
    /// Its tracks.
    pub tracks: Vec<TrackInfo>,
}

/// A track of somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackInfo {
    /// Its name at the server.
    pub sid: String,
    /// Whether it is audio.
    pub is_audio: bool,
}

impl From<proto::ParticipantInfo> for RemoteParticipant {
    fn from(mut info: proto::ParticipantInfo) -> Self {
        Self {
            is_agent: info.kind() == proto::participant_info::Kind::Agent,
            present: info.state() != proto::participant_info::State::Disconnected,
            joined_at_ms: (info.joined_at_ms > 0).then_some(info.joined_at_ms),
            agent_state: info.attributes.remove(AGENT_STATE),
            tracks: info
                .tracks
                .iter()
                .map(|track| TrackInfo {
                    sid: track.sid.clone(),
                    is_audio: track.r#type() == proto::TrackType::Audio,
                })
                .collect(),
            identity: Identity::new(info.identity),
        }
    }
}
