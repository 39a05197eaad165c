//! `RoomService`: its methods, and the wire format of rooms and participants.

use livekit_protocol as proto;
use livekit_protocol::participant_info;

use crate::clock::to_i64;
use crate::truth::{RoomCloseReason, RoomOrigin};
use crate::world::{ParticipantRole, ParticipantState, Room, RoomSpec, World};
use rushhour_core::units::{Identity, RoomName};

use super::twirp::TwirpError;

/// In bytes.
const MAX_ROOM_NAME: usize = 256;

fn no_room() -> TwirpError {
    TwirpError::not_found("requested room does not exist")
}

fn no_participant() -> TwirpError {
    TwirpError::not_found("participant does not exist")
}

pub(super) fn create(
    world: &mut World,
    request: &proto::CreateRoomRequest,
) -> Result<proto::Room, TwirpError> {
    if request.name.len() > MAX_ROOM_NAME {
        let why = format!("room name length exceeds limits: max length {MAX_ROOM_NAME}");
        return Err(TwirpError::invalid_argument(&why));
    }
    let name = RoomName::new(&request.name);
    let spec = RoomSpec {
        name: name.clone(),
        empty_timeout: request.empty_timeout,
        departure_timeout: request.departure_timeout,
        max_participants: request.max_participants,
        metadata: request.metadata.clone(),
        agents: request.agents.clone(),
    };
    world.create_room(spec, RoomOrigin::CreateRoom);
    wire_room(world, &name).ok_or_else(no_room)
}

#[expect(clippy::unnecessary_wraps, reason = "every method has the same signature")]
pub(super) fn list(
    world: &mut World,
    request: &proto::ListRoomsRequest,
) -> Result<proto::ListRoomsResponse, TwirpError> {
    let mut names: Vec<RoomName> = match request.names.as_slice() {
        [] => world.open_rooms().keys().cloned().collect(),
        names => names.iter().map(RoomName::new).collect(),
    };
    names.sort_unstable();
    names.dedup();
    let rooms = names.iter().filter_map(|name| wire_room(world, name)).collect();
    Ok(proto::ListRoomsResponse { rooms })
}

pub(super) fn delete(
    world: &mut World,
    request: &proto::DeleteRoomRequest,
) -> Result<proto::DeleteRoomResponse, TwirpError> {
    let closed = world.close_room(&RoomName::new(&request.room), RoomCloseReason::Deleted);
    if closed { Ok(proto::DeleteRoomResponse {}) } else { Err(no_room()) }
}

pub(super) fn update_metadata(
    world: &mut World,
    request: &proto::UpdateRoomMetadataRequest,
) -> Result<proto::Room, TwirpError> {
    let name = RoomName::new(&request.room);
    world.set_metadata(&name, request.metadata.clone());
    wire_room(world, &name).ok_or_else(no_room)
}

/// A room that does not exist has no participants: the real server does not report an error.
#[expect(clippy::unnecessary_wraps, reason = "every method has the same signature")]
pub(super) fn list_participants(
    world: &mut World,
    request: &proto::ListParticipantsRequest,
) -> Result<proto::ListParticipantsResponse, TwirpError> {
    let room = world.room(&RoomName::new(&request.room));
    let participants = room.into_iter().flat_map(|room| &room.participants);
    let participants =
        participants.map(|participant| wire_participant(world, participant)).collect();
    Ok(proto::ListParticipantsResponse { participants })
}

pub(super) fn get_participant(
    world: &mut World,
    request: &proto::RoomParticipantIdentity,
) -> Result<proto::ParticipantInfo, TwirpError> {
    let room = world.room(&RoomName::new(&request.room));
    let mut participants = room.into_iter().flat_map(|room| &room.participants);
    let found = participants.find(|participant| participant.identity.as_str() == request.identity);
    found.map(|participant| wire_participant(world, participant)).ok_or_else(no_participant)
}

pub(super) fn remove_participant(
    world: &mut World,
    request: &proto::RoomParticipantIdentity,
) -> Result<proto::RemoveParticipantResponse, TwirpError> {
    let (room, identity) = (RoomName::new(&request.room), Identity::new(&request.identity));
    let removed = world.remove_participant(&room, &identity);
    if removed { Ok(proto::RemoveParticipantResponse::default()) } else { Err(no_participant()) }
}

fn wire_room(world: &World, name: &RoomName) -> Option<proto::Room> {
    let room: &Room = world.room(name)?;
    let unix_micros = world.anchor.unix_micros(room.created_at);
    let people = u32::try_from(room.participants.len()).unwrap_or(u32::MAX);
    Some(proto::Room {
        sid: room.sid.clone(),
        name: name.to_string(),
        empty_timeout: room.empty_timeout,
        departure_timeout: room.departure_timeout,
        max_participants: room.max_participants,
        creation_time: to_i64(unix_micros / 1_000_000),
        creation_time_ms: to_i64(unix_micros / 1_000),
        metadata: room.metadata.clone(),
        num_participants: people,
        num_publishers: people,
        ..proto::Room::default()
    })
}

fn wire_participant(world: &World, participant: &ParticipantState) -> proto::ParticipantInfo {
    let unix_micros = world.anchor.unix_micros(participant.joined_at);
    let (kind, attributes) = match &participant.role {
        ParticipantRole::Caller { .. } => (participant_info::Kind::Standard, Vec::new()),
        ParticipantRole::Agent { name, listening, .. } => {
            let state = if *listening { "listening" } else { "initializing" };
            let attributes = vec![("lk.agent.state", state), ("lk.agent.name", name.as_str())];
            (participant_info::Kind::Agent, attributes)
        }
    };
    proto::ParticipantInfo {
        sid: participant.sid.clone(),
        identity: participant.identity.to_string(),
        state: participant_info::State::Active.into(),
        joined_at: to_i64(unix_micros / 1_000_000),
        joined_at_ms: to_i64(unix_micros / 1_000),
        kind: kind.into(),
        attributes: attributes
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        ..proto::ParticipantInfo::default()
    }
}
