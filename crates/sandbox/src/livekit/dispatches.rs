//! `AgentDispatchService`: its methods, and the wire format of dispatches.

use livekit_protocol as proto;

use crate::clock::to_i64;
use crate::truth::{DispatchOrigin, RoomOrigin};
use crate::world::{Dispatch, DispatchSpec, RoomSpec, World};
use rushhour_core::units::{AgentName, DispatchId, RoomName, SessionTime};

use super::twirp::TwirpError;

/// Creates the room if necessary, as the real server does. Whether a worker takes the job is not known yet.
pub(super) fn create(
    world: &mut World,
    request: &proto::CreateAgentDispatchRequest,
) -> Result<proto::AgentDispatch, TwirpError> {
    let room = RoomName::new(&request.room);
    world.create_room(RoomSpec::named(room.clone()), RoomOrigin::CreateDispatch);
    let spec = DispatchSpec {
        agent: AgentName::new(&request.agent_name),
        metadata: request.metadata.clone(),
        attributes: request.attributes.clone().into_iter().collect(),
    };
    let id = world.create_dispatch(&room, spec, DispatchOrigin::CreateDispatch);
    let dispatches = world.room(&room).map(|room| room.dispatches.as_slice()).unwrap_or_default();
    let created = dispatches.iter().find(|dispatch| dispatch.id == id);
    created.map(|created| wire_dispatch(world, &room, created)).ok_or_else(TwirpError::unavailable)
}

pub(super) fn delete(
    world: &mut World,
    request: &proto::DeleteAgentDispatchRequest,
) -> Result<proto::AgentDispatch, TwirpError> {
    let room = RoomName::new(&request.room);
    if world.room(&room).is_none() {
        return Err(TwirpError::unavailable());
    }
    let deleted = world.delete_dispatch(&room, &DispatchId::new(&request.dispatch_id));
    let deleted = deleted.ok_or_else(|| TwirpError::not_found("dispatch ID not found"))?;
    Ok(wire_dispatch(world, &room, &deleted))
}

/// Lists all dispatches of a room, or the requested one. If the room was created without agents, that includes the
/// dispatch of the nameless agent.
pub(super) fn list(
    world: &mut World,
    request: &proto::ListAgentDispatchRequest,
) -> Result<proto::ListAgentDispatchResponse, TwirpError> {
    let name = RoomName::new(&request.room);
    let room = world.room(&name).ok_or_else(TwirpError::unavailable)?;
    let requested = |dispatch: &&Dispatch| {
        request.dispatch_id.is_empty() || dispatch.id.as_str() == request.dispatch_id
    };
    let listed = room.dispatches.iter().filter(requested);
    let agent_dispatches = listed.map(|dispatch| wire_dispatch(world, &name, dispatch)).collect();
    Ok(proto::ListAgentDispatchResponse { agent_dispatches })
}

fn wire_dispatch(world: &World, room: &RoomName, dispatch: &Dispatch) -> proto::AgentDispatch {
    let unix_nanos = |at: SessionTime| to_i64(world.anchor.unix_micros(at).saturating_mul(1_000));
    let jobs = dispatch.assigned_at.map(|assigned_at| proto::Job {
        id: dispatch.job_id(),
        dispatch_id: dispatch.id.to_string(),
        r#type: proto::JobType::JtRoom.into(),
        metadata: dispatch.spec.metadata.clone(),
        agent_name: dispatch.spec.agent.to_string(),
        state: Some(proto::JobState {
            // A real server reports it as running from its assignment, whether the agent joins or not.
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
        agent_name: dispatch.spec.agent.to_string(),
        room: room.to_string(),
        metadata: dispatch.spec.metadata.clone(),
        state: Some(proto::AgentDispatchState {
            jobs: jobs.into_iter().collect(),
            created_at: unix_nanos(dispatch.created_at),
            deleted_at: 0,
        }),
        attributes: dispatch.spec.attributes.iter().cloned().collect(),
        ..proto::AgentDispatch::default()
    }
}
