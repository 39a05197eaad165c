//! An agent that is there, and announced to nobody.

use std::sync::atomic::Ordering::Relaxed;

use super::super::agents::HIDDEN_AFTER;
use super::scene::{Scene, script, writes};
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::units::Mode;

#[test]
fn a_hidden_agent_has_its_conversation() {
    let mut scene = Scene::alone(Mode::Chat, script(vec![writes("One.")]));
    scene.opens(1_000, "", "s", "SG_0");
    scene.chunk(1_020, "s", "Welcome.");
    scene.closes(1_040, "s");
    let hidden_at = 1_000 + HIDDEN_AFTER.0 / 1_000;
    scene.until(hidden_at - 20);
    assert_eq!(scene.handle.take_log(), [] as [&str; 0]);
    scene.until(hidden_at + 600);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."]);
    let updates = scene.updates();
    assert!(updates.contains(&(hidden_at, UpdateKind::HiddenAgent)), "{updates:?}");
    assert!(updates.contains(&(1_020, UpdateKind::Greeted)), "{updates:?}");
    scene.opens(hidden_at + 700, "", "t", "SG_1");
    scene.chunk(hidden_at + 720, "t", "Yes.");
    scene.closes(hidden_at + 740, "t");
    scene.until(hidden_at + 2_000);
    assert!(scene.handle.has_left);
    assert!(scene.summary().hidden);
}

#[test]
fn a_caller_that_is_told_of_a_hidden_agent_says_its_first_turn() {
    let mut scene = Scene::alone(Mode::Chat, script(vec![writes("One.")]));
    scene.until(20_000);
    assert_eq!(scene.handle.take_log(), [] as [&str; 0], "an agent may be late");
    scene.agent_is_hidden.store(true, Relaxed);
    // It asks every second, and takes the agent for one that tells no state after three.
    scene.until(24_800);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."]);
    assert!(scene.updates().iter().any(|(_, kind)| *kind == UpdateKind::HiddenAgent));
    scene.opens(25_000, "", "t", "SG_1");
    scene.chunk(25_020, "t", "Yes.");
    scene.closes(25_040, "t");
    scene.until(27_000);
    assert!(scene.handle.has_left);
    assert!(scene.summary().hidden);
}
