//! Whole sessions against the sandbox: every fault, every way to stop, every figure against the truth.

use std::collections::{HashMap, HashSet};

use rushhour_sandbox::Fault;

use crate::support::{Session, TestDir, wait_for_events};

/// Faults that change how the whole session goes on, each with a test of its own in `services`: refusals that all
/// requests wait for, rejections that end it, and a refusal that makes all later polls smaller.
const OF_THE_SESSION: [Fault; 6] = [
    Fault::LivekitTooMany,
    Fault::LivekitExhausted,
    Fault::SubmitInvalid,
    Fault::SubmitNoBalance,
    Fault::SubmitNotFound,
    Fault::PollBulkRefused,
];

/// Every other fault of the sandbox.
fn faults_of_runs() -> impl Iterator<Item = &'static Fault> {
    Fault::ALL.iter().filter(|fault| !OF_THE_SESSION.contains(fault))
}

/// Every fault of a run at this share in percent; those of polls at three times as much, because one poll is
/// about a hundred runs, so there are few polls.
fn every_fault(percent: f64) -> String {
    let faults: Vec<String> = faults_of_runs()
        .map(|fault| {
            let factor = if fault.name().starts_with("poll_") { 3.0 } else { 1.0 };
            format!("{} = \"{}%\"", fault.name(), percent * factor)
        })
        .collect();
    format!("[sandbox.faults]\n{}\n", faults.join("\n"))
}

/// A profile with short conversations of one scenario.
fn copies(count: u32, rate: &str, more: &str) -> String {
    format!(
        r#"
name = "test"
mode = "chat"
[livekit]
url = "sandbox"
agent = "front-desk"
agent_within = "3s"
give_up_after = "5s"
[evaluator]
poll_every = "500ms"
[[scenario]]
id = 30
copies = {count}
lasts = "2s"
[[stage]]
rate = "{rate}"
[limits]
requests = "100/s"
polls = "20/s"
looks = "400/s"
in_flight = 1000
submit_timeout = "6s"
livekit_timeout = "5s"
poll_timeout = "5s"
run_timeout = "20s"
watch_unknown = "4s"
drain = "30s"
[sandbox]
late_by = "4s"
submission = {{ median = "60ms", p95 = "150ms" }}
queue = {{ median = "200ms", p95 = "500ms" }}
conversation = {{ median = "2s", p95 = "3s" }}
judging = {{ median = "300ms", p95 = "600ms" }}
{more}"#
    )
}

/// What holds for every session, whatever happened in it.
fn check(session: &Session, planned: u64) {
    session.check(planned);
    let mut left = session.truth().rooms_left();
    left.retain(|room| !session.may_be_made_anew(room));
    assert!(left.is_empty(), "rooms are left: {left:?}");
}

#[test]
fn a_thousand_copies_under_every_fault_have_one_outcome_each() {
    let dir = TestDir::new();
    let ran = dir.run_profile(&copies(1000, "40/s", &every_fault(1.5)));
    let session = dir.session();
    check(&session, 1000);
    let truth = session.truth();
    // Other faults strike one request in 66; polls are repeated until each of theirs has struck.
    for fault in faults_of_runs() {
        assert!(truth.faults().contains(fault.name()), "{fault:?} never struck");
    }
    let completed = session.tally("outcome")["completed"];
    assert!(completed > 600, "{completed} completed\n{}", ran.stdout);
    // A run may complete without our knowing only where its submission had no usable answer.
    let unknown: HashSet<&str> = session
        .runs
        .iter()
        .filter(|run| run.text("failure_class") == "submit_unknown")
        .map(|run| run.text("room"))
        .collect();
    let known = truth.rooms_with_status("completed");
    let known = known.iter().filter(|room| !unknown.contains(room.as_str())).count() as u64;
    assert_eq!(known, completed);
    let classes = session.tally("failure_class");
    for class in [
        "room_failed",
        "dispatch_failed",
        "dispatch_unassigned",
        "agent_never_joined",
        "agent_late",
        "submit_unknown",
        "evaluator_failed",
        "evaluator_timeout",
    ] {
        assert!(classes.contains_key(class), "no run failed as {class}: {classes:?}");
    }
}

/// A clock and the wall clock are read one after the other; a busy machine may do something else in between.
const ANCHOR_TOLERANCE_US: u64 = 250_000;

