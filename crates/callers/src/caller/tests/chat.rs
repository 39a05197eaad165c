//! Written turns: which of the agent's texts answers which turn, and when the caller moves on.

use std::collections::HashMap;

use super::super::prepared_script::{PreparedGreeting, PreparedScript, PreparedTurn};
use super::scene::{Scene, at, expression, participant, script, writes};
use crate::data::{AGENT_SESSION_TOPIC, DataEvent, encode_model_usage, encode_turn_metrics};
use crate::participant::ParticipantEvent;
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{FailureClass, ModelUsage, Outcome, Turn, TurnEnding, TurnParts};
use rushhour_core::units::{Identity, Micros, Mode};

fn turn(number: u32, said: u64, first: u64, last: u64) -> Turn {
    Turn {
        first: Some(at(first)),
        last: Some(at(last)),
        done: Some(at(last)),
        ..Turn::new(number, at(said), TurnEnding::Answered)
    }
}

const COMPLETED: Outcome = Outcome::Completed { judged: None };

#[test]
fn each_turn_has_its_own_answer() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_000);
    assert_eq!(
        scene.handle.take_log(),
        [] as [&str; 0],
        "the caller waits until the agent has been silent"
    );
    let identity = Identity::new("agent-1");
    assert_eq!(
        scene.updates(),
        [
            (200, UpdateKind::Joined),
            (500, UpdateKind::AgentJoined { identity, joined_at_ms: None }),
            (600, UpdateKind::AgentReady),
        ]
    );
    // The agent was ready at the tick of 620 ms, and silent from there on.
    scene.until(1_120);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."]);
    scene.answers(1_300, "SG_1", "First answer.");
    scene.until(1_900);
    assert_eq!(scene.handle.take_log(), [] as [&str; 0], "silent only since 1,400 ms");
    scene.until(2_000);
    assert_eq!(scene.handle.take_log(), ["lk.chat: Two."]);
    scene.answers(2_200, "SG_2", "Second answer.");
    scene.until(2_780);
    assert!(!scene.handle.has_left);
    scene.until(2_900);
    assert!(scene.handle.has_left);
    let (turns, outcome, frames) = scene.end();
    assert_eq!(turns, [turn(1, 1_120, 1_350, 1_400), turn(2, 1_920, 2_250, 2_300)]);
    assert_eq!((outcome, frames), (COMPLETED, None));
}

#[test]
fn texts_that_are_not_the_answer_are_ignored() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.opens(900, "agent-1", "before", "SG_0");
    scene.chunk(920, "before", "Let me");
    scene.until(8_000);
    // The caller begins although a stream is open: its end was lost.
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."]);
    // The rest of an earlier text, a transcription of the caller, a repeated segment, and another participant's.
    scene.chunk(8_020, "before", " finish.");
    scene.closes(8_040, "before");
    scene.opens(8_060, "caller", "echo", "SG_U");
    scene.chunk(8_070, "echo", "One.");
    scene.closes(8_080, "echo");
    scene.opens(8_100, "agent-1", "again", "SG_0");
    scene.chunk(8_110, "again", "Let me finish.");
    scene.closes(8_120, "again");
    scene.opens(8_200, "guest", "guest", "SG_G");
    scene.chunk(8_210, "guest", "Hello!");
    scene.closes(8_220, "guest");
    scene.until(9_000);
    assert!(!scene.handle.has_left);
    scene.answers(9_000, "SG_1", "Here.");
    scene.until(12_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!((turns[0].first, turns[0].last), (Some(at(9_050)), Some(at(9_100))));
    assert_eq!((turns.len(), outcome), (1, COMPLETED));
}

#[test]
fn the_first_of_two_segments_is_the_answer_and_the_caller_waits_for_the_second() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "First,");
    scene.answers(1_700, "SG_2", "and second.");
    scene.until(2_200);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."]);
    scene.until(2_400);
    assert_eq!(scene.handle.take_log(), ["lk.chat: Two."]);
    let done = Some(at(1_800));
    assert_eq!(scene.turns(), [Turn { done, ..turn(1, 1_120, 1_350, 1_400) }]);
}

#[test]
fn the_answer_is_the_text_that_matches_the_expectation() {
    let expects = || PreparedTurn { expect: Some(expression("(?i)table")), ..writes("One.") };
    let mut scene = Scene::chat(vec![expects()]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "One moment.");
    scene.answers(2_500, "SG_2", "A table it is.");
    scene.until(6_000);
    let (turns, outcome, _) = scene.end();
    let filler = Some(at(1_350));
    assert_eq!(turns, [Turn { first_any: filler, ..turn(1, 1_120, 2_550, 2_600) }]);
    assert_eq!(outcome, Outcome::Completed { judged: Some(true) });

    let mut scene = Scene::chat(vec![expects()]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "One moment.");
    scene.until(6_000);
    assert!(!scene.handle.has_left, "the expected answer may come within 5 s");
    scene.until(7_000);
    let (turns, outcome, _) = scene.end();
    let unexpected = turn(1, 1_120, 1_350, 1_400);
    let ending = TurnEnding::Unexpected;
    assert_eq!(turns, [Turn { first_any: filler, ending, ..unexpected }]);
    assert_eq!(outcome, Outcome::Completed { judged: Some(false) });
}

