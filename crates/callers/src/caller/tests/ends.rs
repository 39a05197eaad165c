//! Conversations that fail: the class, the detail and the ending of each turn.

use super::super::prepared_script::PreparedScript;
use super::scene::{Scene, at, participant, script, speaks, tone, track, writes};
use crate::engine::{ConnectError, LeaveReason};
use crate::participant::{DisconnectError, ParticipantError, RemoteParticipant};
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{FailureClass, Outcome, ReconnectCause, TurnEnding};
use rushhour_core::units::Mode;

fn one_turn() -> PreparedScript {
    script(vec![writes("One.")])
}

#[test]
fn a_caller_without_a_data_channel_says_which_ways_it_tried() {
    let mut scene = Scene::joining(Mode::Chat, one_turn());
    scene.until(9_980);
    assert!(!scene.handle.has_left);
    scene.until(10_100);
    let (_, class, detail) = scene.failure();
    assert_eq!(class, FailureClass::RoomFailed);
    assert!(
        detail.contains("within 10s") && detail.ends_with("(UDP to 127.0.0.1:7882: no answer)"),
        "{detail}"
    );
}

#[test]
fn an_agent_that_never_listens_is_late() {
    let mut scene = Scene::alone(Mode::Chat, one_turn());
    scene.until(60_000);
    assert!(!scene.handle.has_left, "the driver judges whether an agent comes at all");
    scene.agent(60_000, Some("initializing"));
    scene.until(67_980);
    assert!(!scene.handle.has_left);
    scene.until(68_100);
    let (turns, class, detail) = scene.failure();
    assert_eq!((turns.len(), class), (0, FailureClass::AgentLate));
    assert!(detail.contains("not listening after 8s; its state: initializing"), "{detail}");
    assert_eq!(scene.handle.take_log(), [] as [&str; 0]);
}

#[test]
fn a_silent_agent_is_mute_and_one_that_stops_answering_is_not() {
    let mut mute = Scene::chat(vec![writes("One."), writes("Two.")]);
    mute.until(6_100);
    assert!(!mute.handle.has_left);
    mute.until(6_200);
    let (turns, class, detail) = mute.failure();
    assert_eq!(class, FailureClass::AgentMute);
    assert_eq!(detail, "no answer to turn 1 within 5.00s");
    assert_eq!((turns.len(), turns[0].ending), (1, TurnEnding::TimedOut));
    assert_eq!((turns[0].said, turns[0].first), (at(1_120), None));

    let mut stops = Scene::chat(vec![writes("One."), writes("Two.")]);
    stops.until(1_120);
    stops.answers(1_300, "SG_1", "Yes.");
    stops.until(7_000);
    let (turns, class, detail) = stops.failure();
    assert_eq!(
        (class, detail.as_str()),
        (FailureClass::TurnTimeout, "no answer to turn 2 within 5.00s")
    );
    let endings: Vec<_> = turns.iter().map(|turn| turn.ending).collect();
    assert_eq!(endings, [TurnEnding::Answered, TurnEnding::TimedOut]);
}

#[test]
fn an_agent_that_leaves_fails_the_conversation() {
    let mut before = Scene::alone(Mode::Chat, one_turn());
    before.agent(500, None);
    before.agent_leaves(600);
    before.until(5_580);
    assert!(!before.handle.has_left, "another agent may take its place");
    before.until(5_620);
    let (turns, class, _) = before.failure();
    assert_eq!((turns.len(), class), (0, FailureClass::AgentLeft));

    let mut during = Scene::chat(vec![writes("One.")]);
    during.until(1_120);
    during.opens(1_200, "agent-1", "s", "SG_1");
    during.chunk(1_220, "s", "I am");
    during.agent_leaves(1_300);
    during.until(6_400);
    let (turns, class, _) = during.failure();
    assert_eq!(class, FailureClass::AgentLeft);
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::BrokenOff, Some(at(1_220))));

    let mut between = Scene::chat(vec![writes("One."), writes("Two.")]);
    between.until(1_120);
    between.answers(1_200, "SG_1", "Yes.");
    between.agent_leaves(1_400);
    between.until(6_500);
    let (turns, class, _) = between.failure();
    assert_eq!(class, FailureClass::AgentLeft);
    assert_eq!(turns[0].ending, TurnEnding::Answered, "its answer was complete");
}

#[test]
fn an_agent_may_hang_up_after_its_last_answer() {
    let mut scene = Scene::chat(vec![writes("Goodbye.")]);
    scene.until(1_120);
    scene.answers(1_200, "SG_1", "Goodbye.");
    scene.agent_leaves(1_350);
    let (turns, outcome, _) = scene.end();
    assert_eq!(outcome, Outcome::Completed { judged: None });
    assert_eq!((turns[0].ending, turns[0].last), (TurnEnding::Answered, Some(at(1_300))));
}

#[test]
fn an_answer_without_end_is_given_up() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.opens(1_200, "agent-1", "s", "SG_1");
    for tick in 0..3_100 {
        scene.chunk(1_220 + tick * 20, "s", &"and on ".repeat(50));
        if scene.handle.has_left {
            break;
        }
    }
    let (turns, class, detail) = scene.failure();
    assert_eq!(class, FailureClass::TurnTimeout);
    assert!(detail.contains("not ended 60.0s after it began"), "{detail}");
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::TimedOut, Some(at(1_220))));
}

