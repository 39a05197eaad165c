//! Agents on the real frameworks: livekit-agents 1.8.9 and 1.0.11 on Python, @livekit/agents 1.9.0 on Node.
//!
//! `tests/peers/agents/README.md` says what each behaviour looks like on the wire; here is that the agents
//! are there, greet, say back what they are told, and go with the test.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Framework, LiveKitServer, TestDir};

const GREETING: &str = "Welcome, how can I help you today?";

/// The whole texts of the agent, in order.
fn texts_of_the_agent(seen: &[Value]) -> Vec<String> {
    let told = seen.iter().filter(|line| line["event"] == "text_end" && line["sender"] != "caller");
    told.map(|line| line["text"].as_str().expect("a text").trim().to_owned()).collect()
}

fn moment(seen: &[Value], holds: impl Fn(&Value) -> bool) -> f64 {
    let line = seen.iter().find(|line| holds(line));
    let line = line.unwrap_or_else(|| panic!("it was not seen: {seen:#?}"));
    line["at"].as_f64().expect("every line has its time")
}

/// An agent that greets in speech and says back, in writing and in speech.
fn greets_and_says_back(framework: Framework, version: &str) {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let agents = server.framework_agents(dir.path(), framework, "plain");

    let metadata = r#"{"behaviour": "plain", "text_mode": true}"#;
    let seen = server.observe(framework, &["--metadata", metadata, "--turns", "2"]);
    assert_eq!(texts_of_the_agent(&seen), ["echo: turn 1.", "echo: turn 2."], "{seen:#?}");
    assert!(seen.iter().all(|line| line["event"] != "track"), "text alone: {seen:#?}");

    let metadata = r#"{"behaviour": "greeting-say"}"#;
    let words = ["--mode", "voice", "--greets", "--metadata", metadata, "--turns", "1"];
    let seen = server.observe(framework, &words);
    assert_eq!(texts_of_the_agent(&seen), [GREETING, "echo: spoken turn 1."], "{seen:#?}");
    let is_voice = |line: &Value| line["event"] == "sound" && line["track"] == "roomio_audio";
    let turn = moment(&seen, |line| line["event"] == "turn");
    assert!(moment(&seen, is_voice) < turn, "it greets aloud: {seen:#?}");
    assert!(
        seen.iter().filter(|line| is_voice(line)).any(|line| line["at"].as_f64() > Some(turn)),
        "it answers aloud: {seen:#?}"
    );

    let facts = agents.facts();
    let jobs: Vec<&Value> = facts.iter().filter(|fact| fact["event"] == "job").collect();
    assert_eq!(jobs.len(), 2, "{facts:#?}");
    assert!(jobs.iter().all(|job| job["version"] == version), "{jobs:?}");
    let group = agents.group();
    drop(agents);
    assert_gone(group);
}

/// No process of this group is left.
#[track_caller]
fn assert_gone(group: u32) {
    let begun = Instant::now();
    while is_there(group) {
        assert!(begun.elapsed() < Duration::from_secs(10), "processes of {group} live on");
        std::thread::yield_now();
    }
}

/// Whether a process of this group runs, or is dead and not yet waited for.
fn is_there(group: u32) -> bool {
    let mut kill = Command::new("kill");
    kill.args(["-0", "--", &format!("-{group}")]).stderr(Stdio::null());
    kill.status().expect("there is a kill").success()
}

#[test]
fn an_agent_on_the_newest_python_framework_greets_and_says_back() {
    greets_and_says_back(Framework::Python, "1.8.9");
}

#[test]
fn an_agent_on_the_oldest_python_framework_greets_and_says_back() {
    greets_and_says_back(Framework::OldestPython, "1.0.11");
}

#[test]
fn an_agent_on_the_node_framework_greets_and_says_back() {
    greets_and_says_back(Framework::Node, "1.9.0");
}

#[test]
fn a_worker_decides_whether_its_agents_are_hidden() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let _agents = server.framework_agents(dir.path(), Framework::Python, "hidden");
    let words = ["--metadata", r#"{"text_mode": true}"#, "--turns", "0", "--ready", "3"];
    let seen = server.observe(Framework::Python, &words);
    assert!(seen.iter().all(|line| line["event"] != "participant"), "nobody is seen: {seen:#?}");
    assert_eq!(texts_of_the_agent(&seen), [GREETING], "but heard: {seen:#?}");
}

#[test]
fn the_pinned_versions_are_those_that_the_tests_name() {
    let pins = |file: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(file);
        std::fs::read_to_string(path).expect("the file is there")
    };
    assert!(pins("requirements.txt").contains("livekit-agents==1.8.9\n"));
    assert!(pins("agents/requirements-oldest.txt").contains("livekit-agents==1.0.11\n"));
    assert!(pins("agents/node/package.json").contains("\"@livekit/agents\": \"1.9.0\""));
}
