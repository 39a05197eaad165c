use livekit_protocol as proto;

use crate::http::{Delivery, SandboxRequest, SandboxResponse};
use crate::test_sandbox::{AGENT, TestSandbox, admin_grant, config, config_with, create_grant};
use crate::tokens::{VideoGrant, sign};
use crate::{Fault, Faults, SandboxConfig, WorkerPool};
use rushhour_core::units::{AgentName, Micros};

fn room_request() -> proto::CreateRoomRequest {
    proto::CreateRoomRequest { name: "room-1".to_owned(), ..Default::default() }
}

fn text(response: &SandboxResponse) -> String {
    String::from_utf8(response.body.clone()).unwrap()
}

fn dispatch(
    sandbox: &mut TestSandbox,
    agent: &str,
) -> Result<proto::AgentDispatch, Box<SandboxResponse>> {
    let request = proto::CreateAgentDispatchRequest {
        room: "room-1".to_owned(),
        agent_name: agent.to_owned(),
        metadata: "{}".to_owned(),
        ..Default::default()
    };
    sandbox.twirp("AgentDispatchService/CreateDispatch", admin_grant("room-1"), &request)
}

fn has_no_jobs(dispatch: &proto::AgentDispatch) -> bool {
    dispatch.state.as_ref().unwrap().jobs.is_empty()
}

fn listed(sandbox: &mut TestSandbox) -> Vec<proto::AgentDispatch> {
    let request =
        proto::ListAgentDispatchRequest { room: "room-1".to_owned(), ..Default::default() };
    let response: proto::ListAgentDispatchResponse = sandbox
        .twirp("AgentDispatchService/ListDispatch", admin_grant("room-1"), &request)
        .unwrap();
    response.agent_dispatches
}

#[test]
fn invalid_tokens_are_refused_with_the_servers_messages() {
    let mut sandbox = TestSandbox::default();
    let claims = sandbox.claims(create_grant());
    let mut error = |authorization: &str| {
        let response =
            sandbox.twirp_response("RoomService/CreateRoom", authorization, &room_request());
        assert_eq!((response.status, response.content_type), (401, "text/plain; charset=utf-8"));
        text(&response)
    };
    assert!(error("Basic abc").starts_with("invalid authorization header"));
    assert_eq!(error("Bearer abc"), "invalid authorization token");
    let mut foreign = claims.clone();
    foreign.iss = "other".to_owned();
    let foreign = sign(&foreign, SandboxConfig::API_SECRET);
    assert_eq!(error(&format!("Bearer {foreign}")), "invalid API key: other");
    let forged = sign(&claims, "another");
    let why = "token signature is invalid: signature is invalid";
    assert_eq!(
        error(&format!("Bearer {forged}")),
        format!("invalid token: {forged}, error: {why}")
    );
    let mut expired = claims.clone();
    expired.exp = claims.nbf - 61;
    let expired = sign(&expired, SandboxConfig::API_SECRET);
    assert!(error(&format!("Bearer {expired}")).ends_with("token is expired"));
}

