//! `RoomService`: what its methods do, and how rooms and participants look on the wire.

use livekit_protocol as proto;
use livekit_protocol::participant_info;

use crate::clock::signed;
use crate::truth::{RoomEnd, RoomStart};
use crate::world::{NewRoom, Occupant, Room, RoomMember, World};
use rushhour_core::units::{Identity, RoomName};

use super::twirp::TwirpError;

/// The longest room name, in bytes.
const LONGEST_NAME: usize = 256;

fn no_room() -> TwirpError {
    TwirpError::not_found("requested room does not exist")
}

fn no_participant() -> TwirpError {
    TwirpError::not_found("participant does not exist")
}

pub(super) fn create(
    world: &mut World,
    query: &proto::CreateRoomRequest,
) -> Result<proto::Room, TwirpError> {
    if query.name.len() > LONGEST_NAME {
        let why = format!("room name length exceeds limits: max length {LONGEST_NAME}");
        return Err(TwirpError::invalid_argument(&why));
    }
    let name = RoomName::new(&query.name);
    let request = NewRoom {
        name: name.clone(),
        empty_timeout: query.empty_timeout,
        departure_timeout: query.departure_timeout,
        max_participants: query.max_participants,
        metadata: query.metadata.clone(),
        agents: query.agents.clone(),
    };
    world.make_room(request, RoomStart::CreateRoom);
    wire_room(world, &name).ok_or_else(no_room)
}

#[expect(clippy::unnecessary_wraps, reason = "every method has the same signature")]
pub(super) fn list(
    world: &mut World,
    query: &proto::ListRoomsRequest,
) -> Result<proto::ListRoomsResponse, TwirpError> {
    let mut names: Vec<RoomName> = match query.names.as_slice() {
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
    query: &proto::DeleteRoomRequest,
) -> Result<proto::DeleteRoomResponse, TwirpError> {
    let closed = world.close_room(&RoomName::new(&query.room), RoomEnd::Deleted);
    if closed { Ok(proto::DeleteRoomResponse {}) } else { Err(no_room()) }
}

pub(super) fn update_metadata(
    world: &mut World,
    query: &proto::UpdateRoomMetadataRequest,
) -> Result<proto::Room, TwirpError> {
    let name = RoomName::new(&query.room);
    world.set_metadata(&name, query.metadata.clone());
    wire_room(world, &name).ok_or_else(no_room)
}

/// A room that is not there has no participants: the real server makes no error of it.
#[expect(clippy::unnecessary_wraps, reason = "every method has the same signature")]
pub(super) fn list_participants(
    world: &mut World,
    query: &proto::ListParticipantsRequest,
) -> Result<proto::ListParticipantsResponse, TwirpError> {
    let room = world.room(&RoomName::new(&query.room));
    let participants = room.into_iter().flat_map(|room| &room.participants);
    let participants = participants.map(|one| wire_participant(world, one)).collect();
    Ok(proto::ListParticipantsResponse { participants })
}

pub(super) fn get_participant(
    world: &mut World,
    query: &proto::RoomParticipantIdentity,
) -> Result<proto::ParticipantInfo, TwirpError> {
    let room = world.room(&RoomName::new(&query.room));
    let mut participants = room.into_iter().flat_map(|room| &room.participants);
    let found = participants.find(|one| one.identity.as_str() == query.identity);
    found.map(|one| wire_participant(world, one)).ok_or_else(no_participant)
}

pub(super) fn remove_participant(
    world: &mut World,
    query: &proto::RoomParticipantIdentity,
) -> Result<proto::RemoveParticipantResponse, TwirpError> {
    let (room, identity) = (RoomName::new(&query.room), Identity::new(&query.identity));
    let removed = world.remove_participant(&room, &identity);
    if removed { Ok(proto::RemoveParticipantResponse::default()) } else { Err(no_participant()) }
}

fn wire_room(world: &World, name: &RoomName) -> Option<proto::Room> {
    let room: &Room = world.room(name)?;
    let unix_micros = world.anchor.unix_micros(room.made_at);
    let people = u32::try_from(room.participants.len()).unwrap_or(u32::MAX);
    Some(proto::Room {
        sid: room.sid.clone(),
        name: name.to_string(),
        empty_timeout: room.empty_timeout,
        departure_timeout: room.departure_timeout,
        max_participants: room.max_participants,
        creation_time: signed(unix_micros / 1_000_000),
        creation_time_ms: signed(unix_micros / 1_000),
        metadata: room.metadata.clone(),
        num_participants: people,
        num_publishers: people,
        ..proto::Room::default()
    })
}

fn wire_participant(world: &World, one: &RoomMember) -> proto::ParticipantInfo {
    let unix_micros = world.anchor.unix_micros(one.joined_at);
    let (kind, attributes) = match &one.occupant {
        Occupant::Caller { .. } => (participant_info::Kind::Standard, Vec::new()),
        Occupant::Agent { name, listening, .. } => {
            let state = if *listening { "listening" } else { "initializing" };
            let attributes = vec![("lk.agent.state", state), ("lk.agent.name", name.as_str())];
            (participant_info::Kind::Agent, attributes)
        }
    };
    proto::ParticipantInfo {
        sid: one.sid.clone(),
        identity: one.identity.to_string(),
        state: participant_info::State::Active.into(),
        joined_at: signed(unix_micros / 1_000_000),
        joined_at_ms: signed(unix_micros / 1_000),
        kind: kind.into(),
        attributes: attributes
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        ..proto::ParticipantInfo::default()
    }
}
