//! LiveKit from outside the room: tokens, rooms, agent dispatch, and looking who is there.
//!
//! Nothing here joins a room: an ordinary participant would be taken by the agent for its caller.

mod api;
mod control_plane;
mod error;
pub mod http;
mod metadata;
mod token;
mod twirp;

pub use api::{DispatchSight, LiveKitServer, PLACEHOLDER_AGENT, RoomSight, Rooms};
pub use control_plane::{
    AgentSight, ControlPlane, DispatchRequest, Present, RoomAgents, RoomRequest,
};
pub use error::{LiveKitError, LiveKitErrorKind};
pub use metadata::{RoomMark, dispatch_metadata, room_mark, room_metadata};
pub use token::{TokenError, TokenMint, TokenRequest};
