//! What an agent tells beside its words: its session's reports and answers, and texts in older forms or with holes.

use super::super::prepared_script::PreparedTurn;
use super::scene::{Scene, at, expression, participant, speaks, tone, track, writes};
use crate::data::{
    AGENT_SESSION_TOPIC, DataEvent, MeasuredItem, encode_item_metrics, encode_turn_metrics,
    session_messages,
};
use crate::participant::{DepartureReason, RemoteParticipant};
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{ConversationEnd, FailureClass, Outcome, TurnEnding, TurnParts};
use rushhour_core::units::{Identity, Micros};

#[test]
fn a_session_that_was_closed_is_told_from_a_slow_one() {
    for is_there in [false, true] {
        let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
        scene.until(1_120);
        scene.answers(1_200, "SG_1", "Yes.");
        let parts = TurnParts { end_to_end: Some(Micros(1)), ..TurnParts::default() };
        sends(&mut scene, 1_310, encode_turn_metrics("id", "Yes.", &parts));
        sends(&mut scene, 1_320, session_messages::framework("python"));
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
        scene.until(6_980);
        assert_eq!(scene.handle.has_left, is_there);
        // The server may have to tell first that it has lost the agent.
        scene.until(26_300);
        assert_eq!(scene.handle.has_left, is_there);
        scene.until(26_340);
        let summary = scene.updates();
        let ended = summary.iter().find_map(|(_, kind)| match kind {
            UpdateKind::Conversation(summary) => Some(summary.ended),
            _ => None,
        });
        assert_eq!(ended, (!is_there).then_some(ConversationEnd::SessionClosed));
        let Some((_, UpdateKind::Ended { outcome: Outcome::Failed { class, detail }, .. })) =
            summary.last()
        else {
            panic!("{summary:?}")
        };
        assert_eq!(*class, FailureClass::TurnTimeout);
        let unanswered = "its session did not answer within 19.5s while";
        assert_eq!(detail.to_string().contains(unanswered), !is_there, "{detail}");
    }
}

#[test]
fn a_process_that_is_killed_while_it_thinks_is_told_from_a_closed_session() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_120);
    scene.answers(1_200, "SG_1", "Yes.");
    sends(&mut scene, 1_310, session_messages::framework("python"));
    scene.agent(1_900, Some("thinking"));
    scene.until(22_900);
    assert_eq!(scene.handle.take_log().last().unwrap(), "lk.agent.session: a request");
    assert!(!scene.handle.has_left, "it says nothing since 1.9 s; the server loses it 22 s later");
    scene.agent_goes(23_000, DepartureReason::Lost);
    scene.until(28_100);
    let (turns, class, detail) = scene.failure();
    assert_eq!((turns[1].ending, class), (TurnEnding::BrokenOff, FailureClass::AgentLeft));
    assert!(detail.contains("process is gone in turn 2 of 2"), "{detail}");
    assert!(detail.contains("last active 21.1s before"), "{detail}");
}

#[test]
fn an_agent_whose_track_stops_while_it_thinks_is_dead_only_if_the_server_says_so() {
    for is_lost in [true, false] {
        let mut scene = Scene::voice(vec![speaks(&tone(600))]);
        let audio_tracks = vec![track("TR_1", "voice", true)];
        let thinks = participant("agent-1", Some("thinking"));
        scene.updates_participant(2_390, RemoteParticipant { audio_tracks, ..thinks });
        scene.agent_stops_sending(3_000);
        scene.until(24_900);
        assert!(!scene.handle.has_left, "its last packet came at 3 s");
        if is_lost {
            scene.agent_goes(25_000, DepartureReason::Lost);
        }
        scene.until(30_100);
        let (turns, class, detail) = scene.failure();
        let (ending, expected, words) = if is_lost {
            (TurnEnding::BrokenOff, FailureClass::AgentLeft, "process is gone in turn 1 of 1")
        } else {
            (TurnEnding::TimedOut, FailureClass::AgentMute, "its track sends nothing any more")
        };
        assert_eq!((turns[0].ending, class), (ending, expected));
        assert!(detail.contains(words), "{detail}");
    }
}

#[test]
fn latencies_of_an_interrupted_answer_are_not_those_of_the_turn_that_interrupted_it() {
    let interrupts = PreparedTurn { interrupt: Some(Micros::from_millis(300)), ..writes("Stop!") };
    let mut scene = Scene::chat(vec![writes("One."), interrupts]);
    scene.until(1_120);
    scene.opens(1_300, "agent-1", "SG_1", "SG_1");
    scene.chunk(1_340, "SG_1", "A long story.");
    scene.until(1_660);
    let llm = |millis| TurnParts {
        llm_first_token: Some(Micros::from_millis(millis)),
        ..TurnParts::default()
    };
    let item = |parts, of| encode_item_metrics("id", "Words.", &parts, of);
    // Of one that was cut short, and of one that could not be interrupted.
    sends(&mut scene, 1_700, item(llm(900), MeasuredItem::InterruptedAnswer));
    sends(&mut scene, 1_710, item(llm(901), MeasuredItem::Answer));
    scene.closes(1_720, "SG_1");
    let heard = TurnParts { transcription: Some(Micros::from_millis(50)), ..TurnParts::default() };
    sends(&mut scene, 1_780, item(heard, MeasuredItem::Heard));
    scene.answers(1_800, "SG_2", "I have stopped.");
    sends(&mut scene, 1_950, item(llm(80), MeasuredItem::Answer));
    scene.until(4_000);
    let (turns, ..) = scene.end();
    assert_eq!(turns[1].parts, TurnParts { transcription: heard.transcription, ..llm(80) });
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
fn a_filler_that_overtakes_the_states_around_it_ends_no_answer() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    sends(&mut scene, 700, session_messages::framework("js"));
    scene.until(1_120);
    scene.handle.take_log();
    scene.answers(1_200, "SG_1", "One moment please.");
    assert_eq!(scene.handle.take_log(), ["lk.agent.session: a request"]);
    sends(&mut scene, 1_700, session_messages::history(&["user", "call 1", "agent"]));
    scene.agent(2_300, Some("speaking"));
    scene.agent(2_310, Some("listening"));
    scene.until(6_000);
    let asked = ["lk.agent.session: a request"];
    assert_eq!(scene.handle.take_log(), asked, "its tool runs");
}

#[test]
fn an_agent_that_listens_before_it_has_told_what_it_is_is_waited_for_and_asked_then() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    sends(&mut scene, 700, session_messages::pong());
    scene.until(1_120);
    scene.handle.take_log();
    scene.agent(1_150, Some("speaking"));
    scene.answers(1_200, "SG_1", "One moment please.");
    scene.agent(1_350, Some("listening"));
    scene.until(2_600);
    assert_eq!(scene.handle.take_log(), [] as [&str; 0], "asked what it is at 700 ms");
    sends(&mut scene, 2_650, session_messages::framework("js"));
    scene.until(3_500);
    assert_eq!(scene.handle.take_log(), ["lk.agent.session: a request"], "its history");
    sends(&mut scene, 3_510, session_messages::history(&["user", "call 1", "agent"]));
    scene.until(8_000);
    assert_eq!(scene.handle.take_log(), [] as [&str; 0], "its tool runs");
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
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."], "its history is not read");
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
