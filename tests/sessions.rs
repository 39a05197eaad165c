//! Whole sessions against the stand-ins: every fault, every way to stop, every figure against the truth.

use std::collections::HashSet;
use std::time::Duration;

use crate::support::{Session, Workplace};

/// Every fault there is, each at this share in percent; those of polls more often, because one poll asks
/// after a hundred runs and there are few.
fn every_fault(percent: f64) -> String {
    let faults: Vec<String> = rushhour_sandbox::Fault::ALL
        .iter()
        .map(|fault| {
            let times = if fault.name().starts_with("poll_") { 3.0 } else { 1.0 };
            format!("{} = \"{}%\"", fault.name(), percent * times)
        })
        .collect();
    format!("[sandbox.faults]\n{}\n", faults.join("\n"))
}

/// A profile of so many copies of one scenario, at so many starts a second, that is quickly over.
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

/// What has to hold of every session, however it went.
fn check(session: &Session, planned: u64) {
    session.check(planned);
    let left = session.truth().rooms_left();
    assert!(left.is_empty(), "rooms are left: {left:?}");
}

#[test]
fn a_thousand_copies_under_every_fault_have_one_outcome_each() {
    let workplace = Workplace::new();
    let ran = workplace.run_profile(&copies(1000, "40/s", &every_fault(1.5)));
    let session = workplace.session();
    check(&session, 1000);
    let truth = session.truth();
    // A poll that is asked for again and again meets each of its faults; the rest strike once in about 66.
    for fault in rushhour_sandbox::Fault::ALL {
        assert!(truth.faults().contains(fault.name()), "{fault:?} never struck");
    }
    let completed = session.tally("outcome")["completed"];
    assert!(completed > 600, "{completed} completed\n{}", ran.out);
    // What completed unseen is what nobody could name: a submission whose answer was none.
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

#[test]
fn figures_agree_with_the_truth() {
    let workplace = Workplace::new();
    workplace.run_profile(&copies(150, "15/s", "")).ended_with(0);
    let session = workplace.session();
    check(&session, 150);
    let truth = session.truth();
    let (took, ends) = (truth.submission_times(), truth.ends());
    let received: std::collections::HashMap<u64, u64> =
        truth.entries().into_iter().map(|entry| (entry.run, entry.received_us)).collect();
    let mut beyond = Vec::new();
    for run in &session.runs {
        let name = run.number("evaluator_run").expect("every run was accepted");
        let service = run.number("submission.service_us").expect("it was measured");
        // What we measure begins before the receipt and ends after the answer: never less than the truth.
        assert!(service >= took[&name], "{run:?}");
        beyond.push(service - took[&name]);
        let completion = ends[&name] - received[&name];
        let low = run.number("completion.service_low_us").expect("it was measured");
        let high = run.number("completion.service_us").expect("it was measured");
        assert!(high >= completion, "{run:?} was over after {completion} us");
        // The lower bound counts from our sending, which is before their receipt by the time on the wire.
        let on_the_wire = Duration::from_millis(250).as_micros();
        assert!(u128::from(low) <= u128::from(completion) + on_the_wire, "{run:?}: {completion}");
        assert!(high - low <= 4_000_000, "{run:?}: the interval is about the polling interval");
    }
    beyond.sort_unstable();
    assert!(beyond[75] < 50_000, "half are within 50 ms of the truth: {}", beyond[75]);
}

#[test]
fn tokens_are_no_wider_and_no_longer_than_needed() {
    let workplace = Workplace::new();
    workplace.run_profile(&copies(5, "10/s", "")).ended_with(0);
    for entry in workplace.session().truth().entries() {
        assert_eq!(entry.grants, ["roomJoin", "canPublish", "canSubscribe", "canPublishData"]);
        // 6 s submission, 20 s run, 60 s for clocks that disagree; LiveKit's own default is six hours.
        assert_eq!(entry.token_ttl_s, 86);
    }
}

#[test]
fn chat_is_told_by_a_boolean_and_voice_by_its_absence() {
    for (mode, wanted) in [("chat", Some(true)), ("voice", None)] {
        let workplace = Workplace::new();
        let profile =
            copies(3, "10/s", "").replace("mode = \"chat\"", &format!("mode = \"{mode}\""));
        let profile = profile.replace(
            "agent = \"front-desk\"",
            "agent = \"front-desk\"\nmetadata = { tenant = \"acme\" }",
        );
        workplace.run_profile(&profile).ended_with(0);
        let dispatched = workplace.session().truth().dispatch_metadata("front-desk");
        assert_eq!(dispatched.len(), 3);
        for metadata in dispatched {
            assert_eq!(metadata["tenant"], "acme");
            assert_eq!(metadata["scenario_id"], 30);
            assert_eq!(metadata.get("text_mode").and_then(serde_json::Value::as_bool), wanted);
        }
    }
}

#[test]
fn every_way_of_dispatching_brings_an_agent() {
    for method in ["explicit", "explicit-fresh", "room", "token"] {
        let workplace = Workplace::new();
        let profile = copies(5, "10/s", "")
            .replace("agent_within", &format!("dispatch = \"{method}\"\nagent_within"));
        workplace.run_profile(&profile).ended_with(0);
        let session = workplace.session();
        check(&session, 5);
        assert_eq!(session.summary["dispatch_method"], method);
        assert_eq!(session.tally("outcome")["completed"], 5, "{method}");
    }
}

#[test]
fn one_interrupt_drains_and_two_end_now() {
    for signals in [1, 2] {
        let workplace = Workplace::new();
        let running = workplace.start_profile(&copies(400, "10/s", &every_fault(1.0)));
        std::thread::sleep(Duration::from_secs(6));
        for _ in 0..signals {
            running.signal("INT");
            std::thread::sleep(Duration::from_millis(300));
        }
        running.finish().ended_with(105);
        let session = workplace.session();
        check(&session, 400);
        let outcomes = session.tally("outcome");
        assert!(outcomes["not_started"] > 300, "{outcomes:?}");
        if signals == 2 {
            assert!(session.tally("failure_class")["cancelled"] > outcomes["not_started"]);
        }
    }
}

#[test]
fn shared_requests_say_what_is_assumed() {
    let workplace = Workplace::new();
    let profile = copies(20, "20/s", "[sandbox.faults]\nruns_reordered = \"50%\"")
        // Long enough for every request to be filled, on the slowest machine: one entry alone is no assumption.
        .replace("poll_every", "entries_per_request = 4\nfill_within = \"30s\"\npoll_every");
    workplace.run_profile(&profile).ended_with(0);
    let session = workplace.session();
    check(&session, 20);
    assert_eq!(session.tally("mapping"), [("assumed".to_owned(), 20)].into());
    assert_eq!(session.count("/mapping_assumed"), 20);
}

#[test]
fn a_full_house_skips_where_the_profile_says_so_and_nothing_is_said_of_the_agent() {
    let workplace = Workplace::new();
    let profile =
        copies(60, "20/s", "").replace("in_flight = 1000", "in_flight = 5\nwhen_full = \"skip\"");
    let ran = workplace.run_profile(&profile).ended_with(112);
    assert!(ran.out.contains("says nothing about the agent"), "{}", ran.out);
    let session = workplace.session();
    check(&session, 60);
    assert!(session.tally("outcome")["skipped"] > 30);
}

#[test]
fn a_killed_session_is_reported_as_far_as_it_got() {
    let workplace = Workplace::new();
    let running = workplace.start_profile(&copies(400, "10/s", ""));
    std::thread::sleep(Duration::from_secs(5));
    running.signal("KILL");
    running.finish();
    let folder = workplace.sessions().remove(0);
    let shown = folder.to_str().expect("a temporary folder's name is text");
    let ran = workplace.rushhour(&["report", shown]).run();
    assert!(ran.out.contains("did not finish"), "{}", ran.out);
    let session = Session::open(&folder);
    let outcomes = session.tally("outcome");
    assert!(outcomes["open"] > 5, "{outcomes:?}");
    assert_eq!(session.count("/runs/open"), outcomes["open"]);
    assert_eq!(session.summary["closed"], false);
}

#[test]
fn a_hold_stage_and_a_burst_are_carried_out() {
    let workplace = Workplace::new();
    let profile = copies(1, "1/s", "").replace("copies = 1\n", "").replace(
        "rate = \"1/s\"",
        "hold = 8\nlasts = \"8s\"\n[[stage]]\nname = \"burst\"\nburst = 12",
    );
    workplace.run_profile(&profile).ended_with(0);
    let session = workplace.session();
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
    let workplace = Workplace::new();
    let profile = copies(60, "10/s", "").replace("drain =", "budget = \"12 USD\"\ndrain =");
    let ran = workplace.run_profile(&profile);
    ran.ended_with(113);
    let session = workplace.session();
    check(&session, 60);
    let classes = session.tally("failure_class");
    let left = classes.get("budget_stopped").copied().unwrap_or(0);
    assert!((1..60).contains(&left), "{classes:?}");
    let costs: f64 =
        session.runs.iter().filter_map(|run| run.text("cost_usd").parse::<f64>().ok()).sum();
    assert!(costs > 1.0 && costs <= 12.0, "{costs}");
}
