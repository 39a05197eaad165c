//! The real livekit-server, restarted or suspended in the middle of a session.

use std::fs;
use std::time::Duration;

use crate::support::{
    LiveKitServer, Row, Session, TestDir, count_events, last_event_time, wait_for_events,
    wait_until,
};

/// Runs of each session, at four starts a second.
const RUNS: u64 = 180;
/// The server is disturbed once this many runs have ended.
const ENDED_BEFORE: usize = 16;
/// How long a suspended server answers nothing.
const SUSPENDED: Duration = Duration::from_secs(20);
/// How a run may fail whose server is gone or does not answer.
const CLASSES: &[&str] = &[
    "room_failed",
    "connection_lost",
    "dispatch_failed",
    "dispatch_unassigned",
    "agent_never_joined",
    "agent_late",
    "agent_left",
    "agent_mute",
    "turn_timeout",
    "evaluator_failed",
    "evaluator_timeout",
];

fn profile(server: &LiveKitServer, kind: &str) -> String {
    let (evaluator, scenario, more) = match kind {
        "native" => ("", "id = \"hello\"\nscript = \"script.toml\"", ""),
        _ => ("poll_every = \"500ms\"", "id = 30", "[sandbox]\nconversation = { median = \"1s\" }"),
    };
    format!(
        r#"
name = "servers"
mode = "chat"
[livekit]
url = "{}"
agent = "echo"
agent_within = "5s"
give_up_after = "6s"
[evaluator]
kind = "{kind}"
{evaluator}
[[scenario]]
{scenario}
copies = {RUNS}
lasts = "1s"
[[stage]]
rate = "4/s"
[limits]
polls = "10/s"
livekit_timeout = "3s"
run_timeout = "20s"
{more}
"#,
        server.url()
    )
}

/// Runs a session whose server is disturbed, and waits until runs complete again.
fn run_disturbed(kind: &str, disturb: impl FnOnce(&mut LiveKitServer)) {
    let dir = TestDir::new();
    let mut server = LiveKitServer::start(dir.path());
    dir.write("script.toml", "[[turn]]\nsay = \"hello\"\n");
    dir.write("profile.toml", &profile(&server, kind));
    let url = server.url();
    let delay = ["--turn-delay", "200ms", "--truth", "truth.jsonl"];
    let arguments = [&["agent", "--name", "echo", "--url", &url], &delay[..]].concat();
    let (agent, _) = server.with_keys(dir.rushhour(&arguments)).start_until("Registered");
    let running = server.with_keys(dir.rushhour(&["run", "profile.toml"])).start();
    let folder = dir.wait_for_session();
    wait_for_events(&folder, "ended", ENDED_BEFORE);
    let disturbed_at = last_event_time(&folder);
    disturb(&mut server);
    let agents = count_events(&folder, "agent_seen");
    wait_until("agents join again", || count_events(&folder, "agent_seen") >= agents + 4);
    let recovered_at = last_event_time(&folder);
    running.finish();
    agent.signal("INT");
    agent.wait_for_stderr("interrupted");
    agent.signal("INT");
    agent.finish();
    let session = dir.session();
    if kind == "native" {
        assert_eq!(session.runs.len() as u64, RUNS);
        assert_eq!(session.tally("outcome").get("open"), None);
    } else {
        session.check(RUNS);
    }
    assert_recovers(&session, disturbed_at, recovered_at);
    if let Some(room) = server.rooms().first() {
        let truth = fs::read_to_string(dir.path().join("truth.jsonl")).unwrap_or_default();
        let journal = fs::read_to_string(session.folder.join("journal.jsonl")).unwrap_or_default();
        let number: u64 = room.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let run = [format!("\"run\":{number},"), format!("\"run\":{number}}}")];
        let agent = truth.lines().filter(|line| line.contains(room));
        let of_run = |line: &&str| run.iter().any(|key| line.contains(key));
        let told: Vec<&str> = agent.chain(journal.lines().filter(of_run)).collect();
        panic!("{room} is not deleted:\n{}", told.join("\n"));
    }
}

/// Runs that ended before the disturbance and runs that start after the recovery complete. Those between fail in
/// a class that can be the server's fault, and none is cancelled. Times are microseconds of session time.
fn assert_recovers(session: &Session, disturbed_at: u64, recovered_at: u64) {
    let time = |run: &Row, column| run.number(column).expect("every run was started and ended");
    let assert_complete = |what: &str, runs: Vec<&Row>, at_least: usize, share: f64| {
        let completed = runs.iter().filter(|run| run.text("outcome") == "completed").count();
        assert!(runs.len() >= at_least, "{what}: {} runs", runs.len());
        assert!(completed as f64 >= runs.len() as f64 * share, "{what}: {completed} of {runs:?}");
    };
    let runs = session.runs.iter();
    let before = runs.clone().filter(|run| time(run, "ended_us") < disturbed_at).collect();
    assert_complete("before", before, ENDED_BEFORE - 1, 0.9);
    let after = runs.clone().filter(|run| time(run, "intended_us") > recovered_at).collect();
    assert_complete("after", after, 20, 0.7);
    let mut classes = session.tally("failure_class");
    classes.remove("");
    assert!(!classes.is_empty(), "the disturbance shows");
    for class in classes.keys() {
        assert!(CLASSES.contains(&&**class), "{classes:?}");
    }
}

#[test]
#[ignore = "takes a minute: cargo test --test integration servers -- --ignored"]
fn a_restarted_server_costs_only_the_runs_in_flight_with_cekura() {
    run_disturbed("sandbox", LiveKitServer::restart);
}

#[test]
#[ignore = "takes a minute: cargo test --test integration servers -- --ignored"]
fn a_restarted_server_costs_only_the_runs_in_flight_with_our_callers() {
    run_disturbed("native", LiveKitServer::restart);
}

fn suspend(server: &mut LiveKitServer) {
    server.freeze();
    std::thread::sleep(SUSPENDED);
    server.thaw();
}

#[test]
#[ignore = "takes a minute: cargo test --test integration servers -- --ignored"]
fn a_server_suspended_for_twenty_seconds_leaves_no_room_with_cekura() {
    run_disturbed("sandbox", suspend);
}

#[test]
#[ignore = "takes a minute: cargo test --test integration servers -- --ignored"]
fn a_server_suspended_for_twenty_seconds_leaves_no_room_with_our_callers() {
    run_disturbed("native", suspend);
}
