//! Greetings that the caller was not told of: one that is about to come, and one that comes into its first turn.

use std::collections::HashMap;

use super::scene::{Scene, at, participant, script, speaks, tone, writes};
use crate::data::DataEvent;
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{Outcome, TurnEnding};
use rushhour_core::units::{Identity, Mode};

/// An agent that thought before anybody had spoken, and says that it listens.
fn thinks_first() -> Scene {
    let mut scene = Scene::alone(Mode::Chat, script(vec![writes("One.")]));
    scene.agent(500, None);
    scene.agent(550, Some("thinking"));
    scene.agent(600, Some("listening"));
    scene
}

#[test]
fn an_agent_that_thinks_before_anybody_spoke_is_about_to_greet() {
    let mut greets = thinks_first();
    greets.until(2_000);
    assert_eq!(greets.handle.take_log(), [] as [&str; 0], "it is waited for");
    greets.agent(2_090, Some("speaking"));
    greets.answers(2_100, "SG_0", "Welcome.");
    greets.agent(2_250, Some("listening"));
    greets.until(2_900);
    assert_eq!(greets.handle.take_log(), ["lk.chat: One."]);
    assert!(greets.updates().contains(&(2_150, UpdateKind::Greeted)));

    let mut waits = thinks_first();
    waits.until(5_500);
    assert_eq!(waits.handle.take_log(), [] as [&str; 0]);
    waits.until(5_700);
    assert_eq!(waits.handle.take_log(), ["lk.chat: One."], "but not forever");
}

/// An agent whose greeting begins while the caller says its first turn, and lasts until 2.8 s.
fn greets_into_the_turn() -> Scene {
    let mut scene = Scene::voice(vec![speaks(&tone(600))]);
    scene.agent(1_290, Some("speaking"));
    scene.agent_speaks(1_300, &tone(1_500));
    scene.answers(1_350, "SG_0", "Welcome.");
    scene.agent(2_850, Some("listening"));
    scene
}

#[test]
fn a_turn_that_is_lost_in_the_greeting_is_said_again() {
    let mut scene = greets_into_the_turn();
    scene.agent(7_380, Some("speaking"));
    scene.agent_speaks(7_400, &tone(500));
    scene.agent(7_950, Some("listening"));
    scene.until(9_000);
    let updates = scene.updates();
    assert!(updates.contains(&(1_320, UpdateKind::Greeted)), "{updates:?}");
    let turns: Vec<_> = updates
        .iter()
        .filter_map(|(_, kind)| if let UpdateKind::Turn(turn) = kind { Some(turn) } else { None })
        .collect();
    assert_eq!(turns.len(), 1, "{turns:?}");
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::Answered, Some(at(7_420))));
    let unheard = updates.iter().any(
        |(_, kind)| matches!(kind, UpdateKind::Conversation(summary) if summary.unheard_turns == 1),
    );
    assert!(unheard, "{updates:?}");
    let completed = Outcome::Completed { judged: None };
    assert!(
        matches!(updates.last(), Some((_, UpdateKind::Ended { outcome, .. })) if *outcome == completed),
        "{updates:?}"
    );
}

#[test]
fn a_turn_that_was_transcribed_is_not_said_again() {
    let mut scene = greets_into_the_turn();
    scene.opens(2_900, "caller", "u", "U1");
    scene.until(9_000);
    let (turns, _, _) = scene.end();
    assert_eq!(turns.len(), 1, "{turns:?}");
    assert_eq!((turns[0].ending, turns[0].said), (TurnEnding::Early, at(1_740)));
}

#[test]
fn what_a_session_says_that_began_in_the_turn_is_its_greeting() {
    let mut scene = Scene::alone(Mode::Voice, script(vec![speaks(&tone(600))]));
    scene.agent(500, None);
    scene.agent_has_a_voice(600);
    // It tells no state for 3 s, and is spoken to from 4 s on.
    scene.agent(4_200, Some("listening"));
    scene.agent(5_090, Some("speaking"));
    scene.agent_speaks(5_100, &tone(500));
    scene.answers(5_110, "SG_0", "Welcome.");
    scene.agent(5_650, Some("listening"));
    scene.until(7_300);
    assert!(scene.turns().is_empty(), "it is no answer");
    scene.agent_speaks(7_500, &tone(500));
    scene.until(9_500);
    let (turns, outcome, _) = scene.end();
    assert_eq!((turns[0].first, outcome), (Some(at(7_520)), Outcome::Completed { judged: None }));
}

