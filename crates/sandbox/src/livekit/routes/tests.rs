use livekit_api::access_token::VideoGrants;
use livekit_protocol as proto;

use crate::exchange::{Delivery, SandboxRequest, SandboxResponse};
use crate::test_sandbox::{AGENT, TestSandbox, admin, config, config_with, creator};
use crate::tokens::sign;
use crate::{Fault, Faults, SandboxConfig, WorkerPool};
use rushhour_core::units::{AgentName, Micros};

fn room_request() -> proto::CreateRoomRequest {
    proto::CreateRoomRequest { name: "room-1".to_owned(), ..Default::default() }
}

fn text(answer: &SandboxResponse) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

fn dispatch(
    sandbox: &mut TestSandbox,
    agent: &str,
) -> Result<proto::AgentDispatch, Box<SandboxResponse>> {
    let query = proto::CreateAgentDispatchRequest {
        room: "room-1".to_owned(),
        agent_name: agent.to_owned(),
        metadata: "{}".to_owned(),
        ..Default::default()
    };
    sandbox.twirp("AgentDispatchService/CreateDispatch", admin("room-1"), &query)
}

fn listed(sandbox: &mut TestSandbox) -> Vec<proto::AgentDispatch> {
    let query = proto::ListAgentDispatchRequest { room: "room-1".to_owned(), ..Default::default() };
    let answer: proto::ListAgentDispatchResponse =
        sandbox.twirp("AgentDispatchService/ListDispatch", admin("room-1"), &query).unwrap();
    answer.agent_dispatches
}

#[test]
fn tokens_that_do_not_verify_are_refused_in_the_servers_words() {
    let mut sandbox = TestSandbox::default();
    let claims = sandbox.claims(creator());
    let mut refusal = |authorization: &str| {
        let answer = sandbox.twirp_answer("RoomService/CreateRoom", authorization, &room_request());
        assert_eq!((answer.status, answer.content_type), (401, "text/plain; charset=utf-8"));
        text(&answer)
    };
    assert!(refusal("Basic abc").starts_with("invalid authorization header"));
    assert_eq!(refusal("Bearer abc"), "invalid authorization token");
    let mut foreign = claims.clone();
    foreign.iss = "other".to_owned();
    let foreign = sign(&foreign, SandboxConfig::API_SECRET);
    assert_eq!(refusal(&format!("Bearer {foreign}")), "invalid API key: other");
    let forged = sign(&claims, "another");
    let why = "token signature is invalid: signature is invalid";
    assert_eq!(
        refusal(&format!("Bearer {forged}")),
        format!("invalid token: {forged}, error: {why}")
    );
    let mut expired = claims.clone();
    expired.exp = claims.nbf - 61;
    let expired = sign(&expired, SandboxConfig::API_SECRET);
    assert!(refusal(&format!("Bearer {expired}")).ends_with("token is expired"));
}

