//! Our own callers on the real livekit-server: `rushhour run` against the calibration agent, whose truth log says
//! what they should have measured, and against a real agent of LiveKit's framework.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rushhour_agent::behaviour::{Behaviour, JobFault, JobFaults};
use rushhour_core::units::RoomName;
use serde_json::Value;

use crate::support::{
    LiveKitServer, Row, RunningCommand, Session, TestDir, count_facts, wait_until,
};

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

/// How long a caller waits for an answer; an answer that took longer is a `turn_timeout`.
const WITHIN_US: u64 = 4_000_000;

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

pub(crate) fn test_dir() -> TestDir {
    let dir = TestDir::new();
    dir.write("script.toml", SCRIPT);
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join(CLIP);
    fs::copy(clip, dir.path().join("name-is-smith.opus")).expect("the clip is shipped");
    dir
}

/// Starts the calibration agent and waits until it is registered.
pub(crate) fn start_agent(
    dir: &TestDir,
    server: &LiveKitServer,
    options: &[&str],
) -> RunningCommand {
    let url = server.url();
    let mut arguments = vec!["agent", "--name", "echo", "--url", &url, "--truth", "truth.jsonl"];
    arguments.extend(options);
    server.with_keys(dir.rushhour(&arguments)).start_until("Registered").0
}

fn json_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("it was written");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// The delay that the agent really kept for each room and turn, in microseconds.
fn agent_delays(dir: &TestDir, fact: &str) -> BTreeMap<(String, u64), u64> {
    json_lines(&dir.path().join("truth.jsonl"))
        .iter()
        .filter(|line| line["fact"] == fact)
        .map(|line| {
            let room = line["room"].as_str().expect("it has a room").to_owned();
            let turn = line["turn"].as_u64().expect("it has a turn");
            ((room, turn), line["delay_us"].as_u64().expect("it has a delay"))
        })
        .collect()
}

/// All values under this key in a session's journal, at any depth.
pub(crate) fn journal_values(session: &Session, key: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for line in json_lines(&session.folder.join("journal.jsonl")) {
        collect(&line, key, &mut found);
    }
    found
}

fn collect(value: &Value, key: &str, found: &mut Vec<Value>) {
    let Value::Object(fields) = value else { return };
    for (name, inside) in fields {
        if name == key {
            found.push(inside.clone());
        } else {
            collect(inside, key, found);
        }
    }
}

fn room_names(session: &Session) -> BTreeMap<u64, String> {
    let room =
        |row: &Row| (row.number("run").expect("it has a number"), row.text("room").to_owned());
    session.runs.iter().map(room).collect()
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "how many frames were late depends on the machine, and is only shown"
)]
fn callers_measure_the_delays_that_the_agent_kept() {
    for (mode, fact) in [("chat", "first_chunk"), ("voice", "first_audible")] {
        let dir = test_dir();
        let server = LiveKitServer::start(dir.path());
        let agent = start_agent(&dir, &server, &["--turn-delay", "500ms"]);
        dir.write("profile.toml", &profile(&server, mode, 4, "2/s"));
        server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
        agent.signal("INT");
        agent.finish().expect_exit(0);
        let session = dir.session();
        assert_eq!(session.tally("outcome")["completed"], 4, "{mode}: {:?}", session.runs);
        let (delays, rooms) = (agent_delays(&dir, fact), room_names(&session));
        let turns = journal_values(&session, "turn");
        let mut compared = 0;
        for event in turns.iter().filter(|event| event["turn"].is_object()) {
            let run = event["run"].as_u64().expect("it has a run");
            let turn = &event["turn"];
            let number = turn["number"].as_u64().expect("it has a number");
            let first = turn["first"].as_u64().expect("it was answered");
            let measured = first - turn["said"].as_u64().expect("it was said");
            let delay = delays[&(rooms[&run].clone(), number)];
            // The caller's figure includes both ways through the server, which a busy machine makes long. It
            // hears in frames of 20 ms.
            assert!(measured + 25_000 > delay, "{mode} {run}/{number}: {measured} < {delay}");
            assert!(measured < WITHIN_US, "{mode} {run}/{number}: {measured}");
            compared += 1;
        }
        assert_eq!(compared, 8, "{mode}: {turns:?}");
        for frames in journal_values(&session, "frames") {
            println!("{mode}: {frames}");
        }
        assert_eq!(server.rooms(), [] as [String; 0], "every room is deleted");
    }
}

#[test]
fn pairs_are_compared_in_voice_and_in_chat() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let agent = start_agent(&dir, &server, &["--turn-delay", "400ms", "--speech", "2s"]);
    dir.write("profile.toml", &profile(&server, "paired", 3, "2/s"));
    let ran = server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish().expect_exit(0);
    let session = dir.session();
    assert_eq!(session.tally("outcome")["completed"], 6, "{:?}", session.runs);
    let pairs = &session.summary["pairs"];
    assert_eq!(pairs["pairs"]["completed"], 3, "{pairs}");
    let mean = |measure: &str, mode: &str| {
        let all = pairs["differences"].as_array().expect("there are some");
        let one = all.iter().find(|one| one["measure"] == measure).expect("it was measured");
        one[mode].as_f64().expect("a mean")
    };
    // Two turns each. A spoken answer takes 2 s before the caller goes on; a written one takes no time.
    assert_eq!((mean("turns", "voice"), mean("turns", "chat")), (2.0, 2.0));
    assert!(mean("conversation", "voice") > mean("conversation", "chat") + 4e6, "{pairs}");
    let (heard, read) = (
        mean("answer heard, against begun to be read", "voice"),
        mean("answer heard, against begun to be read", "chat"),
    );
    let possible = 400e3..WITHIN_US as f64;
    assert!(possible.contains(&heard) && possible.contains(&read), "{heard} {read}");
    let says_why = ran.stdout.contains("nothing is charged");
    assert!(says_why || ran.was_busy(), "{}", ran.stdout);
}

