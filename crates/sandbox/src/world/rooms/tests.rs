use livekit_protocol as proto;

use crate::test_sandbox::{AGENT, TestSandbox, admin_grant, config, create_grant};
use crate::tokens::{VideoGrant, sign};
use crate::truth::{RoomCloseReason, RoomOrigin, SandboxFact};
use crate::{SandboxConfig, WorkerPool};
use rushhour_core::units::{AgentName, Mode, RoomName};

fn is_open(sandbox: &TestSandbox, room: &str) -> bool {
    sandbox.world.room(&RoomName::new(room)).is_some()
}

fn room_request(empty_timeout: u32, departure_timeout: u32) -> proto::CreateRoomRequest {
    let name = "room-1".to_owned();
    proto::CreateRoomRequest { name, empty_timeout, departure_timeout, ..Default::default() }
}

#[test]
fn a_room_that_nobody_joins_closes_after_its_empty_timeout() {
    let mut sandbox = TestSandbox::default();
    sandbox
        .twirp::<proto::Room>("RoomService/CreateRoom", create_grant(), &room_request(30, 5))
        .unwrap();
    sandbox.advance(29_900);
    assert!(is_open(&sandbox, "room-1"));
    sandbox.advance(200);
    assert!(!is_open(&sandbox, "room-1"));
    let counts = sandbox.truth().counts;
    assert_eq!((counts.rooms_created, counts.rooms_deleted, counts.rooms_expired), (1, 0, 1));
}

#[test]
fn an_agent_alone_does_not_keep_a_room_open() {
    let mut sandbox = TestSandbox::default();
    sandbox.create_room_with_agent("room-1", "{}");
    sandbox.advance(1_000);
    assert_eq!(sandbox.agents_in("room-1"), [AgentName::new(AGENT)]);
    sandbox.advance(299_100);
    assert!(!is_open(&sandbox, "room-1"));
}

#[test]
fn a_room_that_everybody_left_closes_after_its_departure_timeout() {
    let mut sandbox = TestSandbox::default();
    sandbox
        .twirp::<proto::Room>("RoomService/CreateRoom", create_grant(), &room_request(30, 5))
        .unwrap();
    let run = sandbox.submit(Mode::Voice, "room-1");
    // The evaluator joins after 500 ms and leaves 5 s later; the room stays open for 5 s more.
    sandbox.advance(10_400);
    assert_eq!(sandbox.status(run), "failed");
    assert!(is_open(&sandbox, "room-1"));
    sandbox.advance(200);
    assert!(!is_open(&sandbox, "room-1"));
}

#[test]
fn a_room_created_again_is_a_new_room() {
    let mut sandbox = TestSandbox::default();
    sandbox.create_room_with_agent("room-1", "{}");
    sandbox.delete("room-1").unwrap();
    sandbox.advance(10);
    sandbox.create_room_with_agent("room-1", "{}");
    // The agent of the first room was to join now. It must not join the second room.
    sandbox.advance(295);
    assert!(sandbox.agents_in("room-1").is_empty());
    sandbox.advance(10);
    assert_eq!(sandbox.agents_in("room-1").len(), 1);
    let mut sids: Vec<String> = sandbox
        .facts()
        .iter()
        .filter_map(|(_, fact)| match fact {
            SandboxFact::RoomCreated { sid, by: RoomOrigin::CreateRoom, .. } => Some(sid.clone()),
            _ => None,
        })
        .collect();
    sids.dedup();
    assert_eq!(sids.len(), 2);
}

