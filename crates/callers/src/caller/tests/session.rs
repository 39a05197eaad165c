//! What an agent tells beside its words: its session's reports and answers, and texts in older forms or with holes.

use super::super::prepared_script::PreparedTurn;
use super::scene::{Scene, at, expression, writes};
use crate::data::{AGENT_SESSION_TOPIC, DataEvent, encode_turn_metrics, session_messages};
use rushhour_core::event::{FailureClass, Outcome, TurnEnding, TurnParts};
use rushhour_core::units::{Identity, Micros};

#[test]
fn a_session_that_was_closed_is_told_from_a_slow_one() {
    for is_there in [false, true] {
        let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
        scene.until(1_120);
        scene.answers(1_200, "SG_1", "Yes.");
        let parts = TurnParts { end_to_end: Some(Micros(1)), ..TurnParts::default() };
        sends(&mut scene, 1_310, encode_turn_metrics("id", "Yes.", &parts));
        scene.until(6_900);
        assert_eq!(
            scene.handle.take_log(),
            [
                "lk.chat: One.",
                "lk.agent.session: a request",
                "lk.chat: Two.",
                "lk.agent.session: a request"
            ],
            "what it is, and whether it is there"
        );
        if is_there {
            sends(&mut scene, 6_920, session_messages::pong());
        }
        scene.until(9_000);
        let (turns, class, detail) = scene.failure();
        assert_eq!((turns[1].ending, class), (TurnEnding::TimedOut, FailureClass::TurnTimeout));
        assert_eq!(detail.contains("its session was closed"), !is_there, "{detail}");
    }
}

/// The agent's session sends a message.
fn sends(scene: &mut Scene, millis: u64, bytes: Vec<u8>) {
    let (sender, topic) = (Identity::new("agent-1"), AGENT_SESSION_TOPIC.to_owned());
    scene.data(millis, DataEvent::ByteStreamReceived { sender, topic, bytes });
}

/// An agent of @livekit/agents, which has been told "One.", and has asked for a moment.
fn asks_for_a_moment() -> Scene {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    sends(&mut scene, 700, session_messages::framework("js"));
    scene.until(1_120);
    scene.agent(1_150, Some("speaking"));
    scene.answers(1_200, "SG_1", "One moment please.");
    scene.agent(1_350, Some("listening"));
    scene
}

#[test]
fn an_agent_that_listens_while_its_tool_runs_is_waited_for() {
    let mut scene = asks_for_a_moment();
    sends(&mut scene, 1_360, session_messages::history(&["user", "call 1", "agent"]));
    scene.until(4_500);
    scene.handle.take_log();
    sends(&mut scene, 4_500, session_messages::tools_over());
    scene.agent(4_600, Some("thinking"));
    scene.answers(4_700, "SG_2", "Forty two.");
    scene.agent(4_850, Some("listening"));
    sends(&mut scene, 4_860, session_messages::history(&["user", "call 1", "agent", "result 1"]));
    scene.until(5_200);
    assert_eq!(scene.handle.take_log(), ["lk.agent.session: a request"], "still the first turn");
    scene.until(5_400);
    assert_eq!(scene.handle.take_log(), ["lk.chat: Two."]);
    let turns = scene.turns();
    assert_eq!((turns[0].first, turns[0].done), (Some(at(1_250)), Some(at(4_800))));
}

#[test]
fn an_agent_without_a_tool_is_not_waited_for_longer() {
    let mut scene = asks_for_a_moment();
    sends(&mut scene, 1_360, session_messages::history(&["user", "agent"]));
    scene.until(1_900);
    assert_eq!(scene.handle.take_log().last().unwrap(), "lk.chat: Two.");

    // A session that never answers costs a pause once.
    let mut mute = asks_for_a_moment();
    mute.until(3_300);
    assert_eq!(mute.handle.take_log().last().unwrap(), "lk.agent.session: a request");
    mute.until(3_400);
    assert_eq!(mute.handle.take_log(), ["lk.chat: Two."]);
    mute.agent(3_450, Some("speaking"));
    mute.answers(3_500, "SG_2", "Yes.");
    mute.agent(3_650, Some("listening"));
    mute.until(4_200);
    assert!(mute.handle.has_left, "it is not asked again: {:?}", mute.handle.take_log());
}

#[test]
fn a_tool_that_is_reported_holds_the_turn() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    sends(&mut scene, 700, session_messages::framework("python"));
    scene.until(1_120);
    scene.agent(1_150, Some("speaking"));
    sends(&mut scene, 1_160, session_messages::tool_began("1"));
    scene.answers(1_200, "SG_1", "One moment please.");
    scene.agent(1_350, Some("listening"));
    scene.until(4_000);
    let asked = ["lk.agent.session: a request", "lk.chat: One."];
    assert_eq!(scene.handle.take_log(), asked, "what it is; its history is not read");
    sends(&mut scene, 4_000, session_messages::tool_ended("1"));
    scene.answers(4_100, "SG_2", "Forty two.");
    scene.until(4_800);
    assert_eq!(scene.handle.take_log(), ["lk.chat: Two."]);
}

#[test]
fn a_text_with_a_part_missing_is_told() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.opens(1_200, "agent-1", "a", "SG_1");
    scene.chunk(1_210, "a", "Forty");
    scene.data(1_220, DataEvent::TextIncomplete { stream_id: "a".to_owned() });
    scene.chunk(1_221, "a", " two.");
    scene.closes(1_230, "a");
    scene.until(3_000);
    assert_eq!(scene.summary().incomplete_texts, 1);
}

#[test]
fn an_agent_that_only_writes_transcription_packets_is_read() {
    let expects = PreparedTurn { expect: Some(expression("two")), ..writes("One.") };
    let mut scene = Scene::chat(vec![expects]);
    scene.until(1_120);
    let transcribes = |scene: &mut Scene, millis, speaker: &str, text: &str, is_final| {
        let event = DataEvent::SegmentTranscribed {
            sender: Identity::new("agent-1"),
            speaker: Identity::new(speaker),
            track_sid: String::new(),
            segment: speaker.to_owned(),
            text: text.to_owned(),
            is_final,
        };
        scene.data(millis, event);
    };
    transcribes(&mut scene, 1_150, "caller", "Two please", true);
    transcribes(&mut scene, 1_200, "agent-1", "Forty", false);
    transcribes(&mut scene, 1_300, "agent-1", "Forty two.", true);
    scene.until(3_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!((turns[0].first, turns[0].last), (Some(at(1_200)), Some(at(1_300))));
    assert_eq!(outcome, Outcome::Completed { judged: Some(true) });
}
