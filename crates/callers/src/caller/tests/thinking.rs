//! Sounds of an agent that thinks: keys, and whatever else it plays until it answers.

use super::scene::{Scene, at, speaks, tone};
use crate::audio::{Clip, Noise};
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{FailureClass, Turn, TurnEnding};
use rushhour_core::units::{SessionTime, SoundLevel};

/// A caller whose first turn is over at 2 s, to an agent that thinks then.
fn thinks() -> Scene {
    let mut scene = Scene::voice(vec![speaks(&tone(600))]);
    scene.agent(2_000, Some("thinking"));
    scene
}

/// When the answer began, of a conversation that is over.
#[track_caller]
fn first(mut scene: Scene) -> Option<SessionTime> {
    scene.until(scene.handle.now.0 / 1_000 + 8_000);
    let (turns, ..) = scene.end();
    let [Turn { ending, first, .. }] = turns[..] else { panic!("{turns:?}") };
    assert_eq!(ending, TurnEnding::Answered);
    first
}

#[test]
fn a_sound_while_the_agent_thinks_is_no_answer() {
    for state_at in [3_500, 3_600, 3_700, 4_000] {
        let mut scene = thinks();
        scene.agent_speaks(2_200, &tone(900));
        if state_at < 3_600 {
            scene.agent(state_at, Some("speaking"));
        }
        scene.agent_speaks(3_600, &tone(900));
        if state_at >= 3_600 {
            scene.agent(state_at, Some("speaking"));
        }
        scene.agent(4_600, Some("listening"));
        assert_eq!(first(scene), Some(at(3_620)), "`speaking` came at {state_at} ms");
    }
}

#[test]
fn a_thinking_sound_that_goes_on_into_the_answer_is_the_answer_once_the_state_says_so() {
    let mut scene = thinks();
    scene.agent_speaks(2_200, &tone(2_400));
    scene.agent(3_600, Some("speaking"));
    scene.agent(4_700, Some("listening"));
    assert_eq!(first(scene), Some(at(3_600)));
}

#[test]
fn what_an_agent_writes_down_as_it_says_it_is_an_answer_whatever_its_state() {
    let mut scene = thinks();
    scene.agent_speaks(2_600, &tone(1_500));
    scene.opens(2_700, "agent-1", "a", "SG_1");
    scene.chunk(2_710, "a", "Yes.");
    scene.agent(3_500, Some("speaking"));
    scene.closes(4_100, "a");
    scene.agent(4_200, Some("listening"));
    assert_eq!(first(scene), Some(at(2_620)), "the state came 0.9 s late");
}

#[test]
fn an_agent_that_only_makes_sounds_of_thinking_has_not_answered() {
    let mut scene = thinks();
    scene.agent_speaks(2_200, &tone(900));
    scene.until(9_000);
    let (turns, class, detail) = scene.failure();
    assert_eq!((turns[0].ending, class), (TurnEnding::TimedOut, FailureClass::AgentMute));
    assert!(detail.contains("what was heard of it came while it told `thinking`"), "{detail}");
}

/// Keys that are struck all the time.
fn keys(level: i8) -> Vec<f32> {
    Noise::Keyboard.samples(480_000, SoundLevel::dbfs(level), 7)
}

#[test]
fn key_strokes_are_no_answer_and_no_greeting_even_of_an_agent_that_tells_no_state() {
    for level in [-24, -30, -35, -40] {
        for delay in (600..1_000).step_by(60) {
            let mut scene = Scene::voice(vec![speaks(&tone(600))]);
            scene.agent_makes_noise(&Clip::noise(&keys(level)).unwrap());
            scene.until(2_000);
            let answers_at = 2_000 + delay;
            scene.agent_speaks(answers_at, &tone(900).with_noise(&keys(level)).unwrap());
            scene.until(8_000);
            let updates = scene.updates();
            let greeted = updates.iter().any(|(_, kind)| *kind == UpdateKind::Greeted);
            let turn = updates.iter().find_map(|(_, kind)| match kind {
                UpdateKind::Turn(turn) => Some(**turn),
                _ => None,
            });
            let first = turn.and_then(|turn| turn.first).map(|at| at.0 / 1_000);
            let is_right = first.is_some_and(|first| first.abs_diff(answers_at + 20) <= 20);
            assert!(is_right && !greeted, "{level} dBFS, {answers_at} ms: {first:?}, {greeted}");
        }
    }
}
