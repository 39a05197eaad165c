//! Written turns: which of what the agent writes is the answer to which, and when the caller goes on.

use std::collections::HashMap;

use super::super::prepared_script::{PreparedScript, PreparedTurn};
use super::scene::{Scene, at, expression, person, writes};
use crate::data::{AGENT_SESSION_TOPIC, DataEvent, write_agent_session, write_agent_use};
use crate::participant::ParticipantEvent;
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{FailureClass, ModelUsage, Outcome, Turn, TurnEnding, TurnParts};
use rushhour_core::units::{Identity, Micros, Mode};

fn turn(number: u32, said: u64, first: u64, last: u64) -> Turn {
    Turn {
        number,
        said: at(said),
        first: Some(at(first)),
        last: Some(at(last)),
        ending: TurnEnding::Answered,
        yielded: None,
        parts: TurnParts::default(),
    }
}

const COMPLETED: Outcome = Outcome::Completed { judged: None };

#[test]
fn each_turn_goes_with_its_own_answer() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_000);
    assert_eq!(scene.hand.take(), [] as [&str; 0], "it waits until the agent was quiet");
    let identity = Identity::new("agent-1");
    assert_eq!(
        scene.news(),
        [
            (200, UpdateKind::Joined),
            (500, UpdateKind::AgentJoined { identity, joined_at_ms: None }),
            (600, UpdateKind::AgentReady),
        ]
    );
    // It was ready at the beat of 620 ms, and quiet from there on.
    scene.until(1_120);
    assert_eq!(scene.hand.take(), ["lk.chat: One."]);
    scene.answers(1_300, "SG_1", "First answer.");
    scene.until(1_900);
    assert_eq!(scene.hand.take(), [] as [&str; 0], "quiet only since 1,400 ms");
    scene.until(2_000);
    assert_eq!(scene.hand.take(), ["lk.chat: Two."]);
    scene.answers(2_200, "SG_2", "Second answer.");
    scene.until(2_780);
    assert!(!scene.hand.gone);
    scene.until(2_900);
    assert!(scene.hand.gone);
    let (turns, outcome, frames) = scene.end();
    assert_eq!(turns, [turn(1, 1_120, 1_350, 1_400), turn(2, 1_920, 2_250, 2_300)]);
    assert_eq!((outcome, frames), (COMPLETED, None));
}

#[test]
fn what_is_no_answer_is_not_taken_for_one() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.begins(900, "agent-1", "before", "SG_0");
    scene.part(920, "before", "Let me");
    scene.until(8_000);
    // Said although a stream stayed open: its end was lost.
    assert_eq!(scene.hand.take(), ["lk.chat: One."]);
    // The rest of what began before; an echo of the caller; an old segment anew; somebody else's.
    scene.part(8_020, "before", " finish.");
    scene.ends(8_040, "before");
    scene.begins(8_060, "caller", "echo", "SG_U");
    scene.part(8_070, "echo", "One.");
    scene.ends(8_080, "echo");
    scene.begins(8_100, "agent-1", "again", "SG_0");
    scene.part(8_110, "again", "Let me finish.");
    scene.ends(8_120, "again");
    scene.begins(8_200, "guest", "guest", "SG_G");
    scene.part(8_210, "guest", "Hello!");
    scene.ends(8_220, "guest");
    scene.until(9_000);
    assert!(!scene.hand.gone);
    scene.answers(9_000, "SG_1", "Here.");
    scene.until(12_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!((turns[0].first, turns[0].last), (Some(at(9_050)), Some(at(9_100))));
    assert_eq!((turns.len(), outcome), (1, COMPLETED));
}

#[test]
fn the_first_of_two_segments_is_the_answer_and_the_second_is_waited_for() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "First,");
    scene.answers(1_700, "SG_2", "and second.");
    scene.until(2_200);
    assert_eq!(scene.hand.take(), ["lk.chat: One."]);
    scene.until(2_400);
    assert_eq!(scene.hand.take(), ["lk.chat: Two."]);
    assert_eq!(scene.turns(), [turn(1, 1_120, 1_350, 1_400)]);
}

