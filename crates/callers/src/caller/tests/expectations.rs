//! Answers that the script has expectations of: after a filler, and in several segments.

use super::super::prepared_script::PreparedTurn;
use super::scene::{Scene, at, expression, speaks, tone, writes};
use rushhour_core::event::{Outcome, TurnEnding};

const AS_EXPECTED: Outcome = Outcome::Completed { judged: Some(true) };

fn expecting(expect: &str, turn: PreparedTurn) -> PreparedTurn {
    PreparedTurn { expect: Some(expression(expect)), ..turn }
}

/// The agent says a segment, whose text opens with its sound.
fn says(scene: &mut Scene, millis: u64, segment: &str, text: &str) {
    scene.agent_speaks(millis, &tone(500));
    scene.answers(millis + 30, segment, text);
}

#[test]
fn a_filler_s_time_stands_beside_that_of_the_expected_answer() {
    let mut scene = Scene::chat(vec![expecting("table", writes("One."))]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "One moment.");
    scene.answers(2_500, "SG_2", "A table it is.");
    scene.until(6_000);
    let (turns, ..) = scene.end();
    assert_eq!((turns[0].first_any, turns[0].first), (Some(at(1_350)), Some(at(2_550))));

    let mut scene = Scene::voice(vec![expecting("table", speaks(&tone(600)))]);
    says(&mut scene, 2_400, "SG_1", "One moment.");
    says(&mut scene, 4_000, "SG_2", "A table it is.");
    scene.until(9_000);
    let (turns, ..) = scene.end();
    assert_eq!((turns[0].first_any, turns[0].first), (Some(at(2_420)), Some(at(4_020))));

    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "One moment.");
    scene.until(6_000);
    let (turns, ..) = scene.end();
    assert_eq!(turns[0].first_any, None, "nothing is expected of it");
}

#[test]
fn an_answer_in_two_segments_is_over_as_soon_as_both_are_there() {
    let expect = "table for four";
    let mut scene = Scene::chat(vec![expecting(expect, writes("One.")), writes("Two.")]);
    scene.until(1_120);
    scene.answers(1_200, "SG_1", "One moment.");
    scene.answers(1_400, "SG_2", "I have a table");
    scene.answers(1_600, "SG_3", "for four.");
    scene.until(2_300);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One.", "lk.chat: Two."]);
    let turns = scene.turns();
    assert_eq!((turns[0].ending, turns[0].first_any), (TurnEnding::Answered, Some(at(1_250))));
    assert_eq!((turns[0].first, turns[0].last), (Some(at(1_450)), Some(at(1_700))));

    let mut scene = Scene::voice(vec![expecting(expect, speaks(&tone(600)))]);
    says(&mut scene, 2_400, "SG_1", "One moment.");
    says(&mut scene, 3_200, "SG_2", "I have a table");
    says(&mut scene, 4_000, "SG_3", "for four.");
    scene.until(5_200);
    let (turns, outcome, _) = scene.end();
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::Answered, Some(at(3_220))));
    assert_eq!((turns[0].first_any, outcome), (Some(at(2_420)), AS_EXPECTED));
}

#[test]
fn a_whole_segment_that_is_as_expected_is_not_missed_for_the_filler_before_it() {
    let mut scene = Scene::chat(vec![expecting("^Yes$", writes("One."))]);
    scene.until(1_120);
    scene.answers(1_300, "SG_1", "One moment.");
    scene.answers(1_600, "SG_2", "Yes");
    scene.until(4_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!((turns[0].ending, outcome), (TurnEnding::Answered, AS_EXPECTED));
}
