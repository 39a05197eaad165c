//! Spoken turns, with real Opus frames in both directions.

use super::super::prepared_script::PreparedTurn;
use super::scene::{Scene, at, expression, speaks, tone};
use crate::audio::{Clip, Noise};
use rushhour_core::event::{FailureClass, Outcome, Turn, TurnEnding};
use rushhour_core::units::{Micros, SessionTime, SoundLevel};

const SMITH: &[u8] = include_bytes!("../../../../../profiles/scripts/clips/name-is-smith.opus");

/// When a frame of a clip was sent, the `nth` time that the clip was sent whole.
fn sent_at(scene: &Scene, clip: &Clip, frame: usize, nth: usize) -> SessionTime {
    let frames = clip.frames();
    let mut plays = scene
        .handle
        .sent_audio
        .windows(frames.len())
        .filter(|window| window.iter().zip(frames).all(|((_, sent), frame)| sent == frame));
    plays.nth(nth).expect("it was sent so often")[frame].0
}

/// Asserts that a frame was sent every 20 ms.
fn assert_steady(scene: &Scene) {
    let times: Vec<u64> = scene.handle.sent_audio.iter().map(|(at, _)| at.0).collect();
    assert!(times.len() > 50, "{} frames", times.len());
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 20_000));
}

#[test]
fn a_spoken_turn_is_timed_from_the_callers_last_audible_frame_to_the_agents_first() {
    let clip = Clip::from_bytes(SMITH).unwrap();
    let mut scene = Scene::voice(vec![speaks(&clip), speaks(&clip)]);
    let last_frame = &clip.frames()[clip.last_audible()];
    for turn in 1..=2 {
        let has_finished = |scene: &Scene| {
            scene.handle.sent_audio.iter().filter(|(_, frame)| frame == last_frame).count() == turn
        };
        while !has_finished(&scene) {
            scene.until(scene.handle.now.0 / 1_000 + 20);
        }
        let answers_at = scene.handle.now.0 / 1_000 + 700;
        scene.agent_speaks(answers_at, &tone(1_000));
        scene.until(answers_at + 1_400);
        assert!(!scene.handle.has_left, "the agent has not been silent for 500 ms yet");
        scene.until(answers_at + 1_600);
    }
    let (turns, outcome, frames) = scene.end();
    assert_eq!(outcome, Outcome::Completed { judged: None });
    for (number, turn) in (0..).zip(&turns) {
        let said = sent_at(&scene, &clip, clip.last_audible(), number);
        assert_eq!(turn.said, said);
        assert_eq!(turn.ending, TurnEnding::Answered);
        let latency = turn.first.unwrap().since(said);
        assert_eq!(latency, Micros::from_millis(720), "the first frame is sent at the next tick");
        // A tone of 50 frames, whose decay may be audible or not.
        let duration = turn.last.unwrap().since(turn.first.unwrap());
        assert!((980..=1_000).contains(&(duration.0 / 1_000)), "{duration}");
        assert_eq!(turn.yielded, None);
    }
    assert_eq!(turns.len(), 2);
    assert_steady(&scene);
    assert_eq!(frames.unwrap().sent, scene.handle.sent_audio.len() as u64);
    assert_eq!((frames.unwrap().late, frames.unwrap().given_up), (0, 0));
}

#[test]
fn a_silent_agent_is_mute_and_the_caller_keeps_sending_audio() {
    let clip = tone(600);
    let mut scene = Scene::voice(vec![speaks(&clip)]);
    scene.until(9_000);
    let (turns, class, _) = scene.failure();
    assert_eq!(class, FailureClass::AgentMute);
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::TimedOut, None));
    assert_eq!(turns[0].said, sent_at(&scene, &clip, clip.last_audible(), 0));
    assert_steady(&scene);
}

#[test]
fn texts_are_not_answers_in_a_voice_conversation() {
    let clip = tone(600);
    let mut scene = Scene::voice(vec![speaks(&clip)]);
    scene.until(2_000);
    scene.answers(2_100, "SG_1", "I hear you.");
    scene.until(9_000);
    let (turns, class, _) = scene.failure();
    assert_eq!((class, turns[0].first), (FailureClass::AgentMute, None));
}

