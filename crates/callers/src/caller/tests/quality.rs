//! How the agent sounded, and how it took turns.

use super::super::prepared_script::PreparedTurn;
use super::scene::{Scene, speaks, tone};
use rushhour_core::event::{Turn, TurnEnding};
use rushhour_core::units::Micros;

fn taken(turn: &Turn) -> (u64, u64, u64, bool) {
    let taking = turn.taking.expect("it was a turn in voice");
    let millis = |length: Micros| length.0 / 1_000;
    (
        millis(taking.dead_air),
        millis(taking.caller_speech),
        millis(taking.overlap),
        taking.talked_over,
    )
}

#[test]
fn an_agent_that_begins_while_the_caller_speaks_talks_over_it() {
    let clip = tone(1_500);
    let mut over = Scene::voice(vec![speaks(&clip)]);
    over.agent_speaks(2_000, &tone(2_000));
    over.until(12_000);
    let (turns, ..) = over.end();
    let (_, speech, overlap, talked_over) = taken(&turns[0]);
    assert!((1_460..=1_500).contains(&speech), "{turns:?}");
    assert!((300..speech).contains(&overlap) && talked_over, "{turns:?}");

    // One that stops while the caller goes on has noticed.
    let mut stops = Scene::voice(vec![speaks(&clip)]);
    stops.agent_speaks(2_000, &tone(300));
    stops.agent_speaks(3_800, &tone(500));
    stops.until(12_000);
    let (turns, ..) = stops.end();
    let (_, _, overlap, talked_over) = taken(&turns[0]);
    assert!((260..=320).contains(&overlap) && !talked_over, "{turns:?}");
}

#[test]
fn dead_air_is_the_longest_silence_in_which_it_was_the_agent_s_turn() {
    let clip = tone(600);
    let mut pauses = Scene::voice(vec![speaks(&clip)]);
    pauses.agent_speaks(2_400, &tone(600));
    pauses.agent_speaks(3_400, &tone(600));
    pauses.until(12_000);
    let (turns, ..) = pauses.end();
    let before_answer = 2_420 - turns[0].said.0 / 1_000;
    let (dead_air, _, overlap, talked_over) = taken(&turns[0]);
    assert_eq!((dead_air, overlap, talked_over), (before_answer.max(420), 0, false), "{turns:?}");

    let mut mute = Scene::voice(vec![speaks(&clip)]);
    mute.until(9_000);
    let (turns, ..) = mute.failure();
    assert_eq!(turns[0].ending, TurnEnding::TimedOut);
    let (dead_air, ..) = taken(&turns[0]);
    assert!(dead_air > 3_000, "until the caller gave up: {turns:?}");
}

#[test]
fn what_the_agent_says_on_after_an_interruption_overlaps() {
    let (ours, theirs) = (tone(800), tone(6_000));
    let interrupts = PreparedTurn { interrupt: Some(Micros::from_secs(1)), ..speaks(&ours) };
    let mut scene = Scene::voice(vec![speaks(&ours), interrupts]);
    scene.agent_speaks(2_400, &theirs);
    scene.until(3_600);
    scene.agent_stops(3_840);
    scene.agent_speaks(4_800, &tone(500));
    scene.until(8_000);
    let (turns, ..) = scene.end();
    let (_, _, overlap, talked_over) = taken(&turns[1]);
    let yielded = turns[1].yielded.expect("it yielded").0 / 1_000;
    assert_eq!((overlap, talked_over), (yielded, false), "{turns:?}");
}

#[test]
fn the_first_turn_has_the_sound_of_the_greeting_too() {
    let clip = tone(600);
    let mut scene = Scene::voice(vec![speaks(&clip), speaks(&clip)]);
    scene.agent_speaks(1_000, &tone(2_000));
    scene.until(5_000);
    scene.agent_speaks(6_000, &tone(1_000));
    scene.until(9_000);
    scene.agent_speaks(10_000, &tone(3_000));
    scene.until(20_000);
    let (turns, ..) = scene.end();
    let speech = |turn: &Turn| turn.sound.map(|sound| (sound.speech.0 + 30_000) / 100_000);
    assert_eq!(turns.iter().map(speech).collect::<Vec<_>>(), [Some(30), Some(30)], "{turns:?}");
    assert!(turns.iter().all(|turn| turn.sound.unwrap().gaps() == 0), "{turns:?}");
}
