//! An agent that hands over to another participant in the middle of a conversation.

use super::scene::{Scene, at, participant, speaks, tone, writes};
use crate::participant::{DepartureReason, RemoteParticipant};
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{FailureClass, TurnEnding};
use rushhour_core::profile::CallerPatience;

/// A caller whose second turn was written at 1.8 s to an agent that is going: another came at 1.7 s.
fn hands_over() -> Scene {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_120);
    scene.answers(1_150, "SG_1", "I hand you over.");
    scene.updates_participant(1_700, participant("agent-2", None));
    scene.until(1_800);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One.", "lk.chat: Two."]);
    scene
}

fn greets(scene: &mut Scene, millis: u64) {
    scene.updates_participant(millis, participant("agent-2", Some("listening")));
    scene.opens(millis + 200, "agent-2", "s", "SG_9");
    scene.chunk(millis + 210, "s", "Welcome, I am another.");
    scene.closes(millis + 220, "s");
}

fn writes_as(scene: &mut Scene, millis: u64, sender: &str, segment: &str) {
    scene.opens(millis, sender, segment, segment);
    scene.chunk(millis + 20, segment, "Yes.");
    scene.closes(millis + 40, segment);
}

fn leaves(scene: &mut Scene, millis: u64) {
    let gone = participant("agent-1", None);
    let departure = DepartureReason::Left;
    scene.updates_participant(millis, RemoteParticipant { connected: false, departure, ..gone });
}

#[test]
fn the_greeting_of_a_successor_is_no_answer_to_what_it_could_not_hear() {
    let mut scene = hands_over();
    greets(&mut scene, 2_000);
    writes_as(&mut scene, 2_500, "agent-1", "SG_2");
    leaves(&mut scene, 2_600);
    scene.until(6_000);
    let (turns, ..) = scene.end();
    assert_eq!((turns[1].ending, turns[1].first), (TurnEnding::Answered, Some(at(2_520))));
}

#[test]
fn a_turn_that_the_agent_before_took_with_it_is_said_again_to_its_successor() {
    let mut scene = hands_over();
    leaves(&mut scene, 1_900);
    greets(&mut scene, 2_000);
    let patience = CallerPatience::DEFAULT.resumes_within.micros().0 / 1_000;
    scene.until(2_200 + patience);
    assert_eq!(scene.handle.take_log(), [] as [&str; 0], "it may still answer");
    scene.until(3_000 + patience);
    assert_eq!(scene.handle.take_log(), ["lk.chat: Two."]);
    let again = 3_000 + patience;
    writes_as(&mut scene, again, "agent-2", "SG_10");
    scene.until(again + 2_000);
    let (turns, ..) = scene.end();
    assert_eq!((turns[1].ending, turns[1].first), (TurnEnding::Answered, Some(at(again + 20))));
}

#[test]
fn a_successor_that_never_answers_has_not_answered_with_its_greeting() {
    let mut scene = hands_over();
    leaves(&mut scene, 1_900);
    greets(&mut scene, 2_000);
    scene.until(20_000);
    let (turns, class, _) = scene.failure();
    assert_eq!((turns.len(), turns[1].ending), (2, TurnEnding::TimedOut));
    assert_eq!(class, FailureClass::TurnTimeout);
}

#[test]
fn what_a_successor_writes_after_it_listened_is_an_answer() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_120);
    scene.answers(1_150, "SG_1", "I hand you over.");
    leaves(&mut scene, 1_300);
    scene.updates_participant(1_500, participant("agent-2", Some("listening")));
    scene.until(2_200);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One.", "lk.chat: Two."]);
    writes_as(&mut scene, 2_300, "agent-2", "SG_2");
    scene.until(4_000);
    let (turns, ..) = scene.end();
    assert_eq!((turns[1].ending, turns[1].first), (TurnEnding::Answered, Some(at(2_320))));
}

/// A caller whose second turn was said by 4,700 ms to an agent that is going: another came at 3,500 ms.
fn hands_over_in_voice() -> Scene {
    let mut scene = Scene::voice(vec![speaks(&tone(600)), speaks(&tone(600))]);
    scene.agent(1_900, Some("thinking"));
    scene.agent(2_390, Some("speaking"));
    scene.agent_speaks(2_400, &tone(600));
    scene.answers(2_430, "SG_1", "I hand you over.");
    scene.agent(3_050, Some("listening"));
    scene.updates_participant(3_500, participant("agent-2", None));
    scene.until(4_600);
    assert_eq!(scene.turns().len(), 1, "the second was said");
    scene
}

/// The successor listens, and greets 300 ms later.
fn greets_aloud(scene: &mut Scene, millis: u64) {
    scene.updates_participant(millis, participant("agent-2", Some("listening")));
    scene.updates_participant(millis + 290, participant("agent-2", Some("speaking")));
    scene.agent_speaks(millis + 300, &tone(600));
    scene.opens(millis + 330, "agent-2", "s", "SG_9");
    scene.chunk(millis + 340, "s", "Welcome, I am another.");
    scene.closes(millis + 920, "s");
    scene.updates_participant(millis + 940, participant("agent-2", Some("listening")));
}

#[test]
fn the_spoken_greeting_of_a_successor_is_no_answer_to_what_it_could_not_hear() {
    let mut scene = hands_over_in_voice();
    greets_aloud(&mut scene, 5_000);
    scene.agent(6_290, Some("speaking"));
    scene.agent_speaks(6_300, &tone(600));
    scene.answers(6_330, "SG_2", "Yes.");
    scene.agent(6_950, Some("listening"));
    scene.until(9_000);
    let (turns, ..) = scene.end();
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::Answered, Some(at(6_320))));
}

#[test]
fn a_spoken_turn_that_the_agent_before_took_with_it_is_said_again_to_its_successor() {
    for greets in [true, false] {
        let mut scene = hands_over_in_voice();
        leaves(&mut scene, 4_800);
        if greets {
            greets_aloud(&mut scene, 5_000);
        } else {
            scene.updates_participant(5_940, participant("agent-2", Some("listening")));
        }
        let patience = CallerPatience::DEFAULT.resumes_within.micros().0 / 1_000;
        let again = 7_500 + patience;
        scene.updates_participant(again, participant("agent-2", Some("speaking")));
        scene.agent_speaks(again, &tone(600));
        scene.updates_participant(again + 650, participant("agent-2", Some("listening")));
        scene.until(again + 3_000);
        let updates = scene.updates();
        let turn = updates.iter().find_map(|(_, kind)| match kind {
            UpdateKind::Turn(turn) => Some(turn),
            _ => None,
        });
        let turn = turn.unwrap_or_else(|| panic!("{updates:?}"));
        assert_eq!((turn.ending, turn.first), (TurnEnding::Answered, Some(at(again + 20))));
        assert!(turn.said > at(5_940 + patience), "it may have answered before: {turn:?}");
        let unheard = updates.iter().any(
            |(_, kind)| matches!(kind, UpdateKind::Conversation(one) if one.unheard_turns == 1),
        );
        assert!(unheard, "{updates:?}");
    }
}
