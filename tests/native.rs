//! Our own callers on the real livekit-server: sessions of `rushhour run` against the calibration agent,
//! whose truth log says what they should have found, and against a real agent of LiveKit's framework.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rushhour_agent::behaviour::{Behaviour, JobFault, JobFaults};
use rushhour_core::units::RoomName;
use serde_json::Value;

use crate::support::{LiveKitServer, Row, Running, Session, Workplace};

const SCRIPT: &str = r#"
[[turn]]
say = "Good evening."
play = "name-is-smith.opus"
within = "4s"
[[turn]]
say = "And goodbye."
play = "name-is-smith.opus"
within = "4s"
"#;

const CLIP: &str = "profiles/scripts/clips/name-is-smith.opus";

/// A profile of conversations of two turns.
pub(crate) fn profile(server: &LiveKitServer, mode: &str, copies: u32, rate: &str) -> String {
    format!(
        r#"
name = "native"
mode = "{mode}"
[livekit]
url = "{}"
agent = "echo"
agent_within = "8s"
give_up_after = "8s"
[evaluator]
kind = "native"
[[scenario]]
id = 1
copies = {copies}
script = "script.toml"
lasts = "5s"
[[stage]]
rate = "{rate}"
[limits]
run_timeout = "40s"
"#,
        server.url()
    )
}

pub(crate) fn workplace() -> Workplace {
    let workplace = Workplace::new();
    workplace.write("script.toml", SCRIPT);
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join(CLIP);
    fs::copy(clip, workplace.path().join("name-is-smith.opus")).expect("the clip is shipped");
    workplace
}

/// The calibration agent, registered.
pub(crate) fn agent(workplace: &Workplace, server: &LiveKitServer, more: &[&str]) -> Running {
    let url = server.url();
    let mut words = vec!["agent", "--name", "echo", "--url", &url, "--truth", "truth.jsonl"];
    words.extend(more);
    server.keyed(workplace.rushhour(&words)).start_until("Registered").0
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("it was written");
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The agent's own delay of each room and turn, in microseconds.
fn kept(workplace: &Workplace, fact: &str) -> BTreeMap<(String, u64), u64> {
    lines(&workplace.path().join("truth.jsonl"))
        .iter()
        .filter(|line| line["fact"] == fact)
        .map(|line| {
            let room = line["room"].as_str().expect("it has a room").to_owned();
            let turn = line["turn"].as_u64().expect("it has a turn");
            ((room, turn), line["delay_us"].as_u64().expect("it has a delay"))
        })
        .collect()
}

/// Everything of a kind in a session's journal.
fn told(session: &Session, kind: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for line in lines(&session.folder.join("journal.jsonl")) {
        collect(&line, kind, &mut found);
    }
    found
}

fn collect(value: &Value, kind: &str, found: &mut Vec<Value>) {
    let Value::Object(fields) = value else { return };
    for (name, inside) in fields {
        if name == kind {
            found.push(inside.clone());
        } else {
            collect(inside, kind, found);
        }
    }
}

fn rooms(session: &Session) -> BTreeMap<u64, String> {
    let room =
        |row: &Row| (row.number("run").expect("it has a number"), row.text("room").to_owned());
    session.runs.iter().map(room).collect()
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "how many frames were late is the machine's, and only shown"
)]
fn callers_find_the_delays_that_the_agent_kept() {
    for (mode, fact) in [("chat", "first_chunk"), ("voice", "first_audible")] {
        let workplace = workplace();
        let server = LiveKitServer::start(workplace.path());
        let agent = agent(&workplace, &server, &["--turn-delay", "500ms"]);
        workplace.write("profile.toml", &profile(&server, mode, 4, "2/s"));
        server.keyed(workplace.rushhour(&["run", "profile.toml"])).run();
        agent.signal("INT");
        agent.finish().ended_with(0);
        let session = workplace.session();
        assert_eq!(session.tally("outcome")["completed"], 4, "{mode}: {:?}", session.runs);
        let (kept, rooms) = (kept(&workplace, fact), rooms(&session));
        let turns = told(&session, "turn");
        let mut compared = 0;
        for told in turns.iter().filter(|told| told["turn"].is_object()) {
            let run = told["run"].as_u64().expect("it has a run");
            let turn = &told["turn"];
            let number = turn["number"].as_u64().expect("it has a number");
            let first = turn["first"].as_u64().expect("it was answered");
            let found = first - turn["said"].as_u64().expect("it was said");
            let true_delay = kept[&(rooms[&run].clone(), number)];
            // Both ways through the server are in what the caller found; a busy machine makes them long.
            assert!(found + 25_000 > true_delay, "{mode} {run}/{number}: {found} < {true_delay}");
            assert!(found < true_delay + 2_000_000, "{mode} {run}/{number}: {found}");
            compared += 1;
        }
        assert_eq!(compared, 8, "{mode}: {turns:?}");
        for spoke in told(&session, "frames") {
            println!("{mode}: {spoke}");
        }
        assert_eq!(server.rooms(), [] as [String; 0], "every room is gone");
    }
}