#[test]
fn each_run_fails_in_the_class_of_the_fault_in_its_room() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let shares = [
        (JobFault::Drop, "10%", "agent_never_joined"),
        (JobFault::Mute, "10%", "agent_mute"),
        (JobFault::CrashAfterTurns, "10%", "agent_left"),
    ];
    let mut faults = JobFaults::NONE;
    let mut options = vec!["--crash-after-turns".to_owned(), "1".to_owned()];
    for (fault, share, _) in shares {
        faults = faults.with(fault, share.parse().expect("a share")).expect("less than all");
        options.extend(["--fault".to_owned(), format!("{fault}={share}")]);
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let agent = start_agent(&dir, &server, &options);
    dir.write("profile.toml", &profile(&server, "chat", 30, "6/s"));
    server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish().expect_exit(0);
    let session = dir.session();
    let behaviour = Behaviour { faults, ..Behaviour::default() };
    assert_eq!(session.runs.len(), 30);
    let mut seen = BTreeSet::new();
    for run in &session.runs {
        let fate = behaviour.fault(&RoomName::new(run.text("room")));
        let class = shares.iter().find(|(fault, ..)| Some(*fault) == fate);
        let class = class.map_or("", |(.., class)| *class);
        assert_eq!(run.text("failure_class"), class, "{fate:?}: {run:?}");
        seen.insert(class);
    }
    assert!(seen.len() >= 2, "some faults struck: {seen:?}");
    assert_eq!(server.rooms(), [] as [String; 0]);
}

#[test]
fn runs_on_a_server_that_dies_are_recovered_or_do_not_blame_the_agent() {
    let dir = test_dir();
    let mut server = LiveKitServer::start(dir.path());
    let agent = start_agent(&dir, &server, &["--turn-delay", "3s"]);
    dir.write("profile.toml", &profile(&server, "chat", 3, "10/s"));
    let running = server.with_keys(dir.rushhour(&["run", "profile.toml"])).start();
    // Every caller waits for its first answer, which takes three seconds.
    let truth_log = dir.path().join("truth.jsonl");
    wait_until("every first turn is said", || count_facts(&truth_log, "heard_text") == 3);
    server.restart();
    running.finish();
    agent.signal("INT");
    agent.signal("INT");
    agent.finish();
    let session = dir.session();
    assert_eq!(session.runs.len(), 3);
    for run in &session.runs {
        if run.text("outcome") != "completed" {
            assert_eq!(run.text("failure_class"), "connection_lost", "{run:?}");
            assert!(run.text("detail").contains("lost"), "{run:?}");
        }
    }
}

#[test]
fn what_an_agent_misheard_is_told_as_a_word_error_rate() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let hears = ["--hears", "and good bye", "--hears", "And goodbye"];
    let agent = start_agent(&dir, &server, &hears);
    let (text, script) =
        (profile(&server, "voice", 2, "1/s"), SCRIPT.replace("Good evening.", "And goodbye."));
    let script =
        script.replacen("[[turn]]\n", "[[turn]]\nhears = [\"good|well\", \"goodbye\"]\n", 1);
    let text =
        format!("{text}\n[thresholds]\n\"heard.wer\" = \"< 90%\"\n\"heard.words\" = \"> 99%\"\n");
    dir.write("script.toml", &script);
    dir.write("profile.toml", &text);
    let output = server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish().expect_exit(0);
    let session = dir.session();
    let summary = fs::read_to_string(session.folder.join("summary.json")).expect("it is written");
    let summary: Value = serde_json::from_str(&summary).expect("it is JSON");
    // Two conversations of two turns: "goodbye" was heard as "good bye", which is two errors, in each.
    let heard = &summary["heard"];
    assert_eq!((&heard["turns"], &heard["words"]), (&4.into(), &8.into()), "{summary}");
    assert_eq!((&heard["substitutions"], &heard["insertions"]), (&2.into(), &2.into()), "{heard}");
    assert_eq!(heard["wer"], 0.5, "{heard}");
    assert_eq!(heard["key_words"]["share"], 0.5, "{heard}");
    assert_eq!(heard["key_words"]["missed"][0]["word"], "goodbye", "{heard}");
    assert!(
        output.stdout.contains("Agents misheard 50.0 % of what callers said"),
        "{}",
        output.stdout
    );
}

#[test]
fn a_real_agent_answers_our_callers_in_chat_and_in_voice() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let _worker = server.echo_worker(dir.path());
    for (mode, copies) in [("chat", 5), ("voice", 3)] {
        let out = format!("reports-{mode}");
        let text = profile(&server, mode, copies, "1/s").replace("\"8s\"", "\"20s\"");
        dir.write("profile.toml", &text);
        let run = dir.rushhour(&["run", "profile.toml", "--out", &out]);
        server.with_keys(run).run();
        let session = dir.session_in(&out);
        assert_eq!(session.tally("outcome")["completed"], u64::from(copies), "{mode}");
        let turns = journal_values(&session, "turn");
        let turns: Vec<_> = turns.iter().filter(|event| event["turn"].is_object()).collect();
        assert_eq!(turns.len(), copies as usize * 2, "{mode}: {turns:?}");
        for event in turns {
            assert_eq!(event["turn"]["ending"], "answered", "{mode}: {event}");
            assert!(event["turn"]["last"].is_u64(), "{mode}: it was heard to its end: {event}");
        }
    }
    assert_eq!(server.rooms(), [] as [String; 0]);
}
