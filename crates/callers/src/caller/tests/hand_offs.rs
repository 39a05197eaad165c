//! An agent that hands over to another participant in the middle of a chat.

use super::scene::{Scene, at, participant, writes};
use crate::participant::{DepartureReason, RemoteParticipant};
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
