//! Another participant in the room, as the server describes it.

use livekit_protocol as proto;

use rushhour_core::units::{Identity, shortened};

/// The attribute in which an agent built with LiveKit's framework publishes its state.
const AGENT_STATE: &str = "lk.agent.state";

/// The longest state that is kept, in bytes.
const MAX_STATE: usize = 100;

/// Another participant in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteParticipant {
    /// Its identity, unique in the room.
    pub identity: Identity,
    /// Whether its kind is agent.
    pub is_agent: bool,
    /// Whether it is in the room; false once it has left.
    pub connected: bool,
    /// When it joined by the server's clock, in milliseconds since the Unix epoch.
    pub joined_at_ms: Option<i64>,
    /// The value of its attribute `lk.agent.state`, such as `listening`.
    pub agent_state: Option<String>,
}

impl From<proto::ParticipantInfo> for RemoteParticipant {
    fn from(mut info: proto::ParticipantInfo) -> Self {
        Self {
            is_agent: info.kind() == proto::participant_info::Kind::Agent,
            connected: info.state() != proto::participant_info::State::Disconnected,
            joined_at_ms: (info.joined_at_ms > 0).then_some(info.joined_at_ms),
            agent_state: info
                .attributes
                .remove(AGENT_STATE)
                .map(|state| shortened(&state, MAX_STATE)),
            identity: Identity::new(info.identity),
        }
    }
}