#[test]
fn each_method_wants_its_grant() {
    let mut sandbox = TestSandbox::default();
    sandbox.furnish("room-1", "{}");
    let lister = VideoGrants { room_list: true, ..VideoGrants::default() };
    let room = "room-1".to_owned();
    let refused = |answer: Result<(), Box<SandboxResponse>>| {
        let answer = answer.unwrap_err();
        assert_eq!(answer.status, 401);
        assert_eq!(text(&answer), r#"{"code":"unauthenticated","msg":"permissions denied"}"#);
    };
    let delete = proto::DeleteRoomRequest { room: room.clone() };
    let people = proto::ListParticipantsRequest { room };
    let rooms = proto::ListRoomsRequest::default();
    for wrong in [lister.clone(), admin("room-1"), VideoGrants::default()] {
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
    for wrong in [creator(), admin("room-2"), lister.clone()] {
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
            .twirp::<proto::ListRoomsResponse>("RoomService/ListRooms", creator(), &rooms)
            .map(drop),
    );
    let found: proto::ListRoomsResponse =
        sandbox.twirp("RoomService/ListRooms", lister, &rooms).unwrap();
    assert_eq!(found.rooms.len(), 1);
}

#[test]
fn an_agent_is_assigned_joins_and_listens_in_its_time() {
    let mut sandbox = TestSandbox::default();
    sandbox.twirp::<proto::Room>("RoomService/CreateRoom", creator(), &room_request()).unwrap();
    let made = dispatch(&mut sandbox, AGENT).unwrap();
    assert!(made.state.as_ref().unwrap().jobs.is_empty());
    sandbox.wait(199);
    assert_eq!(listed(&mut sandbox).len(), 2);
    assert!(listed(&mut sandbox).iter().all(|one| one.state.as_ref().unwrap().jobs.is_empty()));
    sandbox.wait(1);
    let found = listed(&mut sandbox);
    // A room made without agents has a dispatch for nameless workers too.
    let names: Vec<&str> = found.iter().map(|one| one.agent_name.as_str()).collect();
    assert_eq!(names, ["", AGENT]);
    let job = &found[1].state.as_ref().unwrap().jobs[0];
    let state = job.state.as_ref().unwrap();
    assert_eq!(state.status, i32::from(proto::JobStatus::JsRunning));
    assert_eq!(state.started_at, 1_784_000_000_200_000_000);
    assert_eq!(state.participant_identity, format!("agent-{}", job.id));
    assert!(sandbox.agents_in("room-1").is_empty());

    sandbox.wait(100);
    let query = proto::RoomParticipantIdentity {
        room: "room-1".to_owned(),
        identity: state.participant_identity.clone(),
        ..Default::default()
    };
    let mut agent = || -> proto::ParticipantInfo {
        sandbox.wait(49);
        sandbox.twirp("RoomService/GetParticipant", admin("room-1"), &query).unwrap()
    };
    let early = agent();
    assert_eq!((early.kind, early.joined_at_ms), (4, 1_784_000_000_300));
    assert_eq!(early.attributes["lk.agent.state"], "initializing");
    assert_eq!(agent().attributes["lk.agent.state"], "listening");
}

#[test]
fn a_dispatch_without_a_worker_says_nothing_and_stays_without_jobs() {
    let workers = WorkerPool::Only([AgentName::new("other")].into());
    let mut sandbox = TestSandbox::new(SandboxConfig { workers, ..config() });
    dispatch(&mut sandbox, AGENT).unwrap();
    sandbox.wait(60_000);
    assert_eq!(listed(&mut sandbox).len(), 2);
    assert!(listed(&mut sandbox).iter().all(|one| one.state.as_ref().unwrap().jobs.is_empty()));
}

#[test]
fn a_dispatch_taken_back_takes_its_agent_along() {
    let mut sandbox = TestSandbox::default();
    let id = dispatch(&mut sandbox, AGENT).unwrap().id;
    sandbox.wait(1_000);
    let query = proto::DeleteAgentDispatchRequest { dispatch_id: id, room: "room-1".to_owned() };
    let mut delete = || -> Result<proto::AgentDispatch, Box<SandboxResponse>> {
        sandbox.twirp("AgentDispatchService/DeleteDispatch", admin("room-1"), &query)
    };
    assert!(delete().is_ok());
    assert_eq!(delete().unwrap_err().status, 404);
    assert!(sandbox.agents_in("room-1").is_empty());
}

#[test]
fn dispatches_of_a_room_that_is_not_there_are_waited_for_in_vain() {
    let mut sandbox = TestSandbox::default();
    let query = proto::ListAgentDispatchRequest { room: "no".to_owned(), ..Default::default() };
    let answer = sandbox
        .twirp::<proto::ListAgentDispatchResponse>(
            "AgentDispatchService/ListDispatch",
            admin("no"),
            &query,
        )
        .unwrap_err();
    assert_eq!((answer.status, answer.after), (503, Micros::from_millis(3_003)));
}

#[test]
fn faults_of_calls_come_as_they_are_called() {
    let made = |fault: Fault| {
        let mut sandbox = TestSandbox::new(config_with(Faults::always(fault)));
        let token = sign(&sandbox.claims(creator()), SandboxConfig::API_SECRET);
        let answer = sandbox.twirp_answer(
            "RoomService/CreateRoom",
            &format!("Bearer {token}"),
            &room_request(),
        );
        (answer, sandbox.truth().counts.rooms_made)
    };
    let (answer, rooms) = made(Fault::RoomUnavailable);
    assert_eq!((answer.status, rooms), (503, 0));
    assert!(text(&answer).contains(r#""code":"unavailable""#));
    let (answer, rooms) = made(Fault::RoomSlow);
    assert_eq!((answer.status, answer.after, rooms), (200, Micros::from_millis(3_002), 1));
    let (answer, rooms) = made(Fault::LivekitHtml);
    assert_eq!((answer.status, answer.content_type, rooms), (502, "text/html", 0));
    let (answer, rooms) = made(Fault::LivekitReset);
    assert_eq!((answer.delivery, rooms), (Delivery::Reset, 0));
    let (answer, rooms) = made(Fault::LivekitResetAfter);
    assert_eq!((answer.delivery, rooms), (Delivery::Reset, 1));
    let mut sandbox = TestSandbox::new(config_with(Faults::always(Fault::DispatchUnavailable)));
    assert_eq!(dispatch(&mut sandbox, AGENT).unwrap_err().status, 503);
    assert_eq!(sandbox.truth().counts.dispatches, 0);
}

#[test]
fn faulty_dispatches_lose_delay_or_keep_away_their_agent() {
    let after_a_while = |fault: Fault| {
        let mut sandbox = TestSandbox::new(config_with(Faults::always(fault)));
        dispatch(&mut sandbox, AGENT).unwrap();
        sandbox.wait(20_299);
        let before = sandbox.truth().counts.agents_joined;
        sandbox.wait(1);
        let counts = sandbox.truth().counts;
        (counts.jobs, before, counts.agents_joined)
    };
    assert_eq!(after_a_while(Fault::DispatchLost), (0, 0, 0));
    assert_eq!(after_a_while(Fault::AgentNeverJoins), (1, 0, 0));
    assert_eq!(after_a_while(Fault::AgentLate), (1, 0, 1));
}

#[test]
fn wrong_routes_methods_and_bodies_are_told_apart() {
    let mut sandbox = TestSandbox::default();
    let mut send = |method: &str, path: &str, content_type: &str, body: &[u8]| {
        let answer = sandbox.send(&SandboxRequest {
            method,
            path,
            content_type,
            body,
            ..SandboxRequest::default()
        });
        (answer.status, text(&answer))
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
    // Without a token the body is read first, then the grant is missed.
    let (status, body) = send("POST", create, "application/json", b"{}");
    assert!(status == 401 && body.contains("permissions denied"), "{body}");
}
