//! Moments that come from workers whose clocks differ by seconds, over routes that are long in one direction.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::native_callers::{profile, start_agent, test_dir};
use crate::nats::{as_coordinator, as_worker, start_with_rights};
use crate::support::{DelayingProxy, LiveKitServer, Row, RunningCommand, Session, TestDir};

/// What the route of one worker takes there, and that of the other back: so much that the middle of the interval is
/// wrong by more than anything that a busy machine adds.
const LONG: Duration = Duration::from_millis(600);
/// Both anchors are read from two clocks, one after the other.
const ANCHOR_TOLERANCE_US: i64 = 2_000;

/// A worker whose monotonic clock is shifted by so many seconds.
fn start_worker(dir: &TestDir, port: u16, shift: i64) -> RunningCommand {
    let url = format!("nats://127.0.0.1:{port}");
    let worker = dir.rushhour(&["worker", &url, "--capacity", "20"]);
    let script = format!(
        "exec unshare --time --monotonic {shift} --boottime {shift} --fork --kill-child -- \"$0\" \"$@\""
    );
    as_worker(worker).after_shell(&script).start_until("Worker ").0
}

pub(crate) fn json_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("it was written");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

pub(crate) fn micros(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("not a time: {value}"))
}

/// What the agent knows of a turn, in microseconds of the Unix epoch.
pub(crate) struct TrueTurn {
    pub(crate) received: i64,
    pub(crate) answered: i64,
}

/// The agent's log: when it joined each room, and each turn in it, in chat or in voice.
pub(crate) fn truth(dir: &TestDir) -> (BTreeMap<String, i64>, BTreeMap<(String, i64), TrueTurn>) {
    let facts = json_lines(&dir.path().join("truth.jsonl"));
    let anchor = facts.iter().find_map(|fact| fact["wall_unix_us"].as_i64());
    let anchor = anchor.expect("the log starts with its anchor");
    let (mut joined, mut turns) = (BTreeMap::new(), BTreeMap::new());
    for fact in &facts {
        let room = || fact["room"].as_str().expect("it has a room").to_owned();
        let at = || anchor + micros(&fact["at_us"]);
        if fact["fact"] == "joined" {
            joined.insert(room(), at());
        } else if fact["fact"] == "first_chunk" || fact["fact"] == "first_audible" {
            let received = at() - micros(&fact["delay_us"]);
            let turn = TrueTurn { received, answered: at() };
            turns.insert((room(), micros(&fact["turn"])), turn);
        }
    }
    (joined, turns)
}

/// The room of each run.
pub(crate) fn rooms_by_run(session: &Session) -> BTreeMap<i64, &str> {
    let number = |row: &Row| row.number("run").expect("it has a number").cast_signed();
    session.runs.iter().map(|row| (number(row), row.text("room"))).collect()
}

#[test]
#[ignore = "needs root, for clocks of processes that are shifted in time namespaces"]
fn moments_from_workers_with_other_clocks_are_within_their_intervals() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let nats = start_with_rights(&dir);
    let url = nats.url();
    let agent = start_agent(&dir, &server, &["--turn-delay", "300ms"]);
    let long_there = DelayingProxy::start(&nats.address(), LONG, Duration::ZERO);
    let long_back = DelayingProxy::start(&nats.address(), Duration::ZERO, LONG);
    let workers =
        [start_worker(&dir, long_there.port(), 5), start_worker(&dir, long_back.port(), -5)];
    dir.write("profile.toml", &profile(&server, "chat", 20, "4/s"));
    let session =
        dir.rushhour(&["run", "profile.toml", "--workers", &url, "--set", "workers.at_least=2"]);
    server.with_keys(as_coordinator(session)).run();
    agent.signal("INT");
    agent.finish().expect_exit(0);
    drop(workers);

    let session = dir.session();
    assert_eq!(session.tally("outcome")["completed"], 20, "{:?}", session.runs);
    let start = i64::try_from(session.start_unix_us()).expect("it is after 1970");
    let (joined, true_turns) = truth(&dir);
    let rooms = rooms_by_run(&session);
    // How far off the moments of each run may be, as the journal says with the agent's join.
    let mut within = BTreeMap::new();
    let (mut turns, mut wrong_in_the_middle) = (0, 0);
    for event in json_lines(&session.folder.join("journal.jsonl")) {
        let (seen, turn) = (&event["e"]["agent_seen"], &event["e"]["turn"]);
        if seen.is_object() {
            let run = micros(&seen["run"]);
            let (low, high) = (start + micros(&seen["after"]), start + micros(&seen["seen"]));
            let truth = joined[rooms[&run]];
            assert!(high + ANCHOR_TOLERANCE_US >= truth, "run {run}: {high} < {truth}");
            within.insert(run, (high - low) / 2);
        } else if turn.is_object() {
            let (run, turn) = (micros(&turn["run"]), &turn["turn"]);
            let truth = &true_turns[&(rooms[&run].to_owned(), micros(&turn["number"]))];
            let (said, first) = (start + micros(&turn["said"]), start + micros(&turn["first"]));
            // It was said before the agent received it, and the answer came after the agent had sent it.
            let early = truth.answered - first;
            let late = said - truth.received;
            let off = early.max(late) - ANCHOR_TOLERANCE_US;
            assert!(off <= within[&run], "run {run}: off by {off} us, within {} us", within[&run]);
            wrong_in_the_middle += i32::from(off > 100_000);
            turns += 1;
        }
    }
    assert_eq!((within.len(), turns), (20, 40));
    // The routes are uneven: without the interval, all of them would be wrong by a quarter of a second.
    assert_eq!(wrong_in_the_middle, turns);
    let narrow = LONG.as_micros().cast_signed() / 2;
    for (run, within) in within {
        let within = i128::from(within);
        assert!(within >= narrow, "run {run} claims {within} us, and a route alone is {narrow} us");
        assert!(within < 2 * narrow, "run {run} claims only {within} us");
    }
}
