use livekit_protocol as proto;

use crate::test_sandbox::{AGENT, TestSandbox, admin, config, creator};
use crate::tokens::sign;
use crate::truth::{RoomEnd, RoomStart, SandboxFact};
use crate::{SandboxConfig, WorkerPool};
use rushhour_core::units::{AgentName, Mode, RoomName};

fn is_open(sandbox: &TestSandbox, room: &str) -> bool {
    sandbox.world.room(&RoomName::new(room)).is_some()
}

fn room_of(empty_timeout: u32, departure_timeout: u32) -> proto::CreateRoomRequest {
    let name = "room-1".to_owned();
    proto::CreateRoomRequest { name, empty_timeout, departure_timeout, ..Default::default() }
}

#[test]
fn a_room_that_nobody_enters_closes_after_its_empty_timeout() {
    let mut sandbox = TestSandbox::default();
    sandbox.twirp::<proto::Room>("RoomService/CreateRoom", creator(), &room_of(30, 5)).unwrap();
    sandbox.wait(29_900);
    assert!(is_open(&sandbox, "room-1"));
    sandbox.wait(200);
    assert!(!is_open(&sandbox, "room-1"));
    let counts = sandbox.truth().counts;
    assert_eq!((counts.rooms_made, counts.rooms_deleted, counts.rooms_expired), (1, 0, 1));
}

#[test]
fn an_agent_alone_keeps_no_room_open() {
    let mut sandbox = TestSandbox::default();
    sandbox.furnish("room-1", "{}");
    sandbox.wait(1_000);
    assert_eq!(sandbox.agents_in("room-1"), [AgentName::new(AGENT)]);
    sandbox.wait(299_100);
    assert!(!is_open(&sandbox, "room-1"));
}

#[test]
fn a_room_that_everybody_left_closes_after_its_departure_timeout() {
    let mut sandbox = TestSandbox::default();
    sandbox.twirp::<proto::Room>("RoomService/CreateRoom", creator(), &room_of(30, 5)).unwrap();
    let run = sandbox.submit(Mode::Voice, "room-1");
    // The evaluator is there from 500 ms on, loses patience after 5 s, and the room waits 5 s more.
    sandbox.wait(10_400);
    assert_eq!(sandbox.status(run), "failed");
    assert!(is_open(&sandbox, "room-1"));
    sandbox.wait(200);
    assert!(!is_open(&sandbox, "room-1"));
}

#[test]
fn a_room_made_again_is_another_room() {
    let mut sandbox = TestSandbox::default();
    sandbox.furnish("room-1", "{}");
    sandbox.delete("room-1").unwrap();
    sandbox.wait(10);
    sandbox.furnish("room-1", "{}");
    // The first room's agent was due now: it must not enter the second.
    sandbox.wait(295);
    assert!(sandbox.agents_in("room-1").is_empty());
    sandbox.wait(10);
    assert_eq!(sandbox.agents_in("room-1").len(), 1);
    let mut sids: Vec<String> = sandbox
        .facts()
        .iter()
        .filter_map(|(_, fact)| match fact {
            SandboxFact::RoomMade { sid, by: RoomStart::CreateRoom, .. } => Some(sid.clone()),
            _ => None,
        })
        .collect();
    sids.dedup();
    assert_eq!(sids.len(), 2);
}

#[test]
fn joining_makes_a_room_with_the_agents_of_the_token() {
    let mut sandbox = TestSandbox::default();
    let mut entry = sandbox.entry("made-by-joining");
    let video = livekit_api::access_token::VideoGrants {
        room_join: true,
        room: "made-by-joining".to_owned(),
        ..Default::default()
    };
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
    sandbox.wait(6_000);
    let counts = sandbox.truth().counts;
    assert_eq!((counts.runs_over.get("completed"), counts.agents_joined), (Some(&1), 1));

    // Where the room is there already, the token's agents are ignored, as on a real server.
    let mut sandbox = TestSandbox::default();
    sandbox
        .twirp::<proto::Room>(
            "RoomService/CreateRoom",
            creator(),
            &proto::CreateRoomRequest { name: "made-by-joining".to_owned(), ..Default::default() },
        )
        .unwrap();
    sandbox.submit_entries(Mode::Voice, &[entry]);
    sandbox.wait(6_000);
    let counts = sandbox.truth().counts;
    assert_eq!((counts.runs_over.get("failed"), counts.room_dispatches), (Some(&1), 0));
}

#[test]
fn rooms_that_ask_for_no_agent_get_the_nameless_one_where_there_is_one() {
    let workers = WorkerPool::Only([AgentName::new("")].into());
    let mut sandbox = TestSandbox::new(SandboxConfig { workers, ..config() });
    sandbox.twirp::<proto::Room>("RoomService/CreateRoom", creator(), &room_of(0, 0)).unwrap();
    sandbox.furnish("room-2", "{}");
    sandbox.wait(1_000);
    assert_eq!(sandbox.agents_in("room-1"), [AgentName::new("")]);
    assert!(sandbox.agents_in("room-2").is_empty(), "its agent has no worker here");
}

#[test]
fn removing_the_agent_ends_the_conversation() {
    let mut sandbox = TestSandbox::default();
    sandbox.furnish("room-1", "{}");
    let run = sandbox.submit(Mode::Voice, "room-1");
    sandbox.wait(1_000);
    let room = "room-1".to_owned();
    let listed: proto::ListParticipantsResponse = sandbox
        .twirp(
            "RoomService/ListParticipants",
            admin("room-1"),
            &proto::ListParticipantsRequest { room: room.clone() },
        )
        .unwrap();
    let kinds: Vec<i32> = listed.participants.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [4, 0]);
    let identity = listed.participants[0].identity.clone();
    assert!(identity.starts_with("agent-AJ_"));
    let query = proto::RoomParticipantIdentity { room, identity, ..Default::default() };
    sandbox
        .twirp::<proto::RemoveParticipantResponse>(
            "RoomService/RemoveParticipant",
            admin("room-1"),
            &query,
        )
        .unwrap();
    assert_eq!(sandbox.status(run), "failed");
    assert_eq!(sandbox.run(run)["error_message"], "Call ended: the agent left");
}

#[test]
fn how_a_room_closed_is_told_apart() {
    let mut sandbox = TestSandbox::default();
    sandbox.furnish("a", "{}");
    sandbox.furnish("b", "{}");
    sandbox.delete("a").unwrap();
    assert_eq!(sandbox.truth().rooms_open, [RoomName::new("b")]);
    assert_eq!(sandbox.delete("a").unwrap_err().status, 404);
    let closed = sandbox.facts().iter().find_map(|(_, fact)| match fact {
        SandboxFact::RoomClosed { room, reason } => Some((room.to_string(), *reason)),
        _ => None,
    });
    assert_eq!(closed, Some(("a".to_owned(), RoomEnd::Deleted)));
}