#[test]
fn an_answer_whose_stream_is_never_closed_is_over_once_nothing_more_comes() {
    for expect in [None, Some(expression("^A table it is"))] {
        let first_any = expect.as_ref().map(|_| at(1_300));
        let first = PreparedTurn { expect, ..writes("One.") };
        let mut scene = Scene::chat(vec![first, writes("Two.")]);
        scene.until(1_120);
        scene.opens(1_200, "agent-1", "a", "SG_1");
        scene.chunk(1_300, "a", "A table ");
        scene.chunk(3_300, "a", "it is.");
        scene.until(8_780);
        assert_eq!(scene.handle.take_log(), ["lk.chat: One."], "more may come for 5 s");
        scene.until(8_820);
        assert_eq!(scene.handle.take_log(), ["lk.chat: Two."]);
        let done = Some(at(3_300));
        assert_eq!(scene.turns(), [Turn { done, first_any, ..turn(1, 1_120, 1_300, 3_300) }]);

        // The stream that has lost its end delays no turn after it.
        scene.answers(8_900, "SG_2", "Yes.");
        scene.until(9_600);
        let (turns, outcome, _) = scene.end();
        assert_eq!((turns[0].ending, turns[0].last), (TurnEnding::Answered, Some(at(9_000))));
        assert!(matches!(outcome, Outcome::Completed { .. }), "{outcome:?}");
    }
}

#[test]
fn a_greeting_comes_first_and_is_not_an_answer() {
    let greeting = |expect| PreparedScript {
        greeting: Some(PreparedGreeting {
            expect: Some(expression(expect)),
            within: Micros::from_secs(4),
        }),
        ..script(vec![writes("One.")])
    };
    for (expect, matches) in [("^Good", true), ("^Bad", false)] {
        let mut scene = Scene::with_agent(Mode::Chat, greeting(expect));
        scene.until(2_000);
        assert_eq!(scene.handle.take_log(), [] as [&str; 0]);
        scene.answers(2_000, "SG_0", "Good day.");
        scene.until(2_580);
        assert_eq!(scene.handle.take_log(), [] as [&str; 0]);
        scene.until(2_700);
        assert_eq!(scene.handle.take_log(), ["lk.chat: One."]);
        scene.answers(3_000, "SG_1", "Yes.");
        scene.until(5_000);
        let updates = scene.updates();
        assert!(updates.contains(&(2_050, UpdateKind::Greeted)), "{updates:?}");
        let turns: Vec<_> =
            updates.iter().filter(|(_, kind)| matches!(kind, UpdateKind::Turn(_))).collect();
        assert_eq!(turns, [&(3_100, UpdateKind::Turn(Box::new(turn(1, 2_600, 3_050, 3_100))))]);
        let (_, UpdateKind::Ended { outcome, .. }) = updates.last().unwrap() else {
            panic!("{updates:?}")
        };
        assert_eq!(*outcome, Outcome::Completed { judged: Some(matches) });
    }
    let mut mute = Scene::with_agent(Mode::Chat, greeting("."));
    mute.until(4_480);
    assert!(!mute.handle.has_left, "4 s after the agent joined");
    mute.until(4_600);
    let (turns, class, detail) = mute.failure();
    assert_eq!((turns.len(), class), (0, FailureClass::AgentMute));
    assert!(detail.contains("greeting"), "{detail}");
}

#[test]
fn the_caller_keeps_the_scripts_pauses_and_waits_for_a_busy_agent() {
    let pauses = PreparedTurn { pause: Micros::from_secs(2), ..writes("One.") };
    let mut scene = Scene::chat(vec![pauses]);
    scene.until(3_100);
    assert_eq!(scene.handle.take_log(), [] as [&str; 0]);
    scene.until(3_120);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."]);

    let mut busy = Scene::chat(vec![writes("One.")]);
    busy.opens(700, "agent-1", "s", "SG_0");
    busy.chunk(720, "s", "Welcome");
    busy.closes(740, "s");
    busy.agent(760, Some("thinking"));
    busy.until(5_000);
    assert_eq!(busy.handle.take_log(), [] as [&str; 0]);
    busy.agent(5_000, Some("listening"));
    busy.until(5_480);
    assert_eq!(busy.handle.take_log(), [] as [&str; 0], "it may listen for a moment only");
    busy.until(5_520);
    assert_eq!(busy.handle.take_log(), ["lk.chat: One."]);
}

#[test]
fn an_agent_without_a_state_is_addressed_after_three_seconds() {
    let mut scene = Scene::alone(Mode::Chat, script(vec![writes("One.")]));
    scene.agent(500, None);
    scene.until(3_900);
    assert_eq!(scene.handle.take_log(), [] as [&str; 0]);
    scene.until(4_100);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."]);
}