#[test]
fn an_agent_that_never_falls_silent_is_given_up() {
    for turns in [vec![writes("One.")], vec![writes("One."), writes("Two.")]] {
        let mut scene = Scene::chat(turns);
        scene.until(1_120);
        for number in 0..1_000 {
            scene.answers(1_200 + number * 200, &format!("SG_{number}"), "And another thing.");
            if scene.handle.has_left {
                break;
            }
        }
        assert!(scene.handle.now < at(70_000), "after {:?}", scene.handle.now);
        let (turns, class, detail) = scene.failure();
        assert_eq!(class, FailureClass::TurnTimeout);
        assert!(detail.contains("did not fall silent"), "{detail}");
        assert_eq!(turns[0].ending, TurnEnding::Answered, "the answer itself came");
    }
}

#[test]
fn tracks_that_were_not_heard_are_named_where_nothing_was() {
    let five = ["TR_1", "TR_2", "TR_3", "TR_4", "TR_5"];
    let five: Vec<_> = five.iter().map(|sid| track(sid, sid, true)).collect();
    let one_and_music = vec![track("TR_1", "voice", true), track("TR_2", "music", false)];
    for (audio_tracks, words) in [
        (one_and_music, "; it also publishes `music`, not listened to; see evaluator.hear"),
        (five, "; only 4 of its 5 tracks are listened to at a time"),
        (vec![track("TR_1", "voice", true), track("TR_2", "background_audio", false)], ""),
    ] {
        let mut scene = Scene::voice(vec![speaks(&tone(600))]);
        let agent = participant("agent-1", Some("listening"));
        scene.updates_participant(700, RemoteParticipant { audio_tracks, ..agent });
        scene.until(9_000);
        let (_, class, detail) = scene.failure();
        assert_eq!(class, FailureClass::AgentMute);
        assert_eq!(detail, format!("no answer to turn 1 within 5.00s{words}"));
    }
}

fn refused(status: u16) -> LeaveReason {
    LeaveReason::JoinFailed(ConnectError::Refused { status, message: "no".into() })
}

fn failed_peer_connection() -> ParticipantError {
    ParticipantError::PeerConnection(str0m::RtcError::NoSenderSource)
}

#[test]
fn each_reason_to_leave_has_its_failure_class() {
    type Reason = fn() -> LeaveReason;
    let cases: [(Reason, FailureClass, &str); 10] = [
        (|| refused(401), FailureClass::TokenRejected, "401 Unauthorized: no"),
        (|| refused(403), FailureClass::TokenRejected, "403 Forbidden: no"),
        (|| refused(503), FailureClass::RoomFailed, "could not be joined: 503"),
        (
            || LeaveReason::JoinFailed(ConnectError::Timeout),
            FailureClass::RoomFailed,
            "could not be joined: no answer within 10 s",
        ),
        (
            || {
                let error = std::io::Error::from_raw_os_error(nix::libc::EMFILE);
                LeaveReason::JoinFailed(ConnectError::OutOfFiles(error))
            },
            FailureClass::GeneratorFault,
            "ulimit -n",
        ),
        (
            || LeaveReason::JoinFailed(ConnectError::Participant(failed_peer_connection())),
            FailureClass::GeneratorFault,
            "the peer connection failed",
        ),
        (
            || LeaveReason::Disconnected(DisconnectError::RoomDeleted),
            FailureClass::AgentLeft,
            "the agent, or somebody else but not Rushhour, deleted the room in turn 1 of 1",
        ),
        (
            || {
                LeaveReason::Disconnected(DisconnectError::NotRecovered {
                    cause: ReconnectCause::SignalLost,
                    attempts: 3,
                    last_error: Some("connection refused".into()),
                })
            },
            FailureClass::ConnectionLost,
            "the signal connection broke; 3 attempts did not bring it back, the last one: connection refused",
        ),
        (
            || {
                let shutdown = livekit_protocol::DisconnectReason::ServerShutdown;
                LeaveReason::Disconnected(DisconnectError::ByServer(shutdown))
            },
            FailureClass::ConnectionLost,
            "server_shutdown",
        ),
        (|| LeaveReason::ClientInitiated, FailureClass::Cancelled, "stopped"),
    ];
    for (reason, class, part) in cases {
        let mut scene = Scene::joining(Mode::Chat, one_turn());
        scene.left(40, reason());
        let updates = scene.updates();
        let is_end = |kind: &UpdateKind| matches!(kind, UpdateKind::Ended { .. });
        assert_eq!(updates.iter().filter(|(_, kind)| is_end(kind)).count(), 1, "{updates:?}");
        let mut scene = Scene::chat(vec![writes("One.")]);
        scene.left(2_000, reason());
        let (turns, found, detail) = scene.failure();
        assert_eq!(found, class, "{:?}", reason());
        assert!(detail.contains(part), "{detail}");
        assert_eq!(turns[0].ending, TurnEnding::BrokenOff);
    }
}

#[test]
fn a_room_that_is_deleted_before_an_agent_came_is_not_the_agents_fault() {
    let mut scene = Scene::alone(Mode::Chat, one_turn());
    scene.left(900, LeaveReason::Disconnected(DisconnectError::RoomDeleted));
    let (turns, class, detail) = scene.failure();
    assert_eq!((turns.len(), class), (0, FailureClass::RoomFailed));
    assert!(detail.contains("before an agent was in it"), "{detail}");
}

#[test]
fn nothing_is_reported_after_the_end() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.agent_leaves(1_200);
    scene.until(6_300);
    scene.updates();
    scene.agent(6_400, Some("listening"));
    scene.answers(6_500, "SG_1", "Too late.");
    scene.until(20_000);
    assert_eq!(scene.updates(), [] as [(u64, UpdateKind); 0]);
}
