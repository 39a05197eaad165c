//! LiveKit from outside the room: tokens, rooms, agent dispatch, and looking who is there.
//!
//! Nothing here joins a room: an ordinary participant would be taken by the agent for its caller.

mod client;
mod control_plane;
mod error;
pub mod http;
mod room_owner;
mod token;
mod twirp;

pub use client::{DispatchInfo, LiveKitClient, PLACEHOLDER_AGENT, RoomInfo, RoomList};
pub use control_plane::{
    AgentParticipant, ControlPlane, CreateDispatchRequest, CreateRoomRequest, RoomAgents,
    RoomParticipants,
};
pub use error::{LiveKitError, LiveKitErrorKind};
pub use room_owner::{RoomOwner, dispatch_metadata, room_mark, room_metadata};
pub use token::{TokenError, TokenRequest, TokenSigner};