/// A caller whose first turn has a long answer, which it interrupts `after` milliseconds.
fn barge_in(after: u64) -> (Scene, Clip) {
    let (ours, theirs) = (tone(800), tone(6_000));
    let interrupt = Some(Micros::from_millis(after));
    let second = PreparedTurn { interrupt, ..speaks(&ours) };
    let mut scene = Scene::voice(vec![speaks(&ours), second]);
    scene.agent_speaks(2_400, &theirs);
    (scene, ours)
}

#[test]
fn a_barge_in_counts_from_the_beginning_of_the_answer_and_not_of_a_sentence() {
    let (mut scene, ours) = barge_in(3_000);
    scene.agent(2_390, Some("speaking"));
    scene.agent_stops(4_000);
    scene.agent_speaks(5_000, &tone(4_000));
    scene.until(6_000);
    assert_eq!(barge_in_at(&scene, &ours, 1), at(5_440), "3 s after 2,420 ms");
}

#[test]
fn a_barge_in_measures_how_long_the_agent_continues_to_speak() {
    let (mut scene, ours) = barge_in(1_000);
    scene.until(3_600);
    let barged = barge_in_at(&scene, &ours, 1);
    // The agent was audible from 2,420 ms on.
    assert_eq!(barged, at(3_440), "at the tick after the decision");
    scene.agent_stops(3_840);
    scene.agent_speaks(4_800, &tone(500));
    scene.until(8_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!(outcome, Outcome::Completed { judged: None });
    let Turn { ending, yielded, first, said, .. } = turns[1];
    assert_eq!(ending, TurnEnding::Answered);
    let yielded = yielded.expect("the caller spoke over the agent").0 / 1_000;
    assert!((400..=420).contains(&yielded), "{yielded} ms");
    assert_eq!((said, first), (sent_at(&scene, &ours, ours.last_audible(), 1), Some(at(4_820))));
    assert_eq!(
        (turns[0].ending, turns[0].last),
        (TurnEnding::Answered, None),
        "the answer was interrupted"
    );
}

/// When the first audible frame of a clip was sent for the `nth` time, whether the clip was sent whole or not.
fn barge_in_at(scene: &Scene, clip: &Clip, nth: usize) -> SessionTime {
    let frame = &clip.frames()[clip.first_audible()];
    scene.handle.sent_audio.iter().filter(|(_, sent)| sent == frame).nth(nth).expect("so often").0
}

#[test]
fn an_agent_that_never_yields_and_never_answers_is_timed_out() {
    let (mut scene, _) = barge_in(1_000);
    scene.until(20_000);
    let (turns, class, _) = scene.failure();
    assert_eq!(class, FailureClass::TurnTimeout);
    assert_eq!(turns[1].ending, TurnEnding::TimedOut);
    assert_eq!(turns[1].yielded, None, "it finished what it was saying");
}

#[test]
fn an_agent_that_fell_silent_just_before_was_not_interrupted() {
    let (ours, theirs) = (tone(800), tone(1_100));
    // The agent ends at 3,500 ms, which is known only 200 ms later.
    let interrupt = Some(Micros::from_millis(1_160));
    let second = PreparedTurn { interrupt, ..speaks(&ours) };
    let mut scene = Scene::voice(vec![speaks(&ours), second]);
    scene.agent_speaks(2_400, &theirs);
    scene.until(3_700);
    let barged = barge_in_at(&scene, &ours, 1);
    assert_eq!(barged, at(3_600));
    scene.agent_speaks(4_900, &tone(500));
    scene.until(8_000);
    let (turns, ..) = scene.end();
    assert_eq!((turns[1].yielded, turns[1].ending), (None, TurnEnding::Answered));
    assert_eq!(turns[1].first, Some(at(4_920)));
}

#[test]
fn an_answer_that_begins_too_early_has_no_latency() {
    let clip = tone(1_500);
    let mut early = Scene::voice(vec![speaks(&clip)]);
    early.agent_speaks(2_000, &tone(2_000));
    early.until(12_000);
    let (turns, outcome, _) = early.end();
    assert_eq!(outcome, Outcome::Completed { judged: None });
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::Early, None));

    // If the agent begins again in time, that is the answer.
    let mut again = Scene::voice(vec![speaks(&clip)]);
    again.agent_speaks(2_000, &tone(300));
    again.agent_speaks(3_800, &tone(500));
    again.until(12_000);
    let (turns, ..) = again.end();
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::Answered, Some(at(3_820))));

    // Nobody can know 100 ms after our last sound that we have finished.
    let said = turns[0].said.0 / 20_000 * 20;
    let mut at_once = Scene::voice(vec![speaks(&clip)]);
    at_once.agent_speaks(said + 100, &tone(300));
    at_once.agent_speaks(said + 900, &tone(500));
    at_once.until(12_000);
    let (turns, ..) = at_once.end();
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::Answered, Some(at(said + 920))));
}

