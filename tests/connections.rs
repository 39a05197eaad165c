//! Connections that are lost: callers come back as LiveKit's clients do, and what cannot be recovered is not blamed on
//! the agent.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::native_callers::{self, journal_values, start_agent};
use crate::support::{
    CuttingProxy, LiveKitServer, ServerMedia, ServerVersion, Session, TestDir, count_events,
    wait_for_events, wait_until,
};

/// A conversation of some ten seconds.
const SCRIPT: &str = r#"
[[turn]]
say = "One."
[[turn]]
say = "Two."
pause = "2s"
[[turn]]
say = "Three."
pause = "2s"
[[turn]]
say = "Four."
pause = "2s"
"#;
const TURNS: usize = 4;

/// How long the calibration agent waits before it answers, in microseconds.
const DELAY_US: u64 = 500_000;

pub(crate) fn profile(url: &str, callers: u32, more: &str) -> String {
    format!(
        r#"
name = "connections"
mode = "chat"
[livekit]
url = "{url}"
agent = "echo"
agent_within = "8s"
give_up_after = "8s"
[evaluator]
kind = "native"
{more}
[[scenario]]
id = 1
copies = {callers}
script = "script.toml"
lasts = "10s"
[[stage]]
rate = "5/s"
[limits]
run_timeout = "60s"
"#
    )
}

pub(crate) fn reconnects(session: &Session) -> Vec<Value> {
    let events = journal_values(session, "reconnect");
    events.into_iter().filter(Value::is_object).collect()
}

pub(crate) fn turns(session: &Session) -> Vec<Value> {
    let events = journal_values(session, "turn");
    events.into_iter().map(|event| event["turn"].clone()).filter(Value::is_object).collect()
}

pub(crate) fn classes(session: &Session) -> BTreeMap<String, u64> {
    let mut classes = session.tally("failure_class");
    classes.remove("");
    classes
}

/// Runs callers whose signal connections are cut every `interval`, and checks that none of them minds.
#[expect(clippy::print_stdout, reason = "what happened depends on the machine, and is only shown")]
fn run_with_cuts(callers: u32, script: &str, turns_each: usize, interval: Duration) {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let proxy = CuttingProxy::start(&server.url());
    dir.write("script.toml", script);
    let text = profile(&proxy.url(), callers, "");
    dir.write("profile.toml", &text.replace("run_timeout = \"60s\"", "run_timeout = \"10m\""));
    let agent = start_agent(&dir, &server, &["--turn-delay", "500ms"]);
    proxy.cut_every(interval);
    let ran = server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish();
    let session = dir.session();
    assert_eq!(session.tally("outcome")["completed"], u64::from(callers), "{:?}", session.runs);
    let (turns, reconnects) = (turns(&session), reconnects(&session));
    assert_eq!(turns.len(), callers as usize * turns_each);
    assert!(reconnects.len() >= callers as usize, "{} of {}", reconnects.len(), proxy.cuts());
    for reconnect in &reconnects {
        assert_eq!(
            (&reconnect["cause"], &reconnect["method"]),
            (&"signal_lost".into(), &"resume".into())
        );
    }
    for turn in &turns {
        assert_eq!(turn["ending"], "answered", "{turn}");
        let took =
            turn["first"].as_u64().zip(turn["said"].as_u64()).map(|(first, said)| first - said);
        assert!(took.is_some_and(|took| took >= DELAY_US), "{turn}");
    }
    let away = turns.iter().filter(|turn| turn["away"] == true).count();
    let all = session.summary["latencies"].as_array().expect("some were measured");
    let measured = all.iter().find(|one| one["metric"] == "reconnect").expect("it is a metric");
    assert_eq!(measured["n"], reconnects.len(), "{measured}");
    println!(
        "{} cuts, {} reconnects, {away} turns away, at most {} us",
        proxy.cuts(),
        reconnects.len(),
        measured["max_us"],
    );
    assert!(ran.stdout.contains("lost their connection to LiveKit"), "{}", ran.stdout);
    assert_eq!(server.rooms(), [] as [String; 0], "every room is deleted");
}

