//! The real livekit-server, killed and started again, or held up, in the middle of a session.

use std::time::Duration;

use crate::support::{LiveKitServer, Session, Workplace};

/// Runs of each session, at four starts a second.
const RUNS: u64 = 180;
const STARTS: Duration = Duration::from_secs(45);
/// What breaks, breaks this long after the session's start.
const BREAKS_AFTER: Duration = Duration::from_secs(8);
/// Runs that start before this are over when it breaks.
const BEFORE: Duration = Duration::from_secs(4);
/// What may become of a run whose server is gone or does not answer.
const CLASSES: &[&str] = &[
    "room_failed",
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
name = "trouble"
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

/// Holds a session while something is done to its server; the server is back after so long.
fn disturbed(kind: &str, disturb: impl FnOnce(&mut LiveKitServer)) {
    let workplace = Workplace::new();
    let mut server = LiveKitServer::start(workplace.path());
    workplace.write("script.toml", "[[turn]]\nsay = \"hello\"\n");
    workplace.write("profile.toml", &profile(&server, kind));
    let url = server.url();
    let words = ["agent", "--name", "echo", "--url", &url, "--turn-delay", "200ms"];
    let (agent, _) = server.keyed(workplace.rushhour(&words)).start_until("Registered");
    let begun = std::time::Instant::now();
    let running = server.keyed(workplace.rushhour(&["run", "profile.toml"])).start();
    std::thread::sleep(BREAKS_AFTER);
    disturb(&mut server);
    let back = begun.elapsed();
    let ran = running.finish();
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    agent.signal("INT");
    agent.signal("INT");
    agent.finish();
    let session = workplace.session();
    if kind == "native" {
        assert_eq!(session.runs.len() as u64, RUNS);
        assert_eq!(session.tally("outcome").get("open"), None);
    } else {
        session.check(RUNS);
    }
    goes_on(&session, back);
    assert_eq!(server.rooms(), [] as [String; 0], "every room is gone");
}

/// Runs before and well after the trouble complete, those in it fail and say as what, and none is cancelled.
fn goes_on(session: &Session, back: Duration) {
    let outcomes = |from: Duration, to: Duration| -> Vec<&str> {
        let of = session.runs.iter().filter(|run| {
            let at = Duration::from_micros(run.number("intended_us").expect("every run has one"));
            (from..to).contains(&at)
        });
        of.map(|run| run.text("outcome")).collect()
    };
    let completed = |runs: &[&str]| runs.iter().filter(|outcome| **outcome == "completed").count();
    let before = outcomes(Duration::ZERO, BEFORE);
    assert!(completed(&before) * 10 >= before.len() * 9, "before: {before:?}");
    // The worker needs a moment to be registered again.
    let after = outcomes(back + Duration::from_secs(8), STARTS);
    assert!(completed(&after) * 10 >= after.len() * 7, "after: {after:?}");
    assert!(after.len() > 20, "{back:?}");
    let mut classes = session.tally("failure_class");
    classes.remove("");
    assert!(!classes.is_empty(), "the trouble is to be seen");
    for class in classes.keys() {
        assert!(CLASSES.contains(&&**class), "{classes:?}");
    }
}

#[test]
fn a_server_that_is_killed_and_started_again_costs_the_runs_it_held_with_cekura() {
    disturbed("sandbox", LiveKitServer::restart);
}

#[test]
fn a_server_that_is_killed_and_started_again_costs_the_runs_it_held_with_our_callers() {
    disturbed("native", LiveKitServer::restart);
}

fn held_up(server: &mut LiveKitServer) {
    server.freeze();
    std::thread::sleep(Duration::from_secs(20));
    server.thaw();
}

#[test]
fn a_server_held_up_for_twenty_seconds_leaves_no_room_with_cekura() {
    disturbed("sandbox", held_up);
}

#[test]
fn a_server_held_up_for_twenty_seconds_leaves_no_room_with_our_callers() {
    disturbed("native", held_up);
}
