//! Rooms that a caller's token makes, on the real livekit-server: they carry their session's mark too.

use std::time::{Duration, Instant};

use rushhour_callers::engine::{
    Engine, EngineClock, JoinRequest, LeaveReason, ParticipantHandle, ParticipantHandler,
};
use rushhour_callers::participant::ParticipantEvent;
use rushhour_core::profile::AgentDispatch;
use rushhour_core::units::{
    AgentName, Identity, Micros, RoomName, RunIndex, SessionId, SessionTime,
};
use rushhour_livekit::{
    LiveKitClient, ParticipantClaims, TokenDispatch, TokenRequest, TokenSigner, parse_room_owner,
    room_metadata,
};

use crate::support::{ForgedJournal, LiveKitServer, TestDir, wait_until};

struct Guest;

impl ParticipantHandler for Guest {
    fn on_event(&mut self, _: ParticipantEvent, _: SessionTime, _: &mut dyn ParticipantHandle) {}

    fn on_left(&mut self, _: LeaveReason, _: SessionTime) {}
}

#[test]
fn a_room_that_a_token_makes_carries_the_mark_and_sweep_deletes_it_alone() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let engine = Engine::start(EngineClock::new(Instant::now(), 0), 1).unwrap();
    let signer = TokenSigner::new(server.key(), server.secret());
    let session = SessionId::new("20260101T000000Z-forged");
    let join = |run: u64, mark: String| {
        let agent = TokenDispatch {
            agent: AgentName::new("nobody"),
            metadata: String::new(),
            room_metadata: mark,
        };
        let token = signer.sign(TokenRequest {
            identity: Identity::new(format!("caller-{run}")),
            room: RoomName::new(format!("rushhour-1-{run:06}")),
            lifetime: Micros::from_secs(60),
            agent: Some(agent),
            participant: ParticipantClaims::default(),
        });
        engine.join(JoinRequest::new(server.url(), token.unwrap(), Guest));
    };
    join(0, room_metadata(&session, RunIndex(0)));
    // Somebody's meeting, which the journal names too.
    join(1, String::new());
    wait_until("both rooms exist", || server.rooms().len() == 2);
    let client =
        LiveKitClient::new(&server.url(), &server.key(), &server.secret(), Duration::from_secs(5));
    let listed = runtime.block_on(client.unwrap().list_rooms(Vec::new())).unwrap();
    let owners: Vec<_> = listed
        .rooms
        .iter()
        .filter_map(|room| parse_room_owner(&room.metadata))
        .map(|owner| (owner.session, owner.run))
        .collect();
    assert_eq!(owners, [(session, RunIndex(0))], "the server took the mark from the token");

    let profile = format!(
        "name = \"forged\"\nmode = \"chat\"\n[livekit]\nurl = \"{}\"\nagent = \"nobody\"\n[evaluator]\nkind = \"sandbox\"\n[[scenario]]\nid = 30\ncopies = 2\n[[stage]]\nburst = 2\n",
        server.url()
    );
    ForgedJournal::new(&profile)
        .with_profile(|profile| {
            profile.livekit.dispatch = AgentDispatch::Token { agent: AgentName::new("nobody") };
        })
        .with_run(0, "rushhour-1-000000")
        .with_run(1, "rushhour-1-000001")
        .write(dir.path(), "forged");
    let sweep = dir.rushhour(&["sweep", "forged", "--yes"]).env("LIVEKIT_URL", &server.url());
    let swept = server.with_keys(sweep).run().expect_exit(0);
    assert!(swept.stdout.contains("1 room deleted, 0 calls ended"), "{}", swept.stdout);
    assert!(swept.stdout.contains("left alone: rushhour-1-000001"), "{}", swept.stdout);
    wait_until("the marked room is gone", || server.rooms() == ["rushhour-1-000001"]);
}
