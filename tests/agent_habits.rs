//! The calibration agent with the habits of real agents: what our callers measured, against its truth log. How exactly
//! they measure is `cargo bench -- behaviours`; here, that they took the right moments, and judged every run right.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::native_callers::{journal_values, profile, start_agent, test_dir};
use crate::support::{LiveKitServer, side_by_side};

/// The callers hear in frames of 20 ms.
const FRAME_US: u64 = 25_000;
/// A key stroke so shortly before a voice is taken for the burst of its first consonant.
const BURST_US: u64 = 100_000;

struct Habit {
    options: &'static [&'static str],
    greets: bool,
    hand_offs: u64,
}

impl Habit {
    const fn new(options: &'static [&'static str]) -> Self {
        Self { options, greets: false, hand_offs: 0 }
    }
}

const HABITS: [Habit; 11] = [
    Habit::new(&["--ambience", "-40dBFS"]),
    Habit::new(&["--typing"]),
    Habit::new(&["--typing", "--no-state"]),
    Habit::new(&["--two-tracks"]),
    Habit::new(&["--filler", "One moment.", "--tool-delay", "1500ms"]),
    Habit::new(&["--avatar"]),
    Habit { hand_offs: 1, ..Habit::new(&["--handoff", "1"]) },
    Habit { hand_offs: 1, ..Habit::new(&["--handoff", "1", "--handoff-gap", "300ms", "--avatar"]) },
    Habit::new(&["--late-greeting", "5s"]),
    Habit { greets: true, ..Habit::new(&["--greeting", "Good day."]) },
    Habit::new(&["--no-state"]),
];

#[test]
fn agents_with_habits_are_measured_from_the_right_moment_and_judged_right() {
    // Some at a time: each is a server, an agent and four callers.
    side_by_side(&HABITS, 3, check);
}

fn check(habit: &Habit) {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let options = [&["--turn-delay", "700ms"], habit.options].concat();
    let agent = start_agent(&dir, &server, &options);
    dir.write("profile.toml", &profile(&server, "paired", 2, "2/s"));
    server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish().expect_exit(0);
    let (session, options) = (dir.session(), habit.options);
    let completed = session.tally("outcome").get("completed").copied();
    assert_eq!(completed, Some(4), "{options:?}: {:?}", session.tally("detail"));
    let greeted = journal_values(&session, "greeted").len();
    assert_eq!(greeted, if habit.greets { 4 } else { 0 }, "{options:?}");
    let hand_offs = journal_values(&session, "hand_offs");
    let expected = vec![Value::from(habit.hand_offs); if habit.hand_offs > 0 { 4 } else { 0 }];
    assert_eq!(hand_offs, expected, "{options:?}");
    assert!(journal_values(&session, "several_agents").is_empty(), "{options:?}");

    let said = moments(&dir.path().join("truth.jsonl"));
    let rooms: BTreeMap<u64, &str> = session
        .runs
        .iter()
        .map(|row| (row.number("run").expect("it has a number"), row.text("room")))
        .collect();
    let turns = journal_values(&session, "turn");
    let turns: Vec<&Value> = turns.iter().filter(|event| event["turn"].is_object()).collect();
    assert_eq!(turns.len(), 8, "{options:?}: {turns:?}");
    for event in turns {
        let run = event["run"].as_u64().expect("it has a run");
        let turn = &event["turn"];
        assert_eq!(turn["ending"], "answered", "{options:?}: {turn}");
        let moment = |key: &str| turn[key].as_u64().unwrap_or_else(|| panic!("no {key}: {turn}"));
        let measured = moment("first") - moment("said");
        let delays = &said[&(rooms[&run].to_owned(), moment("number"))];
        // It is what the agent said first: not before it, and not as late as what it said next.
        let early = if options.contains(&"--typing") { BURST_US } else { 0 };
        assert!(
            measured + early + FRAME_US > delays[0],
            "{options:?} {run}: {measured}, {delays:?}"
        );
        if let Some(next) = delays.get(1) {
            assert!(measured < *next, "{options:?} {run}: {measured}, {delays:?}");
        }
    }
}

/// When the agent began to say something in a room and a turn, since the caller's turn, in microseconds: a filler, if
/// there is one, and the answer.
fn moments(truth: &std::path::Path) -> BTreeMap<(String, u64), Vec<u64>> {
    let text = std::fs::read_to_string(truth).expect("the agent wrote it");
    let mut moments: BTreeMap<(String, u64), Vec<u64>> = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        // In voice, the first chunk follows the first sound.
        if !["filler_began", "first_audible", "first_chunk"]
            .iter()
            .any(|fact| line["fact"] == **fact)
        {
            continue;
        }
        let room = line["room"].as_str().expect("it has a room").to_owned();
        let turn = line["turn"].as_u64().expect("it has a turn");
        let delay = line["delay_us"].as_u64().expect("it has a delay");
        moments.entry((room, turn)).or_default().push(delay);
    }
    for delays in moments.values_mut() {
        delays.sort_unstable();
        // The chunk of a spoken answer is no moment of its own.
        delays.dedup_by(|later, earlier| *later < *earlier + 1_000_000);
    }
    moments
}