#[test]
fn an_agent_that_was_there_before_is_reported_once() {
    let mut scene = Scene::joining(Mode::Chat, script(vec![writes("One.")]));
    let others = vec![participant("agent-1", Some("listening")), participant("guest", None)];
    scene.event(100, ParticipantEvent::Joined { identity: Identity::new("caller"), others });
    scene.event(200, ParticipantEvent::DataChannelOpen);
    scene.agent(300, Some("listening"));
    scene.event(
        400,
        ParticipantEvent::ParticipantUpdated(participant("agent-2", Some("initializing"))),
    );
    scene.until(1_500);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."]);
    let joined = scene
        .updates()
        .into_iter()
        .filter(|(_, kind)| matches!(kind, UpdateKind::AgentJoined { .. }));
    assert_eq!(joined.count(), 1);
    scene.agent_leaves(1_600);
    assert!(!scene.handle.has_left, "another agent is in the room");
}

#[test]
fn a_caller_can_interrupt_while_the_agent_writes() {
    let interrupts = PreparedTurn { interrupt: Some(Micros::from_millis(300)), ..writes("Stop!") };
    let mut scene = Scene::chat(vec![writes("One."), interrupts.clone()]);
    scene.until(1_120);
    scene.opens(1_300, "agent-1", "SG_1", "SG_1");
    scene.chunk(1_340, "SG_1", "A long ");
    scene.until(1_620);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."]);
    scene.until(1_640);
    assert_eq!(scene.handle.take_log(), ["lk.chat: Stop!"]);
    scene.chunk(1_700, "SG_1", "story.");
    scene.closes(1_720, "SG_1");
    scene.answers(1_800, "SG_2", "I have stopped.");
    scene.until(4_000);
    let (turns, ..) = scene.end();
    assert_eq!(
        turns,
        [Turn { last: None, done: None, ..turn(1, 1_120, 1_340, 0) }, turn(2, 1_640, 1_850, 1_900)]
    );

    // An answer that ends before it could be interrupted is complete.
    let mut scene = Scene::chat(vec![writes("One."), interrupts]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "Short.");
    scene.until(2_500);
    assert_eq!(scene.turns(), [turn(1, 1_120, 1_350, 1_400)]);
}

#[test]
fn latencies_that_the_agent_reports_belong_to_the_open_turn() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "Yes.");
    let parts =
        TurnParts { llm_first_token: Some(Micros::from_millis(80)), ..TurnParts::default() };
    for (sender, millis) in [("guest", 999), ("agent-1", 80)] {
        let parts = TurnParts { llm_first_token: Some(Micros::from_millis(millis)), ..parts };
        let bytes = encode_turn_metrics("id", "Yes.", &parts);
        let (sender, topic) = (Identity::new(sender), AGENT_SESSION_TOPIC.to_owned());
        scene.data(1_450, DataEvent::ByteStreamReceived { sender, topic, bytes });
    }
    scene.until(4_000);
    assert_eq!(scene.turns(), [Turn { parts, ..turn(1, 1_120, 1_350, 1_400) }]);
}

#[test]
fn the_latest_report_of_model_usage_is_passed_on_once() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "Yes.");
    for (sender, tokens) in [("agent-1", 900), ("agent-1", 1_200), ("guest", 5)] {
        let used = ModelUsage { tokens_read: Some(tokens), ..ModelUsage::default() };
        let (sender, topic) = (Identity::new(sender), AGENT_SESSION_TOPIC.to_owned());
        scene.data(
            1_450,
            DataEvent::ByteStreamReceived { sender, topic, bytes: encode_model_usage(&used) },
        );
    }
    scene.until(9_000);
    let used: Vec<ModelUsage> = scene
        .updates()
        .into_iter()
        .filter_map(
            |(_, kind)| if let UpdateKind::ModelUsage(used) = kind { Some(used) } else { None },
        )
        .collect();
    let [reported] = used[..] else { panic!("{used:?}") };
    assert_eq!((reported.tokens_read, reported.tokens_written), (Some(1_200), Some(0)));
}

#[test]
fn a_text_that_cannot_be_sent_is_tried_again() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.handle.is_blocked = true;
    scene.until(3_000);
    assert!(scene.handle.take_log().len() > 10);
    scene.handle.is_blocked = false;
    scene.until(3_020);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."]);
    scene.answers(3_300, "SG_1", "Yes.");
    scene.until(6_000);
    assert_eq!(scene.turns(), [turn(1, 3_020, 3_350, 3_400)]);
}

#[test]
fn an_answer_may_come_on_the_chat_topic() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    let (stream, attributes) = ("s".to_owned(), HashMap::new());
    let (sender, topic) = (Identity::new("agent-1"), "lk.chat".to_owned());
    scene.data(1_200, DataEvent::TextStreamOpened { stream_id: stream, sender, topic, attributes });
    scene.chunk(1_210, "s", "Yes.");
    scene.closes(1_220, "s");
    scene.until(3_000);
    assert_eq!(scene.turns(), [turn(1, 1_120, 1_210, 1_220)]);
}
