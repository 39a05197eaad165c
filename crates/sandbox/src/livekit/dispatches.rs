//! `AgentDispatchService`: what its methods do, and how dispatches look on the wire.

use livekit_protocol as proto;

use crate::clock::signed;
use crate::truth::{DispatchStart, RoomStart};
use crate::world::{Dispatch, NewDispatch, NewRoom, World};
use rushhour_core::units::{AgentName, DispatchId, RoomName, SessionTime};

use super::twirp::TwirpError;

/// Makes the room if need be, as the real server does, and says nothing of an agent.
pub(super) fn create(
    world: &mut World,
    query: &proto::CreateAgentDispatchRequest,
) -> Result<proto::AgentDispatch, TwirpError> {
    let room = RoomName::new(&query.room);
    world.make_room(NewRoom::named(room.clone()), RoomStart::CreateDispatch);
    let asked = NewDispatch {
        agent: AgentName::new(&query.agent_name),
        metadata: query.metadata.clone(),
        attributes: query.attributes.clone().into_iter().collect(),
    };
    let id = world.dispatch(&room, asked, DispatchStart::CreateDispatch);
    let dispatches = world.room(&room).map(|room| room.dispatches.as_slice()).unwrap_or_default();
    let made = dispatches.iter().find(|dispatch| dispatch.id == id);
    made.map(|made| wire_dispatch(world, &room, made)).ok_or_else(TwirpError::unavailable)
}

pub(super) fn delete(
    world: &mut World,
    query: &proto::DeleteAgentDispatchRequest,
) -> Result<proto::AgentDispatch, TwirpError> {
    let room = RoomName::new(&query.room);
    if world.room(&room).is_none() {
        return Err(TwirpError::unavailable());
    }
    let taken_back = world.undispatch(&room, &DispatchId::new(&query.dispatch_id));
    let taken_back = taken_back.ok_or_else(|| TwirpError::not_found("dispatch ID not found"))?;
    Ok(wire_dispatch(world, &room, &taken_back))
}

/// Lists all of a room's dispatches or the one asked for. The nameless one is among them where the room
/// was made without agents.
pub(super) fn list(
    world: &mut World,
    query: &proto::ListAgentDispatchRequest,
) -> Result<proto::ListAgentDispatchResponse, TwirpError> {
    let name = RoomName::new(&query.room);
    let room = world.room(&name).ok_or_else(TwirpError::unavailable)?;
    let wanted = |dispatch: &&Dispatch| {
        query.dispatch_id.is_empty() || dispatch.id.as_str() == query.dispatch_id
    };
    let listed = room.dispatches.iter().filter(wanted);
    let agent_dispatches = listed.map(|one| wire_dispatch(world, &name, one)).collect();
    Ok(proto::ListAgentDispatchResponse { agent_dispatches })
}

fn wire_dispatch(world: &World, room: &RoomName, dispatch: &Dispatch) -> proto::AgentDispatch {
    let unix_nanos = |at: SessionTime| signed(world.anchor.unix_micros(at).saturating_mul(1_000));
    let jobs = dispatch.assigned_at.map(|assigned_at| proto::Job {
        id: dispatch.job_id(),
        dispatch_id: dispatch.id.to_string(),
        r#type: proto::JobType::JtRoom.into(),
        metadata: dispatch.asked.metadata.clone(),
        agent_name: dispatch.asked.agent.to_string(),
        state: Some(proto::JobState {
            // Running from assignment on, whatever becomes of the agent.
            status: proto::JobStatus::JsRunning.into(),
            started_at: unix_nanos(assigned_at),
            updated_at: unix_nanos(assigned_at),
            participant_identity: dispatch.identity().to_string(),
            ..proto::JobState::default()
        }),
        ..proto::Job::default()
    });
    proto::AgentDispatch {
        id: dispatch.id.to_string(),
        agent_name: dispatch.asked.agent.to_string(),
        room: room.to_string(),
        metadata: dispatch.asked.metadata.clone(),
        state: Some(proto::AgentDispatchState {
            jobs: jobs.into_iter().collect(),
            created_at: unix_nanos(dispatch.made_at),
            deleted_at: 0,
        }),
        attributes: dispatch.asked.attributes.iter().cloned().collect(),
        ..proto::AgentDispatch::default()
    }
}