#[test]
fn callers_whose_signal_connections_are_cut_go_on_with_their_conversations() {
    run_with_cuts(6, SCRIPT, TURNS, Duration::from_secs(2));
}

#[test]
#[ignore = "takes six minutes: cargo test --test integration connections -- --ignored"]
fn a_hundred_callers_whose_signal_connections_are_cut_for_five_minutes_go_on() {
    let turn = "[[turn]]\nsay = \"Go on.\"\npause = \"3s\"\nwithin = \"10s\"\n";
    run_with_cuts(100, &turn.repeat(80), 80, Duration::from_secs(20));
}

#[test]
fn a_caller_that_must_not_reconnect_has_lost_its_connection() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let proxy = CuttingProxy::start(&server.url());
    dir.write("script.toml", SCRIPT);
    dir.write("profile.toml", &profile(&proxy.url(), 1, ""));
    let agent = start_agent(&dir, &server, &[]);
    let arguments = ["run", "profile.toml", "--set", "evaluator.reconnect=off"];
    let running = server.with_keys(dir.rushhour(&arguments)).start();
    wait_for_events(&dir.wait_for_session(), "turn", 1);
    proxy.cut();
    let ran = running.finish();
    agent.signal("INT");
    agent.finish();
    let session = dir.session();
    let expected = BTreeMap::from([("connection_lost".to_owned(), 1)]);
    assert_eq!(classes(&session), expected, "{:?}", session.runs);
    assert_eq!(reconnects(&session), [] as [Value; 0]);
    assert!(ran.stdout.contains("network"), "{}", ran.stdout);
}

#[test]
#[expect(clippy::print_stdout, reason = "what happened depends on the machine, and is only shown")]
fn a_server_that_is_restarted_is_not_blamed_on_the_agent() {
    let dir = TestDir::new();
    let mut server = LiveKitServer::start(dir.path());
    dir.write("script.toml", SCRIPT);
    dir.write("profile.toml", &profile(&server.url(), 6, ""));
    let agent = start_agent(&dir, &server, &["--turn-delay", "500ms"]);
    let running = server.with_keys(dir.rushhour(&["run", "profile.toml"])).start();
    let folder = dir.wait_for_session();
    wait_for_events(&folder, "turn", 6);
    server.restart();
    wait_until("all runs have ended", || count_events(&folder, "ended") == 6);
    running.finish();
    agent.signal("INT");
    agent.wait_for_stderr("interrupted");
    agent.signal("INT");
    agent.finish();
    let session = dir.session();
    let (classes, outcomes) = (classes(&session), session.tally("outcome"));
    println!("{outcomes:?}, failed: {classes:?}, {} reconnects", reconnects(&session).len());
    assert!(classes.keys().all(|class| class == "connection_lost"), "{:?}", session.runs);
}

#[test]
fn a_server_without_the_newer_signalling_is_joined_by_the_older() {
    for mode in ["chat", "voice"] {
        let dir = native_callers::test_dir();
        let version = ServerVersion::V1_8_4;
        let server = LiveKitServer::start_version(dir.path(), version, &ServerMedia::default());
        dir.write("profile.toml", &native_callers::profile(&server, mode, 3, "2/s"));
        let agent = start_agent(&dir, &server, &["--turn-delay", "400ms"]);
        let checked = server.with_keys(dir.rushhour(&["doctor", "profile.toml"])).run().stdout;
        assert!(checked.contains("livekit-server 1.8.4, signalling v0"), "{checked}");
        server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
        agent.signal("INT");
        agent.finish();
        let session = dir.session();
        assert_eq!(session.tally("outcome")["completed"], 3, "{mode}: {:?}", session.runs);
        let turns = turns(&session);
        assert_eq!(turns.len(), 6, "{mode}: {turns:?}");
        assert!(turns.iter().all(|turn| turn["ending"] == "answered"), "{mode}: {turns:?}");
    }
}