/// An agent that is spoken to by 1,740 ms, and begins to speak at 2,120 ms without having thought.
fn speaks_without_a_thought() -> Scene {
    let mut scene = Scene::voice(vec![speaks(&tone(600)), speaks(&tone(600))]);
    scene.agent(2_090, Some("speaking"));
    scene.agent_speaks(2_100, &tone(500));
    scene.answers(2_120, "SG_0", "Welcome.");
    scene.agent(2_650, Some("listening"));
    scene
}

/// The caller's words, as the agent is sure of them.
fn transcribes(scene: &mut Scene, millis: u64) {
    let attributes = HashMap::from([("lk.transcription_final".to_owned(), "true".to_owned())]);
    let (sender, topic) = (Identity::new("caller"), "lk.transcription".to_owned());
    let stream_id = "heard".to_owned();
    scene.data(millis, DataEvent::TextStreamOpened { stream_id, sender, topic, attributes });
    scene.chunk(millis, "heard", "One.");
    scene.closes(millis, "heard");
}

fn thinks_and_answers(scene: &mut Scene, millis: u64) {
    scene.agent(millis, Some("thinking"));
    scene.agent(millis + 490, Some("speaking"));
    scene.agent_speaks(millis + 500, &tone(500));
    scene.answers(millis + 520, "SG_1", "Two.");
    scene.agent(millis + 1_050, Some("listening"));
}

#[test]
fn a_greeting_that_begins_soon_after_the_first_turn_is_no_answer_to_it() {
    let mut scene = speaks_without_a_thought();
    scene.until(4_200);
    assert_eq!(scene.turns(), [], "it may still answer");
    transcribes(&mut scene, 4_210);
    thinks_and_answers(&mut scene, 4_220);
    scene.until(6_600);
    let turns = scene.turns();
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::Answered, Some(at(4_740))));
}

#[test]
fn what_an_agent_says_without_a_thought_is_its_answer_where_nothing_else_follows() {
    let mut scene = speaks_without_a_thought();
    scene.until(4_600);
    assert_eq!(scene.turns(), []);
    scene.until(5_400);
    assert_eq!(scene.turns()[0].first, Some(at(2_120)), "no answer came within 3 s");

    // It has a tool, which says nothing in the end.
    let mut scene = speaks_without_a_thought();
    scene.agent(3_000, Some("thinking"));
    scene.agent(3_600, Some("listening"));
    scene.until(5_000);
    assert_eq!(scene.turns()[0].first, Some(at(2_120)));
}

#[test]
fn what_an_agent_says_once_it_wrote_down_the_turn_is_its_answer_or_a_filler() {
    let mut scene = Scene::voice(vec![speaks(&tone(600)), speaks(&tone(600))]);
    transcribes(&mut scene, 2_000);
    scene.agent(2_090, Some("speaking"));
    scene.agent_speaks(2_100, &tone(500));
    scene.answers(2_120, "SG_0", "One moment.");
    thinks_and_answers(&mut scene, 2_700);
    scene.until(5_200);
    assert_eq!(scene.turns()[0].first, Some(at(2_120)));
}

#[test]
fn an_agent_may_greet_before_it_is_announced() {
    let mut scene = Scene::alone(Mode::Chat, script(vec![writes("One.")]));
    let text = "Hello.".to_owned();
    scene.data(400, DataEvent::TextReceived { sender: Identity::new(""), text });
    scene.agent(3_000, None);
    assert!(scene.updates().contains(&(400, UpdateKind::Greeted)));
}

#[test]
fn what_an_agent_writes_before_the_server_announces_it_is_its_greeting() {
    let text = |sender: &str| {
        let (sender, text) = (Identity::new(sender), "Welcome.".to_owned());
        DataEvent::TextReceived { sender, text }
    };
    let mut scene = Scene::alone(Mode::Chat, script(vec![writes("One.")]));
    scene.data(1_000, text("agent-1"));
    scene.agent(3_900, Some("listening"));
    assert!(scene.updates().contains(&(1_000, UpdateKind::Greeted)));

    let mut guest = Scene::alone(Mode::Chat, script(vec![writes("One.")]));
    guest.data(1_000, text("guest"));
    guest.updates_participant(3_900, participant("guest", None));
    guest.agent(4_000, Some("listening"));
    guest.until(4_100);
    assert!(guest.updates().iter().all(|(_, kind)| *kind != UpdateKind::Greeted));
}
