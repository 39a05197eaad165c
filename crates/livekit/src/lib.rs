//! LiveKit's server API: access tokens, rooms, agent dispatch, and polling who is in a room.
//!
//! [`ControlPlane`] is what a session needs of a server, [`LiveKitClient`] implements it over Twirp, and
//! [`TokenSigner`] signs access tokens. [`http`] is the HTTP client underneath, which the evaluators use too.
//!
//! Nothing here joins a room: an agent would take an ordinary participant for its caller. Participants are in
//! `rushhour-callers`.

mod agent_rule;
mod agent_state;
mod client;
mod control_plane;
mod dispatched_job;
mod error;
pub mod http;
mod message_parts;
mod metadata;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod token;
mod twirp;

pub use agent_rule::{is_agent, represented};
pub use agent_state::AgentState;
pub use client::{DispatchInfo, LiveKitClient, PLACEHOLDER_AGENT, RoomInfo, RoomList};
pub use control_plane::{
    AgentParticipant, AudioPublisher, ControlPlane, CreateDispatchRequest, CreateRoomRequest,
    RoomAgents, RoomParticipants,
};
pub use dispatched_job::{DispatchedJob, JobStatus, absence_words};
pub use error::{LiveKitError, LiveKitErrorKind};
pub use message_parts::has_more_parts;
pub use metadata::{
    RoomOwner, caller_claims, dispatch_metadata, parse_room_owner, room_metadata,
    room_metadata_with,
};
pub use token::{ParticipantClaims, TokenDispatch, TokenError, TokenRequest, TokenSigner};
