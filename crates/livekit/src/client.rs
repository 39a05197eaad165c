//! [`LiveKitClient`]: rooms and dispatches of a real server.

use std::time::{Duration, SystemTime};

use livekit_api::access_token::VideoGrants;
use livekit_protocol as proto;

use super::agent_rule::{is_agent, represented};
use super::agent_state::AgentState;
use super::control_plane::{
    AgentParticipant, AudioPublisher, ControlPlane, CreateDispatchRequest, CreateRoomRequest,
    RoomAgents, RoomParticipants,
};
use super::dispatched_job::DispatchedJob;
use super::error::{LiveKitError, LiveKitErrorKind};
use super::http::{TransportError, TrustStore};
use super::twirp::Twirp;
use rushhour_core::BoxFuture;
use rushhour_core::units::{AgentName, DispatchId, Identity, Micros, RoomName, Secret};

/// An agent name that no worker registers, for the agents list of a room whose agent is dispatched explicitly.
pub const PLACEHOLDER_AGENT: &str = "rushhour-placeholder";

/// Participants besides agent and caller that are named, at most.
const MAX_OTHERS: usize = 3;

/// A room as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomInfo {
    /// Its name.
    pub room: RoomName,
    /// Its metadata, unparsed.
    pub metadata: String,
    /// When it was created on the server's clock, in milliseconds of the Unix epoch; `None` where the server does not say.
    pub created_at_ms: Option<i64>,
    /// How long it stays open without participants.
    pub empty_timeout: Micros,
    /// How many participants are in it.
    pub participants: u32,
}

/// The rooms of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomList {
    /// Each open room.
    pub rooms: Vec<RoomInfo>,
    /// The server's wall clock, to the second, from the response's `Date` header.
    pub server_clock: Option<SystemTime>,
}

/// A dispatch as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchInfo {
    /// The agent; empty for the nameless job of a room without an agents list.
    pub agent: AgentName,
    /// How many jobs workers have accepted.
    pub jobs: usize,
}

/// A client of one LiveKit server. It never repeats a request by itself.
pub struct LiveKitClient {
    twirp: Twirp,
}

impl LiveKitClient {
    /// A client for the server at `url` (`ws://`, `wss://`, `http://` or `https://`) that gives up each request
    /// after `timeout`.
    ///
    /// # Errors
    /// No HTTP client can be built on this machine.
    pub fn new(
        url: &str,
        key: &Secret,
        secret: &Secret,
        timeout: Duration,
    ) -> Result<Self, LiveKitError> {
        let trust = TrustStore::system().map_err(TransportError::from)?;
        Self::with_trust(url, key, secret, timeout, &trust)
    }

    /// The same, with further certificate authorities than the system's.
    ///
    /// # Errors
    /// No HTTP client can be built on this machine.
    pub fn with_trust(
        url: &str,
        key: &Secret,
        secret: &Secret,
        timeout: Duration,
        trust: &TrustStore,
    ) -> Result<Self, LiveKitError> {
        Ok(Self { twirp: Twirp::new(url, key, secret, timeout, trust)? })
    }

    /// Lists a room that does not exist: succeeds where the server responds and accepts the key.
    ///
    /// # Errors
    /// The server does not respond, or does not accept the key.
    pub async fn check_connectivity(&self) -> Result<(), LiveKitError> {
        self.rooms(vec!["rushhour-connectivity-check".to_owned()]).await.map(|_| ())
    }

    /// The names of the open rooms among `names`, or of all open rooms where `names` is empty.
    ///
    /// # Errors
    /// The request fails.
    pub async fn rooms(&self, names: Vec<String>) -> Result<Vec<RoomName>, LiveKitError> {
        let listed = self.list_rooms(names).await?;
        Ok(listed.rooms.into_iter().map(|info| info.room).collect())
    }

    /// The open rooms among `names`, or all open rooms where `names` is empty.
    ///
    /// # Errors
    /// The request fails.
    pub async fn list_rooms(&self, names: Vec<String>) -> Result<RoomList, LiveKitError> {
        let grants = VideoGrants { room_list: true, ..VideoGrants::default() };
        let request = proto::ListRoomsRequest { names };
        let (response, server_clock): (proto::ListRoomsResponse, _) =
            self.twirp.call_with_date("RoomService/ListRooms", grants, &request).await?;
        Ok(RoomList { rooms: response.rooms.into_iter().map(room_info).collect(), server_clock })
    }

    /// The dispatches of a room except the placeholder's; empty where the room does not exist.
    ///
    /// # Errors
    /// The request fails.
    pub async fn dispatches(&self, room: &RoomName) -> Result<Vec<DispatchInfo>, LiveKitError> {
        let request = proto::ListAgentDispatchRequest {
            room: room.as_str().to_owned(),
            ..proto::ListAgentDispatchRequest::default()
        };
        let method = "AgentDispatchService/ListDispatch";
        let listed: proto::ListAgentDispatchResponse =
            default_if_not_found(self.twirp.call(method, room_admin(room), &request).await)?;
        Ok(dispatch_infos(listed))
    }
}

pub(crate) fn room_info(room: proto::Room) -> RoomInfo {
    RoomInfo {
        created_at_ms: match (room.creation_time_ms, room.creation_time) {
            (ms @ 1.., _) => Some(ms),
            // Servers before 1.8 send whole seconds only.
            (_, seconds @ 1..) => Some(seconds.saturating_mul(1_000)),
            _ => None,
        },
        room: RoomName::new(room.name),
        metadata: room.metadata,
        empty_timeout: Micros::from_secs(u64::from(room.empty_timeout)),
        participants: room.num_participants,
    }
}

