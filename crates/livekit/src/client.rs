//! A LiveKit server behind its API.

use std::time::{Duration, SystemTime};

use livekit_api::access_token::VideoGrants;
use livekit_protocol as proto;

use super::control_plane::{
    AgentParticipant, ControlPlane, CreateDispatchRequest, CreateRoomRequest, RoomAgents,
    RoomParticipants,
};
use super::error::{LiveKitError, LiveKitErrorKind};
use super::twirp::Twirp;
use rushhour_core::BoxFuture;
use rushhour_core::units::{AgentName, DispatchId, Identity, Micros, RoomName, Secret};

/// The name in the agents list of a room whose agent is dispatched explicitly; no worker registers it.
pub const PLACEHOLDER_AGENT: &str = "rushhour-placeholder";

/// The attribute in which an agent built with LiveKit's framework tells its state.
const AGENT_STATE: &str = "lk.agent.state";

/// A room as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomInfo {
    /// Its name.
    pub room: RoomName,
    /// Its metadata, as it stands there.
    pub metadata: String,
    /// When it was made on the server's clock, in milliseconds of the Unix epoch; none where the server does not say.
    pub made_at_ms: Option<i64>,
    /// How long its maker wanted it to stay without anybody in it.
    pub empty_timeout: Micros,
    /// How many are in it.
    pub participants: u32,
}

/// The rooms that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomList {
    /// One by one.
    pub rooms: Vec<RoomInfo>,
    /// The server's wall clock, to the second, where it tells.
    pub server_clock: Option<SystemTime>,
}

/// A dispatch as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchInfo {
    /// Whose; empty for the nameless job of a room without an agents list.
    pub agent: AgentName,
    /// How many jobs workers were given.
    pub jobs: usize,
}

/// A LiveKit server: one client, nothing replayed behind our back.
pub struct LiveKitClient {
    twirp: Twirp,
}

impl LiveKitClient {
    /// A client for the server at `url` (`ws://`, `wss://`, `http://` or `https://`); every request may take `timeout`.
    ///
    /// # Errors
    /// Where no HTTP client can be made, which is the machine's fault.
    pub fn new(
        url: &str,
        key: &Secret,
        secret: &Secret,
        timeout: Duration,
    ) -> Result<Self, LiveKitError> {
        Ok(Self { twirp: Twirp::new(url, key, secret, timeout)? })
    }

    /// Asks for one room that is not there: shows that the server answers and accepts the key.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn greet(&self) -> Result<(), LiveKitError> {
        self.rooms(vec!["rushhour-greets".to_owned()]).await.map(|_| ())
    }

    /// The names of the rooms that are there, of those named, or of all where none is named.
    ///
    /// # Errors
    /// Where the server does not say.
    pub async fn rooms(&self, names: Vec<String>) -> Result<Vec<RoomName>, LiveKitError> {
        let listed = self.list_rooms(names).await?;
        Ok(listed.rooms.into_iter().map(|sight| sight.room).collect())
    }

    /// The rooms that are there, of those named, or all where none is named, and the server's clock.
    ///
    /// # Errors
    /// Where the server does not say.
    pub async fn list_rooms(&self, names: Vec<String>) -> Result<RoomList, LiveKitError> {
        let grants = VideoGrants { room_list: true, ..VideoGrants::default() };
        let request = proto::ListRoomsRequest { names };
        let (answer, server_clock): (proto::ListRoomsResponse, _) =
            self.twirp.call_dated("RoomService/ListRooms", grants, &request).await?;
        let rooms = answer.rooms.into_iter().map(|room| RoomInfo {
            made_at_ms: match (room.creation_time_ms, room.creation_time) {
                (ms @ 1.., _) => Some(ms),
                // Servers before 1.8 tell whole seconds alone.
                (_, seconds @ 1..) => Some(seconds.saturating_mul(1_000)),
                _ => None,
            },
            room: RoomName::new(room.name),
            metadata: room.metadata,
            empty_timeout: Micros::from_secs(u64::from(room.empty_timeout)),
            participants: room.num_participants,
        });
        Ok(RoomList { rooms: rooms.collect(), server_clock })
    }

    /// The dispatches of a room but for the placeholder's; none where the room is not there.
    ///
    /// # Errors
    /// Where the server does not say.
    pub async fn dispatches(&self, room: &RoomName) -> Result<Vec<DispatchInfo>, LiveKitError> {
        let request = proto::ListAgentDispatchRequest {
            room: room.as_str().to_owned(),
            ..proto::ListAgentDispatchRequest::default()
        };
        let method = "AgentDispatchService/ListDispatch";
        let listed: proto::ListAgentDispatchResponse =
            none_if_absent(self.twirp.call(method, room_admin(room), &request).await)?;
        let named = listed.agent_dispatches.into_iter();
        Ok(named
            .filter(|dispatch| dispatch.agent_name != PLACEHOLDER_AGENT)
            .map(|dispatch| DispatchInfo {
                jobs: dispatch.state.map_or(0, |state| state.jobs.len()),
                agent: AgentName::new(dispatch.agent_name),
            })
            .collect())
    }
}

