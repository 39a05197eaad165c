//! What the agent asks of its caller in the middle of a conversation.

use super::scene::{Scene, at, presses, tone, writes};
use crate::data::DataEvent;
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{Outcome, TurnEnding};
use rushhour_core::units::Identity;

fn call(method: &str, is_understood: bool) -> DataEvent {
    DataEvent::RpcCalled {
        caller: Identity::new("agent-1"),
        request_id: "r1".to_owned(),
        method: method.to_owned(),
        is_understood,
    }
}

#[test]
fn a_call_by_rpc_is_answered_at_once_and_counted_at_the_end() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.handle.take_log();
    for (method, is_understood, answer) in [
        ("locate", true, "r1 of agent-1: Berlin"),
        ("show", true, "r1 of agent-1: error 1400"),
        ("locate", false, "r1 of agent-1: error 1404"),
    ] {
        // Between two ticks: the answer does not wait for the next one.
        scene.data(1_135, call(method, is_understood));
        assert_eq!(scene.handle.take_log(), [answer]);
    }
    scene.answers(1_300, "SG_1", "Yes.");
    scene.until(4_000);
    let updates = scene.updates();
    let calls = updates.iter().find_map(|(_, kind)| match kind {
        UpdateKind::RpcCalls(calls) => Some(calls),
        _ => None,
    });
    let calls = calls.expect("they were counted");
    assert_eq!((calls.answered, calls.unsupported), (1, 2));
    assert_eq!(calls.methods.iter().collect::<Vec<_>>(), ["show"]);
    assert!(matches!(updates.last(), Some((_, UpdateKind::Ended { .. }))));
}

#[test]
fn a_conversation_without_calls_says_nothing_of_them() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "Yes.");
    scene.until(4_000);
    let updates = scene.updates();
    assert!(
        updates.iter().all(|(_, kind)| !matches!(kind, UpdateKind::RpcCalls(_))),
        "{updates:?}"
    );
}

#[test]
fn keys_are_pressed_one_after_the_other_and_the_turn_is_said_with_the_last() {
    let mut scene = Scene::voice(vec![presses("12#")]);
    let mut pressed = Vec::new();
    while pressed.len() < 3 {
        let millis = scene.handle.now.0 / 1_000 + 20;
        assert!(millis < 9_000, "{pressed:?}");
        scene.until(millis);
        pressed.extend(scene.handle.take_log().into_iter().map(|key| (millis, key)));
    }
    let first = pressed[0].0;
    let expected = [(first, "key 1"), (first + 200, "key 2"), (first + 400, "key #")];
    assert_eq!(pressed, expected.map(|(millis, key)| (millis, key.to_owned())));
    let answers_at = first + 1_000;
    scene.agent_speaks(answers_at, &tone(600));
    scene.until(answers_at + 3_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!(outcome, Outcome::Completed { judged: None });
    assert_eq!((turns.len(), turns[0].said), (1, at(first + 400)));
    assert_eq!(turns[0].first, Some(at(answers_at + 20)), "the first frame is sent at a tick");
}

/// Whoever has heard the last key need not wait for more.
#[test]
fn keys_may_be_answered_at_once() {
    let mut scene = Scene::voice(vec![presses("1")]);
    let mut pressed_at = 0;
    while scene.handle.take_log().is_empty() {
        pressed_at = scene.handle.now.0 / 1_000 + 20;
        assert!(pressed_at < 9_000, "the key is pressed");
        scene.until(pressed_at);
    }
    scene.agent_speaks(pressed_at + 80, &tone(600));
    scene.until(pressed_at + 4_000);
    let (turns, ..) = scene.end();
    assert_eq!(
        (turns[0].ending, turns[0].first),
        (TurnEnding::Answered, Some(at(pressed_at + 100)))
    );
}

#[test]
fn a_key_that_cannot_be_sent_is_pressed_again() {
    let mut scene = Scene::voice(vec![presses("7")]);
    scene.handle.is_blocked = true;
    scene.until(2_000);
    let tries = scene.handle.take_log();
    assert!(tries.len() > 5 && tries.iter().all(|key| key == "key 7"), "{tries:?}");
    scene.handle.is_blocked = false;
    scene.until(2_020);
    assert_eq!(scene.handle.take_log(), ["key 7"]);
    scene.until(2_300);
    assert_eq!(scene.handle.take_log(), [] as [&str; 0]);
}