pub(crate) fn dispatch_infos(listed: proto::ListAgentDispatchResponse) -> Vec<DispatchInfo> {
    let own = listed.agent_dispatches.into_iter();
    own.filter(|dispatch| dispatch.agent_name != PLACEHOLDER_AGENT)
        .map(|dispatch| DispatchInfo {
            jobs: dispatch.state.map_or(0, |state| state.jobs.len()),
            agent: AgentName::new(dispatch.agent_name),
        })
        .collect()
}

pub(crate) fn participants_of(
    present: proto::ListParticipantsResponse,
    caller: &Identity,
) -> RoomParticipants {
    let caller_present = present.participants.iter().any(|other| other.identity == caller.as_str());
    let others = present.participants.iter().filter(|other| {
        let has_audio = other.tracks.iter().any(|track| track.r#type() == proto::TrackType::Audio);
        has_audio
            && other.identity != caller.as_str()
            && !is_agent(other)
            && represented(other).is_none()
    });
    let others = others.take(MAX_OTHERS).map(|other| AudioPublisher {
        identity: Identity::new(&other.identity),
        kind: other.kind().as_str_name(),
    });
    let others = others.collect();
    let agent = present
        .participants
        .into_iter()
        .find(|participant| is_agent(participant) && represented(participant).is_none());
    let agent = agent.map(|participant| AgentParticipant {
        joined_at_ms: (participant.joined_at_ms > 0).then_some(participant.joined_at_ms),
        listening: participant
            .attributes
            .get(AgentState::ATTRIBUTE)
            .is_some_and(|state| AgentState::from(state.as_str()) == AgentState::Listening),
        hidden: participant.permission.is_some_and(|permission| permission.hidden),
        identity: Identity::new(participant.identity),
    });
    RoomParticipants { agent, caller_present, others }
}

fn room_admin(room: &RoomName) -> VideoGrants {
    VideoGrants { room_admin: true, room: room.as_str().to_owned(), ..VideoGrants::default() }
}

fn room_create() -> VideoGrants {
    VideoGrants { room_create: true, ..VideoGrants::default() }
}

fn default_if_not_found<T: Default>(result: Result<T, LiveKitError>) -> Result<T, LiveKitError> {
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
            // A room that its first participant creates does not exist before.
            let present: proto::ListParticipantsResponse =
                default_if_not_found(self.twirp.call(method, room_admin(&room), &request).await)?;
            Ok(participants_of(present, &caller))
        })
    }

    fn dispatched_job(
        &self,
        room: RoomName,
        agent: AgentName,
    ) -> BoxFuture<'_, Result<Option<DispatchedJob>, LiveKitError>> {
        Box::pin(async move {
            let request = proto::ListAgentDispatchRequest {
                room: room.as_str().to_owned(),
                ..proto::ListAgentDispatchRequest::default()
            };
            let method = "AgentDispatchService/ListDispatch";
            let listed: proto::ListAgentDispatchResponse =
                self.twirp.call(method, room_admin(&room), &request).await?;
            Ok(DispatchedJob::find(listed, &agent))
        })
    }

    fn delete_room(&self, room: RoomName) -> BoxFuture<'_, Result<(), LiveKitError>> {
        Box::pin(async move {
            let request = proto::DeleteRoomRequest { room: room.as_str().to_owned() };
            let deleted: Result<proto::DeleteRoomResponse, LiveKitError> =
                self.twirp.call("RoomService/DeleteRoom", room_create(), &request).await;
            default_if_not_found(deleted).map(|_| ())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn participant(identity: &str, has_audio: bool) -> proto::ParticipantInfo {
        let track = proto::TrackInfo {
            r#type: proto::TrackType::Audio.into(),
            ..proto::TrackInfo::default()
        };
        proto::ParticipantInfo {
            identity: identity.to_owned(),
            tracks: if has_audio { vec![track] } else { Vec::new() },
            ..proto::ParticipantInfo::default()
        }
    }

    fn of_kind(
        kind: proto::participant_info::Kind,
        info: proto::ParticipantInfo,
    ) -> proto::ParticipantInfo {
        proto::ParticipantInfo { kind: kind.into(), ..info }
    }

    #[test]
    fn those_who_publish_audio_besides_agent_and_caller_are_named() {
        use proto::participant_info::Kind;
        let participants = vec![
            participant("caller", true),
            of_kind(Kind::Agent, participant("agent", true)),
            of_kind(Kind::Sip, participant("sip", true)),
            participant("listens", false),
            participant("bot", true),
        ];
        let present = proto::ListParticipantsResponse { participants };
        let found = participants_of(present, &Identity::new("caller"));
        let named: Vec<_> =
            found.others.iter().map(|one| (one.identity.as_str(), one.kind)).collect();
        assert_eq!(named, [("sip", "SIP"), ("bot", "STANDARD")]);
        assert!(found.caller_present && !found.agent.unwrap().hidden);
    }

    #[test]
    fn a_hidden_agent_is_listed_as_such() {
        let permission = proto::ParticipantPermission {
            hidden: true,
            ..proto::ParticipantPermission::default()
        };
        let agent = proto::ParticipantInfo {
            permission: Some(permission),
            ..of_kind(proto::participant_info::Kind::Agent, participant("agent", false))
        };
        let present = proto::ListParticipantsResponse { participants: vec![agent] };
        assert!(participants_of(present, &Identity::new("caller")).agent.unwrap().hidden);
    }
}
