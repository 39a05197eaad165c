//! What a session needs of a LiveKit server, as a trait: a real server implements it, and fakes in tests.

use super::dispatched_job::DispatchedJob;
use super::error::LiveKitError;
use rushhour_core::BoxFuture;
use rushhour_core::units::{AgentName, DispatchId, Identity, Micros, RoomName};

/// A room to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRoomRequest {
    /// Its name.
    pub room: RoomName,
    /// How long it stays open without participants.
    pub empty_timeout: Micros,
    /// Marks the room as created by a session: [`room_metadata`](crate::room_metadata).
    pub metadata: String,
    /// The agents in its configuration.
    pub agents: RoomAgents,
}

/// The agents list of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomAgents {
    /// No list: the server launches a nameless job, in addition to whatever is dispatched later.
    Absent,
    /// A list with a name that no worker has, so that the server launches no nameless job.
    Placeholder,
    /// The agent itself, with its dispatch metadata.
    Agent(AgentName, String),
}

/// An agent to dispatch into a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateDispatchRequest {
    /// The room.
    pub room: RoomName,
    /// The agent.
    pub agent: AgentName,
    /// The dispatch metadata, a JSON object.
    pub metadata: String,
}

/// An agent in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentParticipant {
    /// Its identity.
    pub identity: Identity,
    /// When it joined on the server's clock, in milliseconds of the Unix epoch.
    pub joined_at_ms: Option<i64>,
    /// Whether its `lk.agent.state` is `listening`.
    pub listening: bool,
    /// Whether the server lists it, and announces it to nobody in the room.
    pub hidden: bool,
}

/// A participant that publishes audio and is neither an agent, nor an avatar, nor the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioPublisher {
    /// Its identity.
    pub identity: Identity,
    /// Its kind, in LiveKit's word.
    pub kind: &'static str,
}

/// What was polled of a room's participants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomParticipants {
    /// The agent, if one is in the room.
    pub agent: Option<AgentParticipant>,
    /// Whether the caller that was asked for is in the room.
    pub caller_present: bool,
    /// The first few who publish audio besides.
    pub others: Vec<AudioPublisher>,
}

/// LiveKit's server API, as far as a session uses it.
pub trait ControlPlane: Send + Sync + 'static {
    /// Creates a room.
    fn create_room(&self, request: CreateRoomRequest) -> BoxFuture<'_, Result<(), LiveKitError>>;

    /// Dispatches an agent into a room. Success does not mean that a worker accepts the job.
    fn create_dispatch(
        &self,
        request: CreateDispatchRequest,
    ) -> BoxFuture<'_, Result<DispatchId, LiveKitError>>;

    /// Polls a room for an agent and a caller.
    fn list_participants(
        &self,
        room: RoomName,
        caller: Identity,
    ) -> BoxFuture<'_, Result<RoomParticipants, LiveKitError>>;

    /// The job of the agent in the room, if a worker has accepted one.
    fn dispatched_job(
        &self,
        room: RoomName,
        agent: AgentName,
    ) -> BoxFuture<'_, Result<Option<DispatchedJob>, LiveKitError>>;

    /// Deletes a room; succeeds where it does not exist.
    fn delete_room(&self, room: RoomName) -> BoxFuture<'_, Result<(), LiveKitError>>;
}