#[test]
fn figures_agree_with_the_truth() {
    let dir = TestDir::new();
    let late_agent = "agent_join = { median = \"2s\", p95 = \"2s\" }\n";
    dir.run_profile(&copies(150, "15/s", late_agent)).expect_exit(0);
    let session = dir.session();
    check(&session, 150);
    let truth = session.truth();
    let (took, ends) = (truth.submission_times(), truth.ends());
    let received: HashMap<u64, u64> =
        truth.entries().into_iter().map(|entry| (entry.run, entry.received_us)).collect();
    let (session_start, sandbox_start) = (session.start_unix_us(), truth.start_unix_us());
    let (mut excess, mut widths) = (Vec::new(), Vec::new());
    for run in &session.runs {
        let name = run.number("evaluator_run").expect("every run was accepted");
        let service = run.number("submission.service_us").expect("it was measured");
        // Our figure starts before the receipt and ends after the answer: it is never less than the truth.
        assert!(service >= took[&name], "{run:?}");
        excess.push(service - took[&name]);
        let completion = ends[&name] - received[&name];
        let low = run.number("completion.service_low_us").expect("it was measured");
        let high = run.number("completion.service_us").expect("it was measured");
        assert!(high >= completion, "{run:?} was over after {completion} us");
        // The lower bound is the last poll that saw the run in progress, so it is before the end on any clock.
        let sent = run.number("submitted_us").expect("it was submitted");
        let last_in_progress = session_start + sent + low;
        let ended = sandbox_start + ends[&name];
        assert!(last_in_progress <= ended + ANCHOR_TOLERANCE_US, "{run:?}: {completion}");
        widths.push(high - low);
    }
    // The excess is the way to the sandbox and back: far less than the two seconds between a run's start and its
    // submission.
    let median = |values: &mut Vec<u64>| {
        values.sort_unstable();
        values[values.len() / 2]
    };
    assert!(median(&mut excess) < 1_000_000, "{excess:?}");
    // Runs are polled every 500 ms.
    assert!(median(&mut widths) < 4_000_000, "{widths:?}");
}

#[test]
fn tokens_are_no_wider_and_no_longer_than_needed() {
    let dir = TestDir::new();
    dir.run_profile(&copies(5, "10/s", "")).expect_exit(0);
    let entries = dir.session().truth().entries();
    assert_eq!(entries.len(), 5);
    for entry in entries {
        assert_eq!(entry.grants, ["roomJoin", "canPublish", "canSubscribe", "canPublishData"]);
        // 6 s for the submission, 20 s for the run, 60 s for clocks that disagree; LiveKit's default is six hours.
        assert_eq!(entry.token_ttl_s, 86);
    }
}

#[test]
fn the_agents_metadata_has_text_mode_true_in_chat_and_none_in_voice() {
    for (mode, text_mode) in [("chat", Some(true)), ("voice", None)] {
        let dir = TestDir::new();
        let profile =
            copies(3, "10/s", "").replace("mode = \"chat\"", &format!("mode = \"{mode}\""));
        let profile = profile.replace(
            "agent = \"front-desk\"",
            "agent = \"front-desk\"\nmetadata = { tenant = \"acme\" }",
        );
        dir.run_profile(&profile).expect_exit(0);
        let dispatched = dir.session().truth().dispatch_metadata("front-desk");
        assert_eq!(dispatched.len(), 3);
        for metadata in dispatched {
            assert_eq!(metadata["tenant"], "acme");
            assert_eq!(metadata["scenario_id"], 30);
            assert_eq!(metadata.get("text_mode").and_then(serde_json::Value::as_bool), text_mode);
        }
    }
}

#[test]
fn every_dispatch_method_brings_an_agent() {
    for method in ["explicit", "explicit-fresh", "room", "token"] {
        let dir = TestDir::new();
        let profile = copies(5, "10/s", "")
            .replace("agent_within", &format!("dispatch = \"{method}\"\nagent_within"));
        dir.run_profile(&profile).expect_exit(0);
        let session = dir.session();
        check(&session, 5);
        assert_eq!(session.summary["dispatch_method"], method);
        assert_eq!(session.tally("outcome")["completed"], 5, "{method}");
    }
}

