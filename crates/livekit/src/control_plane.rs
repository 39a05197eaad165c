//! What the driver asks of LiveKit, so that it can be asked of a server, or of a fake in memory.

use super::error::LiveKitError;
use rushhour_core::BoxFuture;
use rushhour_core::units::{AgentName, DispatchId, Identity, Micros, RoomName};

/// A room to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRoomRequest {
    /// Its name.
    pub room: RoomName,
    /// How long it stays without anybody in it.
    pub empty_timeout: Micros,
    /// What marks it as ours.
    pub metadata: String,
    /// Which agents are in its configuration.
    pub agents: RoomAgents,
}

/// The agents list of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomAgents {
    /// No list: the server launches a nameless job beside whatever is dispatched later.
    Absent,
    /// A list with a name that nobody has, so that the server launches no nameless job.
    Placeholder,
    /// The agent itself, with its dispatch metadata.
    Agent(AgentName, String),
}

/// An agent to be sent into a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateDispatchRequest {
    /// The room.
    pub room: RoomName,
    /// The agent.
    pub agent: AgentName,
    /// The dispatch metadata, a JSON object.
    pub metadata: String,
}

/// An agent seen in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentParticipant {
    /// Who it is.
    pub identity: Identity,
    /// When the server says it joined, in milliseconds of the Unix epoch.
    pub joined_at_ms: Option<i64>,
    /// Whether its state is `listening`.
    pub listening: bool,
}

/// Who is in a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomParticipants {
    /// An agent, if one is there.
    pub agent: Option<AgentParticipant>,
    /// Whether the one who was asked after is there.
    pub caller: bool,
}

/// The server side of LiveKit.
pub trait ControlPlane: Send + Sync + 'static {
    /// Makes a room.
    fn create_room(&self, request: CreateRoomRequest) -> BoxFuture<'_, Result<(), LiveKitError>>;

    /// Sends an agent into a room. Success says nothing of an agent.
    fn create_dispatch(
        &self,
        request: CreateDispatchRequest,
    ) -> BoxFuture<'_, Result<DispatchId, LiveKitError>>;

    /// Looks for an agent in a room, and for a caller.
    fn list_participants(
        &self,
        room: RoomName,
        caller: Identity,
    ) -> BoxFuture<'_, Result<RoomParticipants, LiveKitError>>;

    /// Whether any worker was given a job of the agent in the room.
    fn is_dispatch_assigned(
        &self,
        room: RoomName,
        agent: AgentName,
    ) -> BoxFuture<'_, Result<bool, LiveKitError>>;

    /// Deletes a room; one that is not there counts as deleted.
    fn delete_room(&self, room: RoomName) -> BoxFuture<'_, Result<(), LiveKitError>>;
}