fn room_admin(room: &RoomName) -> VideoGrants {
    VideoGrants { room_admin: true, room: room.as_str().to_owned(), ..VideoGrants::default() }
}

fn room_create() -> VideoGrants {
    VideoGrants { room_create: true, ..VideoGrants::default() }
}

/// What is not there counts as nothing.
fn none_if_absent<T: Default>(result: Result<T, LiveKitError>) -> Result<T, LiveKitError> {
    match result {
        Err(error) if error.kind == LiveKitErrorKind::NotFound => Ok(T::default()),
        other => other,
    }
}

impl ControlPlane for LiveKitClient {
    fn create_room(&self, request: CreateRoomRequest) -> BoxFuture<'_, Result<(), LiveKitError>> {
        let agent = |agent_name: String, metadata: String| proto::RoomAgentDispatch {
            agent_name,
            metadata,
            ..proto::RoomAgentDispatch::default()
        };
        let agents = match request.agents {
            RoomAgents::Absent => Vec::new(),
            RoomAgents::Placeholder => vec![agent(PLACEHOLDER_AGENT.to_owned(), String::new())],
            RoomAgents::Agent(name, metadata) => vec![agent(name.as_str().to_owned(), metadata)],
        };
        let seconds = request.empty_timeout.0.div_ceil(1_000_000);
        let request = proto::CreateRoomRequest {
            name: request.room.as_str().to_owned(),
            empty_timeout: u32::try_from(seconds).unwrap_or(u32::MAX),
            metadata: request.metadata,
            agents,
            ..proto::CreateRoomRequest::default()
        };
        Box::pin(async move {
            let _: proto::Room =
                self.twirp.call("RoomService/CreateRoom", room_create(), &request).await?;
            Ok(())
        })
    }

    fn create_dispatch(
        &self,
        request: CreateDispatchRequest,
    ) -> BoxFuture<'_, Result<DispatchId, LiveKitError>> {
        let grants = room_admin(&request.room);
        let request = proto::CreateAgentDispatchRequest {
            agent_name: request.agent.as_str().to_owned(),
            room: request.room.as_str().to_owned(),
            metadata: request.metadata,
            ..proto::CreateAgentDispatchRequest::default()
        };
        Box::pin(async move {
            let method = "AgentDispatchService/CreateDispatch";
            let dispatch: proto::AgentDispatch = self.twirp.call(method, grants, &request).await?;
            Ok(DispatchId::new(dispatch.id))
        })
    }

    fn list_participants(
        &self,
        room: RoomName,
        caller: Identity,
    ) -> BoxFuture<'_, Result<RoomParticipants, LiveKitError>> {
        Box::pin(async move {
            let request = proto::ListParticipantsRequest { room: room.as_str().to_owned() };
            let method = "RoomService/ListParticipants";
            // A room that its first participant makes is not there before.
            let present: proto::ListParticipantsResponse =
                none_if_absent(self.twirp.call(method, room_admin(&room), &request).await)?;
            let caller = present.participants.iter().any(|other| other.identity == caller.as_str());
            let agent = present
                .participants
                .into_iter()
                .find(|participant| participant.kind() == proto::participant_info::Kind::Agent);
            let agent = agent.map(|participant| AgentParticipant {
                joined_at_ms: (participant.joined_at_ms > 0).then_some(participant.joined_at_ms),
                listening: participant
                    .attributes
                    .get(AGENT_STATE)
                    .is_some_and(|state| state == "listening"),
                identity: Identity::new(participant.identity),
            });
            Ok(RoomParticipants { agent, caller })
        })
    }

    fn is_dispatch_assigned(
        &self,
        room: RoomName,
        agent: AgentName,
    ) -> BoxFuture<'_, Result<bool, LiveKitError>> {
        Box::pin(async move {
            let request = proto::ListAgentDispatchRequest {
                room: room.as_str().to_owned(),
                ..proto::ListAgentDispatchRequest::default()
            };
            let method = "AgentDispatchService/ListDispatch";
            let listed: proto::ListAgentDispatchResponse =
                self.twirp.call(method, room_admin(&room), &request).await?;
            Ok(listed.agent_dispatches.iter().any(|dispatch| {
                dispatch.agent_name == agent.as_str()
                    && dispatch.state.as_ref().is_some_and(|state| !state.jobs.is_empty())
            }))
        })
    }

    fn delete_room(&self, room: RoomName) -> BoxFuture<'_, Result<(), LiveKitError>> {
        Box::pin(async move {
            let request = proto::DeleteRoomRequest { room: room.as_str().to_owned() };
            let deleted: Result<proto::DeleteRoomResponse, LiveKitError> =
                self.twirp.call("RoomService/DeleteRoom", room_create(), &request).await;
            none_if_absent(deleted).map(|_| ())
        })
    }
}