#[test]
fn one_interrupt_drains_and_two_end_now() {
    for signals in [1, 2] {
        let dir = TestDir::new();
        let running = dir.start_profile(&copies(400, "10/s", &every_fault(1.0)));
        let folder = dir.wait_for_session();
        wait_for_events(&folder, "run_started", 40);
        for sent in 1..=signals {
            running.signal("INT");
            wait_for_events(&folder, "stopping", sent);
        }
        running.finish().expect_exit(105);
        let session = dir.session();
        check(&session, 400);
        let outcomes = session.tally("outcome");
        assert!(outcomes["not_started"] > 300, "{outcomes:?}");
        if signals == 2 {
            assert!(session.tally("failure_class")["cancelled"] > outcomes["not_started"]);
        }
    }
}

#[test]
fn sessions_with_shared_requests_report_assumed_mappings() {
    let dir = TestDir::new();
    // Agents that are there at once: what waits for a request to be filled counts as waiting for the limiter.
    let more = "agent_join = { median = \"50ms\", p95 = \"80ms\" }\n[sandbox.faults]\nruns_reordered = \"50%\"";
    let profile = copies(20, "20/s", more)
        // Every request is filled, however slow the machine: with a single entry nothing would be assumed.
        .replace("poll_every", "entries_per_request = 4\nfill_within = \"30s\"\npoll_every");
    dir.run_profile(&profile).expect_exit(0);
    let session = dir.session();
    check(&session, 20);
    assert_eq!(session.tally("mapping"), [("assumed".to_owned(), 20)].into());
    assert_eq!(session.count("/mapping_assumed"), 20);
}

#[test]
fn runs_are_skipped_where_the_profile_says_so_and_the_session_is_invalid() {
    let dir = TestDir::new();
    let profile =
        copies(60, "20/s", "").replace("in_flight = 1000", "in_flight = 5\nwhen_full = \"skip\"");
    let ran = dir.run_profile(&profile).expect_exit(112);
    assert!(ran.stdout.contains("says nothing about the agent"), "{}", ran.stdout);
    let session = dir.session();
    check(&session, 60);
    assert!(session.tally("outcome")["skipped"] > 30);
}

#[test]
fn a_killed_session_is_reported_as_far_as_it_got() {
    let dir = TestDir::new();
    let running = dir.start_profile(&copies(400, "10/s", ""));
    let folder = dir.wait_for_session();
    wait_for_events(&folder, "run_started", 40);
    running.signal("KILL");
    running.finish();
    let ran = dir.rushhour(&["report", &dir.session_argument()]).run();
    assert!(ran.stdout.contains("did not finish"), "{}", ran.stdout);
    let session = Session::open(&folder);
    let outcomes = session.tally("outcome");
    assert!(outcomes["open"] > 5, "{outcomes:?}");
    assert_eq!(session.count("/runs/open"), outcomes["open"]);
    assert_eq!(session.summary["closed"], false);
}

#[test]
fn a_hold_stage_and_a_burst_are_run_as_planned() {
    let dir = TestDir::new();
    let profile = copies(1, "1/s", "").replace("copies = 1\n", "").replace(
        "rate = \"1/s\"",
        "hold = 8\nlasts = \"8s\"\n[[stage]]\nname = \"burst\"\nburst = 12",
    );
    dir.run_profile(&profile).expect_exit(0);
    let session = dir.session();
    let stages = session.tally("stage");
    assert_eq!(stages["burst"], 12);
    assert!((10..40).contains(&stages["stage-1"]), "{stages:?}");
    let bursts: HashSet<&str> = session
        .runs
        .iter()
        .filter(|run| run.text("stage") == "burst")
        .map(|run| run.text("intended_us"))
        .collect();
    assert_eq!(bursts, HashSet::from(["8000000"]));
}

#[test]
fn a_budget_ends_a_session_before_it_is_exceeded() {
    let dir = TestDir::new();
    let profile = copies(60, "10/s", "").replace("drain =", "budget = \"12 USD\"\ndrain =");
    let ran = dir.run_profile(&profile);
    ran.expect_exit(113);
    let session = dir.session();
    check(&session, 60);
    let classes = session.tally("failure_class");
    let left = classes.get("budget_stopped").copied().unwrap_or(0);
    assert!((1..60).contains(&left), "{classes:?}");
    let costs: f64 =
        session.runs.iter().filter_map(|run| run.text("cost_usd").parse::<f64>().ok()).sum();
    assert!(costs > 1.0 && costs <= 12.0, "{costs}");
}
