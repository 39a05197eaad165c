//! Tools that run after a filler, as the agent's state tells them: in time, late, or in the wrong order.

use super::scene::{Scene, at, speaks, tone, writes};
use rushhour_core::event::{Turn, TurnEnding};
use rushhour_core::units::SessionTime;

/// When an agent told its states around its tool, in milliseconds after its filler was heard to the end.
#[derive(Debug, Clone, Copy)]
struct StateTimes {
    listening: u64,
    thinking: u64,
}

/// The states in the order in which they were told.
fn tells(scene: &mut Scene, filler_ends: u64, told: StateTimes) {
    let mut states = [(told.listening, "listening"), (told.thinking, "thinking")];
    states.sort_unstable();
    for (after, state) in states {
        scene.agent(filler_ends + after, Some(state));
    }
}

/// The end of a filler that is spoken from 2,440 ms on.
const FILLER_ENDS: u64 = 3_040;

/// A spoken answer to the last turn, after a filler and three seconds of a tool.
fn speaks_after_its_tool(told: StateTimes) -> Turn {
    let mut scene = Scene::voice(vec![speaks(&tone(600))]);
    scene.agent(1_900, Some("thinking"));
    scene.agent(2_430, Some("speaking"));
    scene.agent_speaks(2_440, &tone(600));
    tells(&mut scene, FILLER_ENDS, told);
    scene.until(6_000);
    scene.agent(6_000, Some("speaking"));
    scene.agent_speaks(6_000, &tone(600));
    scene.agent(6_640, Some("listening"));
    scene.until(8_000);
    let (turns, ..) = scene.end();
    let [turn] = turns[..] else { panic!("{turns:?}") };
    assert_eq!((turn.ending, turn.first), (TurnEnding::Answered, Some(at(2_460))), "{told:?}");
    turn
}

fn is_spoken_until(end: u64, done: Option<SessionTime>) -> bool {
    // The decay of a tone may be audible or not.
    done.is_some_and(|done| (at(end - 40)..=at(end + 20)).contains(&done))
}

#[test]
fn a_moment_of_listening_before_a_tool_ends_no_answer_however_late_it_is_told() {
    for (listening, lasts) in [(10, 480), (490, 50), (700, 21)] {
        let told = StateTimes { listening, thinking: listening + lasts };
        let turn = speaks_after_its_tool(told);
        assert!(is_spoken_until(6_600, turn.done), "{told:?}: {turn:?}");
    }
}

#[test]
fn states_that_reach_the_server_in_the_wrong_order_end_no_answer() {
    for (thinking, listening) in [(10, 11), (700, 750)] {
        let told = StateTimes { listening, thinking };
        let turn = speaks_after_its_tool(told);
        assert!(is_spoken_until(6_600, turn.done), "{told:?}: {turn:?}");
    }
}

/// When the second turn is written to an agent that writes a filler until 1,300 ms, tells its states, and answers at
/// `answers`; and the first turn.
fn writes_after_its_tool(told: StateTimes, answers: u64) -> (Turn, Vec<u64>) {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_120);
    scene.agent(1_150, Some("thinking"));
    scene.agent(1_190, Some("speaking"));
    scene.answers(1_200, "SG_1", "One moment.");
    tells(&mut scene, 1_300, told);
    let mut written = Vec::new();
    let note = |scene: &mut Scene, written: &mut Vec<u64>, until: u64| {
        while scene.handle.now < at(until) {
            let next = scene.handle.now.0 / 1_000 + 20;
            scene.until(next);
            if scene.handle.take_log().contains(&"lk.chat: Two.".to_owned()) {
                written.push(next);
            }
        }
    };
    note(&mut scene, &mut written, answers);
    scene.agent(answers, Some("speaking"));
    scene.answers(answers, "SG_2", "Forty two.");
    scene.agent(answers + 110, Some("listening"));
    note(&mut scene, &mut written, answers + 2_000);
    (scene.turns()[0], written)
}

#[test]
fn in_chat_too_an_answer_goes_on_after_states_that_were_told_late_or_in_the_wrong_order() {
    for (listening, thinking) in [(2, 3), (600, 640), (3, 2), (60, 20), (700, 699)] {
        let told = StateTimes { listening, thinking };
        let (turn, written) = writes_after_its_tool(told, 4_300);
        assert_eq!(turn.done, Some(at(4_400)), "{told:?}: {written:?}");
        assert!(matches!(written[..], [when] if when > 4_900), "{told:?}: {written:?}");
    }
}

#[test]
fn states_in_the_wrong_order_hold_the_caller_back_for_a_long_tool_but_not_forever() {
    let told = StateTimes { listening: 3, thinking: 2 };
    let (turn, written) = writes_after_its_tool(told, 10_300);
    assert_eq!(turn.done, Some(at(10_400)), "nine seconds of a tool: {written:?}");

    let (turn, written) = writes_after_its_tool(told, 34_000);
    assert_eq!(turn.done, Some(at(1_300)));
    let [when] = written[..] else { panic!("{written:?}") };
    assert!((31_300..=31_340).contains(&when), "30 s after it told so: {when}");
}

#[test]
fn an_agent_without_a_tool_is_done_with_its_last_sound_however_late_it_tells_that_it_listens() {
    for late in [80, 900] {
        let mut scene = Scene::voice(vec![speaks(&tone(600)), speaks(&tone(600))]);
        scene.agent(1_900, Some("thinking"));
        scene.agent(2_430, Some("speaking"));
        scene.agent_speaks(2_440, &tone(600));
        scene.agent(FILLER_ENDS + late, Some("listening"));
        scene.until(6_000);
        let turns = scene.turns();
        assert!(is_spoken_until(FILLER_ENDS, turns[0].done), "{late}: {turns:?}");
    }
}