#[test]
fn each_method_requires_its_grant() {
    let mut sandbox = TestSandbox::default();
    sandbox.create_room_with_agent("room-1", "{}");
    let lister = VideoGrant { room_list: true, ..VideoGrant::default() };
    let room = "room-1".to_owned();
    let refused = |response: Result<(), Box<SandboxResponse>>| {
        let response = response.unwrap_err();
        assert_eq!(response.status, 401);
        assert_eq!(text(&response), r#"{"code":"unauthenticated","msg":"permissions denied"}"#);
    };
    let delete = proto::DeleteRoomRequest { room: room.clone() };
    let people = proto::ListParticipantsRequest { room };
    let rooms = proto::ListRoomsRequest::default();
    for wrong in [lister.clone(), admin_grant("room-1"), VideoGrant::default()] {
        refused(
            sandbox
                .twirp::<proto::Room>("RoomService/CreateRoom", wrong.clone(), &room_request())
                .map(drop),
        );
        refused(
            sandbox
                .twirp::<proto::DeleteRoomResponse>("RoomService/DeleteRoom", wrong, &delete)
                .map(drop),
        );
    }
    for wrong in [create_grant(), admin_grant("room-2"), lister.clone()] {
        refused(
            sandbox
                .twirp::<proto::ListParticipantsResponse>(
                    "RoomService/ListParticipants",
                    wrong,
                    &people,
                )
                .map(drop),
        );
    }
    refused(
        sandbox
            .twirp::<proto::ListRoomsResponse>("RoomService/ListRooms", create_grant(), &rooms)
            .map(drop),
    );
    let found: proto::ListRoomsResponse =
        sandbox.twirp("RoomService/ListRooms", lister, &rooms).unwrap();
    assert_eq!(found.rooms.len(), 1);
}

#[test]
fn an_agent_is_assigned_joins_and_listens_after_its_delays() {
    let mut sandbox = TestSandbox::default();
    sandbox
        .twirp::<proto::Room>("RoomService/CreateRoom", create_grant(), &room_request())
        .unwrap();
    let created = dispatch(&mut sandbox, AGENT).unwrap();
    assert!(has_no_jobs(&created));
    sandbox.advance(199);
    assert_eq!(listed(&mut sandbox).len(), 2);
    assert!(listed(&mut sandbox).iter().all(has_no_jobs));
    sandbox.advance(1);
    let found = listed(&mut sandbox);
    // A room created without agents also has a dispatch of the nameless agent.
    let names: Vec<&str> = found.iter().map(|dispatch| dispatch.agent_name.as_str()).collect();
    assert_eq!(names, ["", AGENT]);
    let job = &found[1].state.as_ref().unwrap().jobs[0];
    let state = job.state.as_ref().unwrap();
    assert_eq!(state.status, i32::from(proto::JobStatus::JsRunning));
    assert_eq!(state.started_at, 1_784_000_000_200_000_000);
    assert_eq!(state.participant_identity, format!("agent-{}", job.id));
    assert!(sandbox.agents_in("room-1").is_empty());

    sandbox.advance(100);
    let request = proto::RoomParticipantIdentity {
        room: "room-1".to_owned(),
        identity: state.participant_identity.clone(),
        ..Default::default()
    };
    let mut agent = || -> proto::ParticipantInfo {
        sandbox.advance(49);
        sandbox.twirp("RoomService/GetParticipant", admin_grant("room-1"), &request).unwrap()
    };
    let early = agent();
    assert_eq!((early.kind, early.joined_at_ms), (4, 1_784_000_000_300));
    assert_eq!(early.attributes["lk.agent.state"], "initializing");
    assert_eq!(agent().attributes["lk.agent.state"], "listening");
}

#[test]
fn a_dispatch_without_a_worker_stays_without_jobs() {
    let workers = WorkerPool::Only([AgentName::new("other")].into());
    let mut sandbox = TestSandbox::new(SandboxConfig { workers, ..config() });
    dispatch(&mut sandbox, AGENT).unwrap();
    sandbox.advance(60_000);
    assert_eq!(listed(&mut sandbox).len(), 2);
    assert!(listed(&mut sandbox).iter().all(has_no_jobs));
}

#[test]
fn deleting_a_dispatch_removes_its_agent() {
    let mut sandbox = TestSandbox::default();
    let id = dispatch(&mut sandbox, AGENT).unwrap().id;
    sandbox.advance(1_000);
    let request = proto::DeleteAgentDispatchRequest { dispatch_id: id, room: "room-1".to_owned() };
    let mut delete = || -> Result<proto::AgentDispatch, Box<SandboxResponse>> {
        sandbox.twirp("AgentDispatchService/DeleteDispatch", admin_grant("room-1"), &request)
    };
    assert!(delete().is_ok());
    assert_eq!(delete().unwrap_err().status, 404);
    assert!(sandbox.agents_in("room-1").is_empty());
}

#[test]
fn listing_the_dispatches_of_a_missing_room_times_out() {
    let mut sandbox = TestSandbox::default();
    let request = proto::ListAgentDispatchRequest { room: "no".to_owned(), ..Default::default() };
    let response = sandbox
        .twirp::<proto::ListAgentDispatchResponse>(
            "AgentDispatchService/ListDispatch",
            admin_grant("no"),
            &request,
        )
        .unwrap_err();
    assert_eq!((response.status, response.delay), (503, Micros::from_millis(3_003)));
}

#[test]
fn call_faults_change_the_response() {
    let create_room = |fault: Fault| {
        let mut sandbox = TestSandbox::new(config_with(Faults::always(fault)));
        let token = sign(&sandbox.claims(create_grant()), SandboxConfig::API_SECRET);
        let response = sandbox.twirp_response(
            "RoomService/CreateRoom",
            &format!("Bearer {token}"),
            &room_request(),
        );
        (response, sandbox.truth().counts.rooms_created)
    };
    let (response, rooms) = create_room(Fault::RoomUnavailable);
    assert_eq!((response.status, rooms), (503, 0));
    assert!(text(&response).contains(r#""code":"unavailable""#));
    let (response, rooms) = create_room(Fault::RoomSlow);
    assert_eq!((response.status, response.delay, rooms), (200, Micros::from_millis(3_002), 1));
    let (response, rooms) = create_room(Fault::LivekitHtml);
    assert_eq!((response.status, response.content_type, rooms), (502, "text/html", 0));
    let (response, rooms) = create_room(Fault::LivekitTooMany);
    assert_eq!((response.status, response.retry_after.as_deref(), rooms), (429, Some("2"), 0));
    let (response, rooms) = create_room(Fault::LivekitExhausted);
    assert_eq!((response.status, response.retry_after.as_deref(), rooms), (429, None, 0));
    assert!(text(&response).contains(r#""code":"resource_exhausted""#));
    let (response, rooms) = create_room(Fault::LivekitReset);
    assert_eq!((response.delivery, rooms), (Delivery::Reset, 0));
    let (response, rooms) = create_room(Fault::LivekitResetAfter);
    assert_eq!((response.delivery, rooms), (Delivery::Reset, 1));
    let mut sandbox = TestSandbox::new(config_with(Faults::always(Fault::DispatchUnavailable)));
    assert_eq!(dispatch(&mut sandbox, AGENT).unwrap_err().status, 503);
    assert_eq!(sandbox.truth().counts.dispatches, 0);
}

#[test]
fn dispatch_faults_lose_the_job_or_delay_or_remove_the_agent() {
    let counts_before_and_after = |fault: Fault| {
        let mut sandbox = TestSandbox::new(config_with(Faults::always(fault)));
        dispatch(&mut sandbox, AGENT).unwrap();
        sandbox.advance(20_299);
        let before = sandbox.truth().counts.agents_joined;
        sandbox.advance(1);
        let counts = sandbox.truth().counts;
        (counts.jobs, before, counts.agents_joined)
    };
    assert_eq!(counts_before_and_after(Fault::DispatchLost), (0, 0, 0));
    assert_eq!(counts_before_and_after(Fault::AgentNeverJoins), (1, 0, 0));
    assert_eq!(counts_before_and_after(Fault::AgentLate), (1, 0, 1));
}

#[test]
fn wrong_routes_methods_and_bodies_have_different_errors() {
    let mut sandbox = TestSandbox::default();
    let mut send = |method: &str, path: &str, content_type: &str, body: &[u8]| {
        let response = sandbox.send(&SandboxRequest {
            method,
            path,
            content_type,
            body,
            ..SandboxRequest::default()
        });
        (response.status, text(&response))
    };
    let create = "/twirp/livekit.RoomService/CreateRoom";
    let (status, body) = send("GET", create, "application/json", b"");
    assert!(status == 404 && body.contains("bad_route") && body.contains("only POST"), "{body}");
    let (status, body) = send("POST", create, "text/plain", b"");
    assert!(status == 404 && body.contains("unexpected Content-Type"), "{body}");
    let (status, body) = send("POST", create, "application/json", b"{");
    assert!(status == 400 && body.contains("malformed"), "{body}");
    let (status, body) = send("POST", "/twirp/livekit.RoomService/No", "application/json", b"");
    assert!(status == 404 && body.contains("no handler for path"), "{body}");
    assert_eq!(send("POST", "/twirp/livekit.No/No", "application/json", b"").0, 404);
    assert_eq!(send("GET", "/", "", b""), (200, "OK".to_owned()));
    // The body is decoded before the grant is checked.
    let (status, body) = send("POST", create, "application/json", b"{}");
    assert!(status == 401 && body.contains("permissions denied"), "{body}");
}