#[test]
fn joining_creates_a_room_with_the_agents_of_the_token() {
    let mut sandbox = TestSandbox::default();
    let mut entry = sandbox.entry("created-by-joining");
    let video =
        VideoGrant { room_join: true, room: "created-by-joining".to_owned(), ..Default::default() };
    let mut claims = sandbox.claims(video);
    claims.sub = "evaluator".to_owned();
    claims.room_config = Some(proto::RoomConfiguration {
        agents: vec![proto::RoomAgentDispatch {
            agent_name: AGENT.to_owned(),
            ..Default::default()
        }],
        ..Default::default()
    });
    entry["access_token"] = sign(&claims, SandboxConfig::API_SECRET).into();
    sandbox.submit_entries(Mode::Voice, std::slice::from_ref(&entry));
    sandbox.advance(6_000);
    let counts = sandbox.truth().counts;
    assert_eq!((counts.runs_over.get("completed"), counts.agents_joined), (Some(&1), 1));

    // If the room exists, the agents of the token are ignored, as on a real server.
    let mut sandbox = TestSandbox::default();
    sandbox
        .twirp::<proto::Room>(
            "RoomService/CreateRoom",
            create_grant(),
            &proto::CreateRoomRequest {
                name: "created-by-joining".to_owned(),
                ..Default::default()
            },
        )
        .unwrap();
    sandbox.submit_entries(Mode::Voice, &[entry]);
    sandbox.advance(6_000);
    let counts = sandbox.truth().counts;
    assert_eq!((counts.runs_over.get("failed"), counts.room_dispatches), (Some(&1), 0));
}

#[test]
fn rooms_without_agents_get_the_nameless_agent_if_it_has_a_worker() {
    let workers = WorkerPool::Only([AgentName::new("")].into());
    let mut sandbox = TestSandbox::new(SandboxConfig { workers, ..config() });
    sandbox
        .twirp::<proto::Room>("RoomService/CreateRoom", create_grant(), &room_request(0, 0))
        .unwrap();
    sandbox.create_room_with_agent("room-2", "{}");
    sandbox.advance(1_000);
    assert_eq!(sandbox.agents_in("room-1"), [AgentName::new("")]);
    assert!(sandbox.agents_in("room-2").is_empty(), "its agent has no worker");
}

#[test]
fn removing_the_agent_ends_the_conversation() {
    let mut sandbox = TestSandbox::default();
    sandbox.create_room_with_agent("room-1", "{}");
    let run = sandbox.submit(Mode::Voice, "room-1");
    sandbox.advance(1_000);
    let room = "room-1".to_owned();
    let listed: proto::ListParticipantsResponse = sandbox
        .twirp(
            "RoomService/ListParticipants",
            admin_grant("room-1"),
            &proto::ListParticipantsRequest { room: room.clone() },
        )
        .unwrap();
    let kinds: Vec<i32> = listed.participants.iter().map(|participant| participant.kind).collect();
    assert_eq!(kinds, [4, 0]);
    let identity = listed.participants[0].identity.clone();
    assert!(identity.starts_with("agent-AJ_"));
    let request = proto::RoomParticipantIdentity { room, identity, ..Default::default() };
    sandbox
        .twirp::<proto::RemoveParticipantResponse>(
            "RoomService/RemoveParticipant",
            admin_grant("room-1"),
            &request,
        )
        .unwrap();
    assert_eq!(sandbox.status(run), "failed");
    assert_eq!(sandbox.run(run)["error_message"], "Call ended: the agent left");
}

#[test]
fn the_log_says_why_a_room_closed() {
    let mut sandbox = TestSandbox::default();
    sandbox.create_room_with_agent("a", "{}");
    sandbox.create_room_with_agent("b", "{}");
    sandbox.delete("a").unwrap();
    assert_eq!(sandbox.truth().rooms_open, [RoomName::new("b")]);
    assert_eq!(sandbox.delete("a").unwrap_err().status, 404);
    let closed = sandbox.facts().iter().find_map(|(_, fact)| match fact {
        SandboxFact::RoomClosed { room, reason } => Some((room.to_string(), *reason)),
        _ => None,
    });
    assert_eq!(closed, Some(("a".to_owned(), RoomCloseReason::Deleted)));
}