#[test]
fn where_something_is_expected_the_answer_is_what_is_as_expected() {
    let expects = || PreparedTurn { expect: Some(expression("(?i)table")), ..writes("One.") };
    let mut scene = Scene::chat(vec![expects()]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "One moment.");
    scene.answers(2_500, "SG_2", "A table it is.");
    scene.until(6_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!(turns, [turn(1, 1_120, 2_550, 2_600)]);
    assert_eq!(outcome, Outcome::Completed { judged: Some(true) });

    let mut scene = Scene::chat(vec![expects()]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "One moment.");
    scene.until(6_000);
    assert!(!scene.hand.gone, "what is expected may come within 5 s");
    scene.until(7_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!(turns, [Turn { ending: TurnEnding::Unexpected, ..turn(1, 1_120, 1_350, 1_400) }]);
    assert_eq!(outcome, Outcome::Completed { judged: Some(false) });
}

#[test]
fn a_greeting_comes_first_and_is_no_answer() {
    let greeting = |expect| PreparedScript {
        greeting: Some((Some(expression(expect)), Micros::from_secs(4))),
        turns: vec![writes("One.")],
    };
    for (expect, fits) in [("^Good", true), ("^Bad", false)] {
        let mut scene = Scene::with_agent(Mode::Chat, greeting(expect));
        scene.until(2_000);
        assert_eq!(scene.hand.take(), [] as [&str; 0]);
        scene.answers(2_000, "SG_0", "Good day.");
        scene.until(2_580);
        assert_eq!(scene.hand.take(), [] as [&str; 0]);
        scene.until(2_700);
        assert_eq!(scene.hand.take(), ["lk.chat: One."]);
        scene.answers(3_000, "SG_1", "Yes.");
        scene.until(5_000);
        let news = scene.news();
        assert!(news.contains(&(2_050, UpdateKind::Greeted)), "{news:?}");
        let turns: Vec<_> =
            news.iter().filter(|(_, news)| matches!(news, UpdateKind::Turn(_))).collect();
        assert_eq!(turns, [&(3_100, UpdateKind::Turn(turn(1, 2_600, 3_050, 3_100)))]);
        let (_, UpdateKind::Ended { outcome, .. }) = news.last().unwrap() else {
            panic!("{news:?}")
        };
        assert_eq!(*outcome, Outcome::Completed { judged: Some(fits) });
    }
    let mut mute = Scene::with_agent(Mode::Chat, greeting("."));
    mute.until(4_480);
    assert!(!mute.hand.gone, "4 s from its joining");
    mute.until(4_600);
    let (turns, class, words) = mute.failure();
    assert_eq!((turns.len(), class), (0, FailureClass::AgentMute));
    assert!(words.contains("greeting"), "{words}");
}

#[test]
fn a_pause_of_the_script_is_kept_and_a_busy_agent_waited_for() {
    let pauses = PreparedTurn { pause: Micros::from_secs(2), ..writes("One.") };
    let mut scene = Scene::chat(vec![pauses]);
    scene.until(3_100);
    assert_eq!(scene.hand.take(), [] as [&str; 0]);
    scene.until(3_120);
    assert_eq!(scene.hand.take(), ["lk.chat: One."]);

    let mut busy = Scene::chat(vec![writes("One.")]);
    busy.begins(700, "agent-1", "s", "SG_0");
    busy.part(720, "s", "Welcome");
    busy.ends(740, "s");
    busy.agent(760, Some("thinking"));
    busy.until(5_000);
    assert_eq!(busy.hand.take(), [] as [&str; 0]);
    busy.agent(5_000, Some("listening"));
    busy.until(5_040);
    assert_eq!(busy.hand.take(), ["lk.chat: One."]);
}

#[test]
fn an_agent_that_tells_no_state_is_spoken_to_after_three_seconds() {
    let mut scene =
        Scene::alone(Mode::Chat, PreparedScript { greeting: None, turns: vec![writes("One.")] });
    scene.agent(500, None);
    scene.until(3_900);
    assert_eq!(scene.hand.take(), [] as [&str; 0]);
    scene.until(4_100);
    assert_eq!(scene.hand.take(), ["lk.chat: One."]);
}

#[test]
fn an_agent_that_was_there_before_and_one_that_comes_twice_are_one_agent() {
    let mut scene =
        Scene::outside(Mode::Chat, PreparedScript { greeting: None, turns: vec![writes("One.")] });
    let others = vec![person("agent-1", Some("listening")), person("guest", None)];
    scene.event(100, ParticipantEvent::Joined { own: Identity::new("caller"), others });
    scene.event(200, ParticipantEvent::Open);
    scene.agent(300, Some("listening"));
    scene.event(400, ParticipantEvent::Person(person("agent-2", Some("initializing"))));
    scene.until(1_500);
    assert_eq!(scene.hand.take(), ["lk.chat: One."]);
    let came =
        scene.news().into_iter().filter(|(_, news)| matches!(news, UpdateKind::AgentJoined { .. }));
    assert_eq!(came.count(), 1);
    scene.agent_leaves(1_600);
    assert!(!scene.hand.gone, "another one is there");
}

#[test]
fn a_caller_that_interrupts_begins_while_the_agent_writes() {
    let interrupts = PreparedTurn { interrupt: Some(Micros::from_millis(300)), ..writes("Stop!") };
    let mut scene = Scene::chat(vec![writes("One."), interrupts.clone()]);
    scene.until(1_120);
    scene.begins(1_300, "agent-1", "SG_1", "SG_1");
    scene.part(1_340, "SG_1", "A long ");
    scene.until(1_620);
    assert_eq!(scene.hand.take(), ["lk.chat: One."]);
    scene.until(1_640);
    assert_eq!(scene.hand.take(), ["lk.chat: Stop!"]);
    scene.part(1_700, "SG_1", "story.");
    scene.ends(1_720, "SG_1");
    scene.answers(1_800, "SG_2", "I have stopped.");
    scene.until(4_000);
    let (turns, ..) = scene.end();
    assert_eq!(
        turns,
        [Turn { last: None, ..turn(1, 1_120, 1_340, 0) }, turn(2, 1_640, 1_850, 1_900)]
    );

    // An answer that was over before it could be interrupted is whole.
    let mut scene = Scene::chat(vec![writes("One."), interrupts]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "Short.");
    scene.until(2_500);
    assert_eq!(scene.turns(), [turn(1, 1_120, 1_350, 1_400)]);
}

#[test]
fn what_the_agent_tells_of_itself_goes_with_its_turn() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "Yes.");
    let parts =
        TurnParts { llm_first_token: Some(Micros::from_millis(80)), ..TurnParts::default() };
    for (who, millis) in [("guest", 999), ("agent-1", 80)] {
        let parts = TurnParts { llm_first_token: Some(Micros::from_millis(millis)), ..parts };
        let bytes = write_agent_session("id", "Yes.", &parts);
        let (sender, topic) = (Identity::new(who), AGENT_SESSION_TOPIC.to_owned());
        scene.data(1_450, DataEvent::Bytes { sender, topic, bytes });
    }
    scene.until(4_000);
    assert_eq!(scene.turns(), [Turn { parts, ..turn(1, 1_120, 1_350, 1_400) }]);
}