#[test]
fn pairs_are_heard_and_read_beside_each_other() {
    let workplace = workplace();
    let server = LiveKitServer::start(workplace.path());
    let agent = agent(&workplace, &server, &["--turn-delay", "400ms", "--speech", "2s"]);
    workplace.write("profile.toml", &profile(&server, "paired", 3, "2/s"));
    let ran = server.keyed(workplace.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish().ended_with(0);
    let session = workplace.session();
    assert_eq!(session.tally("outcome")["completed"], 6, "{:?}", session.runs);
    let pairs = &session.summary["pairs"];
    assert_eq!(pairs["pairs"]["completed"], 3, "{pairs}");
    let mean = |measure: &str, mode: &str| {
        let all = pairs["differences"].as_array().expect("there are some");
        let one = all.iter().find(|one| one["measure"] == measure).expect("it was measured");
        one[mode].as_f64().expect("a mean")
    };
    // Two turns each. An answer of 2 s is heard to its end before the caller goes on; a written one is there.
    assert_eq!((mean("turns", "voice"), mean("turns", "chat")), (2.0, 2.0));
    assert!(mean("conversation", "voice") > mean("conversation", "chat") + 4e6, "{pairs}");
    let (heard, begun) = (
        mean("answer heard, against begun to be read", "voice"),
        mean("answer heard, against begun to be read", "chat"),
    );
    assert!((400e3..2e6).contains(&heard) && (400e3..2e6).contains(&begun), "{heard} {begun}");
    assert!(ran.out.contains("nothing is charged for"), "{}", ran.out);
}

#[test]
fn each_run_is_let_down_in_the_class_of_its_rooms_fault() {
    let workplace = workplace();
    let server = LiveKitServer::start(workplace.path());
    let shares = [
        (JobFault::Drop, "10%", "agent_never_joined"),
        (JobFault::Mute, "10%", "agent_mute"),
        (JobFault::CrashAfterTurns, "10%", "agent_left"),
    ];
    let mut faults = JobFaults::NONE;
    let mut words = vec!["--crash-after-turns".to_owned(), "1".to_owned()];
    for (fault, share, _) in shares {
        faults = faults.with(fault, share.parse().expect("a share")).expect("less than all");
        words.extend(["--fault".to_owned(), format!("{fault}={share}")]);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let agent = agent(&workplace, &server, &words);
    workplace.write("profile.toml", &profile(&server, "chat", 30, "6/s"));
    server.keyed(workplace.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish().ended_with(0);
    let session = workplace.session();
    let behaviour = Behaviour { faults, ..Behaviour::default() };
    let mut seen = BTreeSet::new();
    for run in &session.runs {
        let fate = behaviour.fault(&RoomName::new(run.text("room")));
        let class = shares.iter().find(|(fault, ..)| Some(*fault) == fate);
        let class = class.map_or("", |(.., class)| *class);
        assert_eq!(run.text("failure_class"), class, "{fate:?}: {run:?}");
        seen.insert(class);
    }
    assert!(seen.len() >= 2, "some were let down: {seen:?}");
    assert_eq!(server.rooms(), [] as [String; 0]);
}

#[test]
fn a_server_that_dies_during_the_calls_fails_them_as_their_room_not_as_the_agent() {
    let workplace = workplace();
    let mut server = LiveKitServer::start(workplace.path());
    let agent = agent(&workplace, &server, &["--turn-delay", "3s"]);
    workplace.write("profile.toml", &profile(&server, "chat", 3, "10/s"));
    let running = server.keyed(workplace.rushhour(&["run", "profile.toml"])).start();
    // A first turn is said a second after the start and answered after three more.
    std::thread::sleep(std::time::Duration::from_secs(3));
    server.restart();
    running.finish();
    agent.signal("INT");
    agent.signal("INT");
    agent.finish();
    let session = workplace.session();
    for run in &session.runs {
        assert_eq!(run.text("failure_class"), "room_failed", "{run:?}");
        assert!(run.text("detail").contains("lost"), "{run:?}");
    }
}

#[test]
fn a_real_agent_answers_our_callers_in_chat_and_in_voice() {
    let workplace = workplace();
    let server = LiveKitServer::start(workplace.path());
    let _worker = server.echo_worker(workplace.path());
    for (mode, copies) in [("chat", 5), ("voice", 3)] {
        let out = format!("reports-{mode}");
        let text = profile(&server, mode, copies, "1/s").replace("\"8s\"", "\"20s\"");
        workplace.write("profile.toml", &text);
        let run = workplace.rushhour(&["run", "profile.toml", "--out", &out]);
        server.keyed(run).run();
        let session = workplace.session_in(&out);
        assert_eq!(session.tally("outcome")["completed"], u64::from(copies), "{mode}");
        let turns = told(&session, "turn");
        let turns: Vec<_> = turns.iter().filter(|told| told["turn"].is_object()).collect();
        assert_eq!(turns.len(), copies as usize * 2, "{mode}: {turns:?}");
        for told in turns {
            assert_eq!(told["turn"]["ending"], "answered", "{mode}: {told}");
            assert!(told["turn"]["last"].is_u64(), "{mode}: it was heard to its end: {told}");
        }
    }
    assert_eq!(server.rooms(), [] as [String; 0]);
}
