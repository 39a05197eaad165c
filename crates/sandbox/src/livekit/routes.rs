//! Handles Twirp requests: checks token and grant, injects faults, then calls the method.

use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::faults::{Fault, FaultGroup};
use crate::http::{Delivery, SandboxRequest, SandboxResponse, retry_after_seconds};
use crate::tokens::{TokenClaims, TokenRefusal, check_validity};
use crate::world::World;
use rushhour_core::units::{Micros, RoomName};

use super::twirp::{Codec, TwirpError};
use super::{dispatches, rooms};

/// How long a real server waits for the room that a dispatch call names before it responds `unavailable`.
const ROOM_NODE_TIMEOUT: Micros = Micros::from_secs(3);

/// The grant that a method requires.
#[derive(Debug, Clone, Copy)]
enum Grant {
    /// `roomCreate`.
    Create,
    /// `roomList`.
    List,
    /// `roomAdmin` for the room that the request names.
    Admin,
}

/// A method of the API.
struct TwirpMethod<Req, Res> {
    /// `Service/Method`, also the name under which its requests are counted.
    label: &'static str,
    grant: Grant,
    faults: FaultGroup,
    /// The room that a request names.
    room: fn(&Req) -> String,
    call: fn(&mut World, &Req) -> Result<Res, TwirpError>,
}

