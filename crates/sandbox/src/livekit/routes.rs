//! From a Twirp request to its answer: token, grant, fault, work.

use livekit_api::access_token::Claims;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::exchange::{Delivery, SandboxRequest, SandboxResponse};
use crate::faults::{Fault, Group};
use crate::tokens::{TokenError, valid_at};
use crate::world::World;
use rushhour_core::units::{Micros, RoomName};

use super::twirp::{Codec, TwirpError};
use super::{dispatches, rooms};

/// How long a real server waits for the room that a dispatch call names, before it gives up.
const NOBODY_ANSWERS: Micros = Micros::from_secs(3);

/// What a token has to grant for a call.
#[derive(Debug, Clone, Copy)]
enum Grant {
    /// `roomCreate`.
    Create,
    /// `roomList`.
    List,
    /// `roomAdmin`, for the very room that the request names.
    Admin,
}

/// One method: what it is called, needs and does.
struct ApiMethod<Q, A> {
    /// `Service/Method`, also the name under which it is counted.
    label: &'static str,
    grant: Grant,
    faults: Group,
    /// The room that a request names.
    room: fn(&Q) -> String,
    work: fn(&mut World, &Q) -> Result<A, TwirpError>,
}

/// Answers a request below `/twirp/`; with the name under which it is counted.
pub(crate) fn answer(
    world: &mut World,
    request: &SandboxRequest<'_>,
) -> (&'static str, SandboxResponse) {
    let label = label_of(request.path);
    let claims = match authenticate(world, request) {
        Ok(claims) => claims,
        Err(refusal) => return (label, *refusal),
    };
    let claims = claims.as_ref();
    let answer = match label {
        "RoomService/CreateRoom" => serve(world, request, claims, &CREATE_ROOM),
        "RoomService/ListRooms" => serve(world, request, claims, &LIST_ROOMS),
        "RoomService/DeleteRoom" => serve(world, request, claims, &DELETE_ROOM),
        "RoomService/ListParticipants" => serve(world, request, claims, &LIST_PARTICIPANTS),
        "RoomService/GetParticipant" => serve(world, request, claims, &GET_PARTICIPANT),
        "RoomService/RemoveParticipant" => serve(world, request, claims, &REMOVE_PARTICIPANT),
        "RoomService/UpdateRoomMetadata" => serve(world, request, claims, &UPDATE_METADATA),
        "AgentDispatchService/CreateDispatch" => serve(world, request, claims, &CREATE_DISPATCH),
        "AgentDispatchService/DeleteDispatch" => serve(world, request, claims, &DELETE_DISPATCH),
        "AgentDispatchService/ListDispatch" => serve(world, request, claims, &LIST_DISPATCH),
        "RoomService" | "AgentDispatchService" => {
            let why = format!("no handler for path {:?}", request.path);
            TwirpError::bad_route(&why, request).answer()
        }
        _ => SandboxResponse::new(404, "text/plain; charset=utf-8", "404 page not found\n"),
    };
    (label, answer)
}

const LABELS: [&str; 10] = [
    CREATE_ROOM.label,
    LIST_ROOMS.label,
    DELETE_ROOM.label,
    LIST_PARTICIPANTS.label,
    GET_PARTICIPANT.label,
    REMOVE_PARTICIPANT.label,
    UPDATE_METADATA.label,
    CREATE_DISPATCH.label,
    DELETE_DISPATCH.label,
    LIST_DISPATCH.label,
];

fn label_of(path: &str) -> &'static str {
    let route = path.strip_prefix("/twirp/livekit.").unwrap_or_default();
    let known = LABELS.into_iter().find(|label| *label == route);
    known.unwrap_or(match route.split('/').next() {
        Some("RoomService") => "RoomService",
        Some("AgentDispatchService") => "AgentDispatchService",
        _ => "twirp",
    })
}

/// What the request's token claims; `None` where it has none. The refusals are the real server's.
fn authenticate(
    world: &World,
    request: &SandboxRequest<'_>,
) -> Result<Option<Claims>, Box<SandboxResponse>> {
    let Some(header) = request.authorization else { return Ok(None) };
    let plain =
        |text: String| Box::new(SandboxResponse::new(401, "text/plain; charset=utf-8", text));
    let token = header
        .strip_prefix("Bearer ")
        .ok_or_else(|| plain("invalid authorization header. Must start with Bearer ".to_owned()))?;
    let unix_seconds = world.anchor.unix_seconds(world.now());
    let checked = world.tokens.read(token).and_then(|claims| {
        valid_at(claims.nbf as u64, claims.exp as u64, unix_seconds).map(|()| claims)
    });
    checked.map(Some).map_err(|error| match error {
        TokenError::Malformed | TokenError::UnknownKey(_) => plain(error.to_string()),
        other => plain(format!("invalid token: {token}, error: {other}")),
    })
}