#[test]
fn an_answer_that_begins_too_early_is_compared_with_what_was_expected() {
    let clip = tone(1_500);
    let expects = PreparedTurn { expect: Some(expression("table")), ..speaks(&clip) };
    for (words, passed) in [("A table it is.", true), ("We are closed.", false)] {
        let mut early = Scene::voice(vec![expects.clone()]);
        early.opens(1_900, "caller", "c", "U_1");
        early.agent_speaks(2_000, &tone(2_000));
        early.opens(2_050, "agent-1", "a", "SG_1");
        early.chunk(2_060, "a", words);
        early.closes(4_000, "a");
        early.until(12_000);
        let (turns, outcome, _) = early.end();
        assert!(turns[0].said > at(2_060), "its words came before our last");
        assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::Early, None));
        assert_eq!(outcome, Outcome::Completed { judged: Some(passed) }, "{words}");
    }
}

#[test]
fn an_answer_may_pause_but_not_last_forever() {
    let clip = tone(600);
    let mut pauses = Scene::voice(vec![speaks(&clip)]);
    pauses.agent_speaks(2_400, &tone(600));
    pauses.agent_speaks(3_400, &tone(600));
    pauses.until(8_000);
    let (turns, ..) = pauses.end();
    assert_eq!(turns[0].first, Some(at(2_420)));
    let last = turns[0].last.unwrap().0 / 1_000;
    assert!((4_000..=4_020).contains(&last), "{last}");

    let mut endless = Scene::voice(vec![speaks(&clip)]);
    let theirs = tone(60_000);
    endless.agent_speaks(2_400, &theirs);
    endless.agent_speaks(62_400, &theirs);
    assert!(!endless.handle.has_left);
    endless.until(62_600);
    let (turns, class, detail) = endless.failure();
    assert_eq!((class, turns[0].ending), (FailureClass::TurnTimeout, TurnEnding::TimedOut));
    assert!(detail.contains("; sound above -47dBFS is taken for speech"), "{detail}");
}

/// Pink noise of three seconds.
fn noise(level: i8) -> Vec<f32> {
    Noise::Pink.samples(144_000, SoundLevel::dbfs(level), 7)
}

#[test]
fn noise_on_the_agents_track_holds_nobody_up_once_it_is_known() {
    let clip = Clip::from_bytes(SMITH).unwrap();
    let mut scene = Scene::voice(vec![speaks(&clip), speaks(&clip)]);
    scene.agent_makes_noise(&Clip::noise(&noise(-38)).unwrap());
    let theirs = tone(1_000).with_noise(&noise(-38)).unwrap();
    for turn in 1..=2 {
        let last_frame = &clip.frames()[clip.last_audible()];
        let has_finished = |scene: &Scene| {
            scene.handle.sent_audio.iter().filter(|(_, frame)| frame == last_frame).count() == turn
        };
        while !has_finished(&scene) {
            assert!(scene.handle.now < at(20_000), "the caller does not speak");
            scene.until(scene.handle.now.0 / 1_000 + 20);
        }
        scene.agent_speaks(scene.handle.now.0 / 1_000 + 700, &theirs);
    }
    scene.until(scene.handle.now.0 / 1_000 + 2_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!(outcome, Outcome::Completed { judged: None });
    for turn in turns {
        assert_eq!(turn.ending, TurnEnding::Answered);
        let latency = turn.first.unwrap().since(turn.said).0 / 1_000;
        assert!((700..=740).contains(&latency), "{latency} ms");
        let duration = turn.last.unwrap().since(turn.first.unwrap()).0 / 1_000;
        assert!((960..=1_020).contains(&duration), "{duration} ms");
    }
}

#[test]
fn an_agent_that_leaves_while_it_speaks_breaks_the_turn_off() {
    let clip = tone(600);
    let mut scene = Scene::voice(vec![speaks(&clip)]);
    scene.agent_speaks(2_400, &tone(2_000));
    scene.agent_leaves(3_000);
    scene.until(8_100);
    let (turns, class, _) = scene.failure();
    assert_eq!((class, turns[0].ending), (FailureClass::AgentLeft, TurnEnding::BrokenOff));
}