#[test]
fn what_the_agents_models_took_is_told_once_as_it_was_told_last() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "Yes.");
    for (who, tokens) in [("agent-1", 900), ("agent-1", 1_200), ("guest", 5)] {
        let used = ModelUsage { tokens_read: Some(tokens), ..ModelUsage::default() };
        let (sender, topic) = (Identity::new(who), AGENT_SESSION_TOPIC.to_owned());
        scene.data(1_450, DataEvent::Bytes { sender, topic, bytes: write_agent_use(&used) });
    }
    scene.until(9_000);
    let used: Vec<ModelUsage> = scene
        .news()
        .into_iter()
        .filter_map(
            |(_, news)| if let UpdateKind::ModelUsage(used) = news { Some(used) } else { None },
        )
        .collect();
    let [told] = used[..] else { panic!("{used:?}") };
    assert_eq!((told.tokens_read, told.tokens_written), (Some(1_200), Some(0)));
}

#[test]
fn a_text_that_does_not_go_out_is_tried_again() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.hand.full = true;
    scene.until(3_000);
    assert!(scene.hand.take().len() > 10);
    scene.hand.full = false;
    scene.until(3_020);
    assert_eq!(scene.hand.take(), ["lk.chat: One."]);
    scene.answers(3_300, "SG_1", "Yes.");
    scene.until(6_000);
    assert_eq!(scene.turns(), [turn(1, 3_020, 3_350, 3_400)]);
}

#[test]
fn an_answer_on_the_chats_own_topic_is_one_too() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    let (stream, attributes) = ("s".to_owned(), HashMap::new());
    let (sender, topic) = (Identity::new("agent-1"), "lk.chat".to_owned());
    scene.data(1_200, DataEvent::TextBegins { stream, sender, topic, attributes });
    scene.part(1_210, "s", "Yes.");
    scene.ends(1_220, "s");
    scene.until(3_000);
    assert_eq!(scene.turns(), [turn(1, 1_120, 1_210, 1_220)]);
}