/// Handles a request below `/twirp/`. Returns the name under which it is counted, and the response.
pub(crate) fn handle(
    world: &mut World,
    request: &SandboxRequest<'_>,
) -> (&'static str, SandboxResponse) {
    let label = label_of(request.path);
    let claims = match authenticate(world, request) {
        Ok(claims) => claims,
        Err(response) => return (label, *response),
    };
    let claims = claims.as_ref();
    let response = match label {
        "RoomService/CreateRoom" => handle_call(world, request, claims, &CREATE_ROOM),
        "RoomService/ListRooms" => handle_call(world, request, claims, &LIST_ROOMS),
        "RoomService/DeleteRoom" => handle_call(world, request, claims, &DELETE_ROOM),
        "RoomService/ListParticipants" => handle_call(world, request, claims, &LIST_PARTICIPANTS),
        "RoomService/GetParticipant" => handle_call(world, request, claims, &GET_PARTICIPANT),
        "RoomService/RemoveParticipant" => handle_call(world, request, claims, &REMOVE_PARTICIPANT),
        "RoomService/UpdateRoomMetadata" => handle_call(world, request, claims, &UPDATE_METADATA),
        "AgentDispatchService/CreateDispatch" => {
            handle_call(world, request, claims, &CREATE_DISPATCH)
        }
        "AgentDispatchService/DeleteDispatch" => {
            handle_call(world, request, claims, &DELETE_DISPATCH)
        }
        "AgentDispatchService/ListDispatch" => handle_call(world, request, claims, &LIST_DISPATCH),
        "RoomService" | "AgentDispatchService" => {
            let why = format!("no handler for path {:?}", request.path);
            TwirpError::bad_route(&why, request).response()
        }
        _ => SandboxResponse::text(404, "404 page not found\n"),
    };
    (label, response)
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

/// The claims of the request's token; `None` without a token. The errors are a real server's.
fn authenticate(
    world: &World,
    request: &SandboxRequest<'_>,
) -> Result<Option<TokenClaims>, Box<SandboxResponse>> {
    let Some(header) = request.authorization else { return Ok(None) };
    let unauthorized = |text: String| Box::new(SandboxResponse::text(401, text));
    let token = header.strip_prefix("Bearer ").ok_or_else(|| {
        unauthorized("invalid authorization header. Must start with Bearer ".to_owned())
    })?;
    let unix_seconds = world.anchor.unix_seconds(world.now());
    let verified = world.token_verifier.verify(token).and_then(|claims| {
        check_validity(claims.nbf, claims.exp, unix_seconds)?;
        Ok(claims)
    });
    verified.map(Some).map_err(|error| match error {
        TokenRefusal::Malformed | TokenRefusal::UnknownKey(_) => unauthorized(error.to_string()),
        other => unauthorized(format!("invalid token: {token}, error: {other}")),
    })
}

fn handle_call<Req, Res>(
    world: &mut World,
    request: &SandboxRequest<'_>,
    claims: Option<&TokenClaims>,
    method: &TwirpMethod<Req, Res>,
) -> SandboxResponse
where
    Req: Message + Default + DeserializeOwned,
    Res: Message + Serialize,
{
    if request.method != "POST" {
        let why = format!("unsupported method {:?} (only POST is allowed)", request.method);
        return TwirpError::bad_route(&why, request).response();
    }
    let codec = match Codec::of(request) {
        Ok(codec) => codec,
        Err(error) => return error.response(),
    };
    let message: Req = match codec.decode(request.body) {
        Ok(message) => message,
        Err(error) => return error.response(),
    };
    let room = (method.room)(&message);
    if !claims.is_some_and(|claims| has_grant(claims, method.grant, &room)) {
        return TwirpError::unauthenticated().response();
    }
    let attempt = world.count_attempt(&RoomName::new(room.as_str()), method.label);
    let key = format!("{}/{room}#{attempt}", method.label);
    let fault = world.choose_fault(method.faults, &key);
    let times = world.config.times.livekit;
    let distribution =
        if method.label.starts_with("Room") { times.room_call } else { times.dispatch_call };
    let mut delay = world.sample_delay("livekit call", &key, distribution);
    match fault {
        Some(Fault::RoomUnavailable | Fault::DispatchUnavailable) => {
            return TwirpError::unavailable().response().delayed_by(delay);
        }
        Some(Fault::LivekitExhausted) => {
            return TwirpError::resource_exhausted().response().delayed_by(delay);
        }
        // Whoever limits requests in front of a server speaks no Twirp.
        Some(Fault::LivekitTooMany) => {
            let mut response = SandboxResponse::text(429, "Too Many Requests\n");
            response.retry_after = Some(retry_after_seconds(world.config.times.cekura.retry_after));
            return response.delayed_by(delay);
        }
        Some(Fault::LivekitHtml) => return SandboxResponse::bad_gateway().delayed_by(delay),
        Some(Fault::LivekitReset) => {
            let response = SandboxResponse::bad_gateway().with_delivery(Delivery::Reset);
            return response.delayed_by(delay);
        }
        Some(Fault::RoomSlow) => delay = delay + world.sample_delay("slow", &key, times.slow),
        _ => {}
    }
    let response = match (method.call)(world, &message) {
        Ok(message) => codec.encode(&message),
        Err(error) if error == TwirpError::unavailable() => {
            error.response().delayed_by(ROOM_NODE_TIMEOUT)
        }
        Err(error) => error.response(),
    };
    let response = response.delayed_by(delay);
    if fault == Some(Fault::LivekitResetAfter) {
        response.with_delivery(Delivery::Reset)
    } else {
        response
    }
}

fn has_grant(claims: &TokenClaims, grant: Grant, room: &str) -> bool {
    match grant {
        Grant::Create => claims.video.room_create,
        Grant::List => claims.video.room_list,
        Grant::Admin => claims.video.room_admin && claims.video.room == room,
    }
}

macro_rules! methods {
    ($($name:ident: $request:ident -> $response:ident = $label:literal, $grant:ident, $faults:ident, $room:expr, $call:path;)*) => {
        $(const $name: TwirpMethod<livekit_protocol::$request, livekit_protocol::$response> = TwirpMethod {
            label: $label,
            grant: Grant::$grant,
            faults: FaultGroup::$faults,
            room: $room,
            call: $call,
        };)*
    };
}

methods! {
    CREATE_ROOM: CreateRoomRequest -> Room = "RoomService/CreateRoom",
        Create, ROOM_CALL, |request| request.name.clone(), rooms::create;
    LIST_ROOMS: ListRoomsRequest -> ListRoomsResponse = "RoomService/ListRooms",
        List, ROOM_CALL, |request| request.names.join(","), rooms::list;
    DELETE_ROOM: DeleteRoomRequest -> DeleteRoomResponse = "RoomService/DeleteRoom",
        Create, ROOM_CALL, |request| request.room.clone(), rooms::delete;
    LIST_PARTICIPANTS: ListParticipantsRequest -> ListParticipantsResponse = "RoomService/ListParticipants",
        Admin, ROOM_CALL, |request| request.room.clone(), rooms::list_participants;
    GET_PARTICIPANT: RoomParticipantIdentity -> ParticipantInfo = "RoomService/GetParticipant",
        Admin, ROOM_CALL, |request| request.room.clone(), rooms::get_participant;
    REMOVE_PARTICIPANT: RoomParticipantIdentity -> RemoveParticipantResponse = "RoomService/RemoveParticipant",
        Admin, ROOM_CALL, |request| request.room.clone(), rooms::remove_participant;
    UPDATE_METADATA: UpdateRoomMetadataRequest -> Room = "RoomService/UpdateRoomMetadata",
        Admin, ROOM_CALL, |request| request.room.clone(), rooms::update_metadata;
    CREATE_DISPATCH: CreateAgentDispatchRequest -> AgentDispatch = "AgentDispatchService/CreateDispatch",
        Admin, CREATE_DISPATCH, |request| request.room.clone(), dispatches::create;
    DELETE_DISPATCH: DeleteAgentDispatchRequest -> AgentDispatch = "AgentDispatchService/DeleteDispatch",
        Admin, DISPATCH_CALL, |request| request.room.clone(), dispatches::delete;
    LIST_DISPATCH: ListAgentDispatchRequest -> ListAgentDispatchResponse = "AgentDispatchService/ListDispatch",
        Admin, DISPATCH_CALL, |request| request.room.clone(), dispatches::list;
}

#[cfg(test)]
mod tests;