fn serve<Q, A>(
    world: &mut World,
    request: &SandboxRequest<'_>,
    claims: Option<&Claims>,
    call: &ApiMethod<Q, A>,
) -> SandboxResponse
where
    Q: Message + Default + DeserializeOwned,
    A: Message + Serialize,
{
    if request.method != "POST" {
        let why = format!("unsupported method {:?} (only POST is allowed)", request.method);
        return TwirpError::bad_route(&why, request).answer();
    }
    let codec = match Codec::of(request) {
        Ok(codec) => codec,
        Err(error) => return error.answer(),
    };
    let query: Q = match codec.decode(request.body) {
        Ok(query) => query,
        Err(error) => return error.answer(),
    };
    let room = (call.room)(&query);
    if !claims.is_some_and(|claims| grants(claims, call.grant, &room)) {
        return TwirpError::unauthenticated().answer();
    }
    let attempt = world.attempt(&RoomName::new(room.as_str()), call.label);
    let key = format!("{}/{room}#{attempt}", call.label);
    let fault = world.fault(call.faults, &key);
    let times = world.config.times.livekit;
    let latency =
        if call.label.starts_with("Room") { times.room_call } else { times.dispatch_call };
    let mut wait = world.time("livekit call", &key, latency);
    match fault {
        Some(Fault::RoomUnavailable | Fault::DispatchUnavailable) => {
            return TwirpError::unavailable().answer().later(wait);
        }
        Some(Fault::LivekitHtml) => return SandboxResponse::bad_gateway().later(wait),
        Some(Fault::LivekitReset) => {
            return SandboxResponse::bad_gateway().delivered(Delivery::Reset).later(wait);
        }
        Some(Fault::RoomSlow) => wait = wait + world.time("slow", &key, times.slow),
        _ => {}
    }
    let answer = match (call.work)(world, &query) {
        Ok(answer) => codec.encode(&answer),
        Err(error) if error == TwirpError::unavailable() => error.answer().later(NOBODY_ANSWERS),
        Err(error) => error.answer(),
    };
    let answer = answer.later(wait);
    if fault == Some(Fault::LivekitResetAfter) { answer.delivered(Delivery::Reset) } else { answer }
}

fn grants(claims: &Claims, grant: Grant, room: &str) -> bool {
    match grant {
        Grant::Create => claims.video.room_create,
        Grant::List => claims.video.room_list,
        Grant::Admin => claims.video.room_admin && claims.video.room == room,
    }
}

macro_rules! calls {
    ($($name:ident: $request:ident -> $answer:ident = $label:literal, $grant:ident, $faults:ident, $room:expr, $work:path;)*) => {
        $(const $name: ApiMethod<livekit_protocol::$request, livekit_protocol::$answer> = ApiMethod {
            label: $label,
            grant: Grant::$grant,
            faults: Group::$faults,
            room: $room,
            work: $work,
        };)*
    };
}

calls! {
    CREATE_ROOM: CreateRoomRequest -> Room = "RoomService/CreateRoom",
        Create, ROOM_CALL, |query| query.name.clone(), rooms::create;
    LIST_ROOMS: ListRoomsRequest -> ListRoomsResponse = "RoomService/ListRooms",
        List, ROOM_CALL, |query| query.names.join(","), rooms::list;
    DELETE_ROOM: DeleteRoomRequest -> DeleteRoomResponse = "RoomService/DeleteRoom",
        Create, ROOM_CALL, |query| query.room.clone(), rooms::delete;
    LIST_PARTICIPANTS: ListParticipantsRequest -> ListParticipantsResponse = "RoomService/ListParticipants",
        Admin, ROOM_CALL, |query| query.room.clone(), rooms::list_participants;
    GET_PARTICIPANT: RoomParticipantIdentity -> ParticipantInfo = "RoomService/GetParticipant",
        Admin, ROOM_CALL, |query| query.room.clone(), rooms::get_participant;
    REMOVE_PARTICIPANT: RoomParticipantIdentity -> RemoveParticipantResponse = "RoomService/RemoveParticipant",
        Admin, ROOM_CALL, |query| query.room.clone(), rooms::remove_participant;
    UPDATE_METADATA: UpdateRoomMetadataRequest -> Room = "RoomService/UpdateRoomMetadata",
        Admin, ROOM_CALL, |query| query.room.clone(), rooms::update_metadata;
    CREATE_DISPATCH: CreateAgentDispatchRequest -> AgentDispatch = "AgentDispatchService/CreateDispatch",
        Admin, CREATE_DISPATCH, |query| query.room.clone(), dispatches::create;
    DELETE_DISPATCH: DeleteAgentDispatchRequest -> AgentDispatch = "AgentDispatchService/DeleteDispatch",
        Admin, DISPATCH_CALL, |query| query.room.clone(), dispatches::delete;
    LIST_DISPATCH: ListAgentDispatchRequest -> ListAgentDispatchResponse = "AgentDispatchService/ListDispatch",
        Admin, DISPATCH_CALL, |query| query.room.clone(), dispatches::list;
}

#[cfg(test)]
mod tests;
