//! `rushhour compare` and `merge`, runs that were cut off, and thresholds that end a session.

use std::fs;

use serde_json::Value;

use crate::support::{
    Peers, Schema, Session, SyntheticSession, TestDir, assert_valid, python_facts,
};

/// The comparison as JSON, checked against its schema.
#[track_caller]
fn compare_json(dir: &TestDir, arguments: &[&str], code: i32) -> Value {
    let arguments = [&["compare"], arguments, &["--format", "json"]].concat();
    let output = dir.rushhour(&arguments).run().expect_exit(code).stdout;
    let comparison =
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"));
    assert_valid(Schema::Comparison, &comparison, "the comparison");
    comparison
}

/// A folder with sessions `a` and `b`; durations in `b` are `factor` times as long.
fn two_sessions(factor: f64) -> TestDir {
    let dir = TestDir::new();
    SyntheticSession { name: "a", ..SyntheticSession::default() }.write(dir.path());
    SyntheticSession { name: "b", seed: 2, factor, ..SyntheticSession::default() }
        .write(dir.path());
    dir
}

#[test]
fn a_slower_session_fails_a_pipeline_and_an_equal_one_does_not() {
    let dir = two_sessions(1.5);
    let slower = compare_json(&dir, &["a", "b"], 99);
    assert_eq!(slower["conclusion"], "regression");
    assert_eq!(
        slower,
        compare_json(&dir, &["a", "b/journal.jsonl"], 99),
        "the same for the journal"
    );
    assert_eq!(compare_json(&dir, &["b", "a"], 0)["regressions"], serde_json::json!([]));
    let dir = two_sessions(1.0);
    assert_eq!(compare_json(&dir, &["a", "b"], 0)["conclusion"], "no_regression_shown");
    compare_json(&dir, &["a", "b", "--require-decision"], 111);
    let settled = ["a", "b", "--require-decision", "--tolerance", "60%", "--metric", "agent_join"];
    compare_json(&dir, &[&settled[..], &["--percentile", "p50"]].concat(), 0);
    for (format, expected) in [("text", "no difference shown"), ("markdown", "| agent_join p50 |")]
    {
        let ran = dir.rushhour(&["compare", "a", "b", "--format", format]).run();
        assert!(ran.stdout.contains(expected), "{}", ran.stdout);
        assert!(format != "text" || ran.stdout.lines().all(|line| line.chars().count() <= 100));
    }
}

#[test]
fn sessions_that_cannot_be_compared_are_refused() {
    let dir = two_sessions(1.0);
    let compare = |b: &str| dir.rushhour(&["compare", "a", b]).run();
    SyntheticSession { name: "voice", mode: "voice", ..SyntheticSession::default() }
        .write(dir.path());
    compare("voice").expect_exit(2).expect_stderr("--across-modes");
    let across = compare_json(&dir, &["a", "voice", "--across-modes"], 0);
    assert_eq!(across["candidate"]["mode"], "voice");
    compare("nowhere")
        .expect_exit(2)
        .expect_stderr("there is no folder or file nowhere")
        .expect_stderr("hint: name the folder of a session");
    let file = |name: &str, bytes: &[u8]| {
        let folder = dir.path().join(name);
        fs::create_dir(&folder).expect("a folder can be created");
        fs::write(folder.join("journal.jsonl"), bytes).expect("a file can be written");
    };
    file("foreign", b"a,b,c\n1,2,3\n");
    compare("foreign").expect_exit(2).expect_stderr("not a journal of Rushhour");
    file("newer", b"{\"t\":0,\"e\":{\"opened\":{\"format\":99}},\"c\":\"00000000\"}\n");
    compare("newer").expect_exit(2).expect_stderr("has journal format 99");
    file("empty", b"");
    compare("empty").expect_exit(2).expect_stderr("does not begin with a session");
    dir.rushhour(&["compare", "a"]).run().expect_exit(2);
    dir.rushhour(&["compare", "a", "b", "--metric", "speed"])
        .run()
        .expect_exit(2)
        .expect_stderr("`speed` is not a metric");
}

#[test]
fn two_parts_of_one_session_are_compared_and_missing_parts_are_refused() {
    let dir = two_sessions(1.0);
    let unknown = dir.rushhour(&["compare", "a", "--arms", "scenario=x,y"]).run();
    let message = unknown.expect_exit(2).stderr;
    let (_, names) = message.trim_end().split_once("named `x`; it has: ").expect(&message);
    let (first, second) = names.split_once(", ").expect("two scenarios");
    // In these journals the first scenario fails less often than the second.
    let worse = format!("scenario={first},{second}");
    let found = compare_json(&dir, &["a", "--arms", &worse], 99);
    assert_eq!(found["regressions"][0], "more runs failed");
    let split = format!("scenario={second},{first}");
    let found = compare_json(&dir, &["a", "--arms", &split], 0);
    assert_eq!(found["conclusion"], "no_regression_shown");
    assert_eq!(found["baseline"]["part"], format!("scenario {second}"));
    assert_eq!(found["baseline"]["started_runs"], 200);
    assert_eq!(found, compare_json(&dir, &["a/journal.jsonl", "--arms", &split], 0));
    compare_json(&dir, &["a", "--arms", &split, "--require-decision"], 111);
    for format in ["text", "markdown", "csv"] {
        let ran = dir.rushhour(&["compare", "a", "--arms", &split, "--format", format]).run();
        let ran = ran.expect_exit(0);
        assert!(format == "csv" || ran.stdout.contains("different scenarios"), "{}", ran.stdout);
        assert!(format != "text" || ran.stdout.lines().all(|line| line.chars().count() <= 100));
    }
    let refused = |arguments: &[&str], message: &str| {
        let arguments = [&["compare", "a"], arguments].concat();
        dir.rushhour(&arguments).run().expect_exit(2).expect_stderr(message);
    };
    refused(&["--arms", &format!("scenario={first},{first}")], "name two different ones");
    refused(&["--arms", "mode=chat,voice"], "mode voice has no measured run");
    refused(&["--arms", "colour=red,blue"], "write scenario=A,B");
    refused(&["b", "--arms", &split], "cannot be used with");
}

#[test]
fn torn_empty_and_one_run_sessions_are_compared_as_far_as_possible() {
    let dir = two_sessions(1.0);
    let journal = dir.path().join("b/journal.jsonl");
    let bytes = fs::read(&journal).expect("it was written");
    fs::write(&journal, &bytes[..bytes.len() * 3 / 4]).expect("it can be cut");
    let ran = dir.rushhour(&["compare", "a", "b"]).run().expect_exit(0);
    assert!(ran.stderr.contains("its process died while it wrote the last line"), "{}", ran.stderr);
    assert!(ran.stdout.contains("B did not finish"), "{}", ran.stdout);
    for runs in [0, 1] {
        let name = ["none", "one"][runs];
        SyntheticSession { name, runs: runs as u64, ..SyntheticSession::default() }
            .write(dir.path());
        let found = compare_json(&dir, &["a", name], 111);
        assert_eq!(found["conclusion"], "not_enough_data");
        compare_json(&dir, &[name, name], 111);
    }
}

#[test]
fn a_merged_session_has_the_percentiles_of_all_its_runs() {
    let dir = TestDir::new();
    let part =
        |name, seed, start| SyntheticSession { name, seed, start, ..SyntheticSession::default() };
    for session in [part("eu", 1, 0), part("us", 2, 7), part("ap", 3, 3)] {
        session.write(dir.path());
    }
    let merge = |arguments: &[&str]| dir.rushhour(&[&["merge"], arguments].concat()).run();
    merge(&["eu", "us", "ap", "--into", "all"]).expect_exit(0);
    let merged = Session::open(&dir.path().join("all"));
    assert_eq!(merged.count("/runs/started"), 1_200);
    let mut joins: Vec<u64> = Vec::new();
    for part in ["eu", "us", "ap"] {
        dir.rushhour(&["report", part]).run();
        let session = Session::open(&dir.path().join(part));
        joins.extend(session.runs.iter().filter_map(|run| run.number("agent_join_us")));
    }
    assert_eq!(joins.len(), 1_200, "every run was measured");
    joins.sort_unstable();
    let mut merged_joins: Vec<u64> =
        merged.runs.iter().filter_map(|run| run.number("agent_join_us")).collect();
    merged_joins.sort_unstable();
    assert_eq!(merged_joins, joins);
    let latencies = merged.summary["latencies"].as_array().expect("a list");
    let join = latencies
        .iter()
        .find(|one| one["metric"] == "agent_join" && one["scope"] == "session")
        .expect("it was measured");
    let mut checked = 0;
    for one in join["percentiles"].as_array().expect("a list") {
        let Some(value) = one["value_us"].as_u64() else { continue };
        let name = one["percentile"].as_str().expect("a name");
        let percent: f64 = name[1..].parse().expect("a number");
        let below = |join: &&u64| **join < value - value / 1_000 - 1;
        let at_most = |join: &&u64| **join <= value + value / 1_000 + 1;
        let share = |count: usize| count as f64 / joins.len() as f64 * 100.0;
        assert!(share(joins.iter().filter(below).count()) < percent, "{name}: {value}");
        assert!(share(joins.iter().filter(at_most).count()) >= percent, "{name}: {value}");
        checked += 1;
    }
    assert!(checked >= 4, "few percentiles have a value: {join}");
    let indices: std::collections::HashSet<&str> =
        merged.runs.iter().map(|run| run.text("run")).collect();
    assert_eq!(indices.len(), 1_200, "every run has its own number");
    // The second part started seven seconds later.
    let first = merged.runs.iter().find(|run| run.text("room") == "rushhour-us-2-0");
    assert_eq!(first.and_then(|run| run.number("intended_us")), Some(7_000_000));
    let before = fs::read(dir.path().join("all/percentiles.csv")).expect("it is there");
    dir.rushhour(&["report", "all"]).run().expect_exit(0);
    assert_eq!(fs::read(dir.path().join("all/percentiles.csv")).unwrap(), before);
    // A merged session can be merged again, but not with its own parts.
    merge(&["all", "us", "--into", "more"]).expect_exit(2).expect_stderr("would count twice");
}

#[test]
fn sessions_that_do_not_belong_together_are_not_merged() {
    let dir = TestDir::new();
    SyntheticSession { name: "a", ..SyntheticSession::default() }.write(dir.path());
    SyntheticSession {
        name: "other",
        seed: 2,
        profile_lines: "[limits]\nin_flight = 7\n",
        ..SyntheticSession::default()
    }
    .write(dir.path());
    SyntheticSession { name: "voice", seed: 3, mode: "voice", ..SyntheticSession::default() }
        .write(dir.path());
    let merge = |arguments: &[&str]| dir.rushhour(&[&["merge"], arguments].concat()).run();
    merge(&["a", "a", "--into", "m"]).expect_exit(2).expect_stderr("would count twice");
    merge(&["a", "other", "--into", "m"]).expect_exit(2).expect_stderr("--force");
    merge(&["a", "voice", "--into", "m", "--force"])
        .expect_exit(2)
        .expect_stderr("different modes");
    assert!(!dir.path().join("m").exists());
    merge(&["a", "other", "--into", "m", "--force"]).expect_exit(0);
    merge(&["a", "other", "--into", "m", "--force"]).expect_exit(2).expect_stderr("does not exist");
    merge(&["a", "--into", "n"]).expect_exit(2);
}

#[test]
fn runs_that_were_cut_off_count_as_longer_in_every_report() {
    let dir = TestDir::new();
    let whole = SyntheticSession { name: "whole", runs: 2_000, ..SyntheticSession::default() };
    whole.write(dir.path());
    SyntheticSession { name: "cut", conversation_limit: 9.0, ..whole }.write(dir.path());
    let percentile = |name: &str, percentile: &str| -> Value {
        let session = Session::open(&dir.path().join(name));
        let latencies = session.summary["latencies"].as_array().expect("a list").clone();
        let found = latencies
            .into_iter()
            .find(|one| one["metric"] == "completion.response" && one["scope"] == "session");
        let percentiles = found.expect("it was measured")["percentiles"].clone();
        let mut percentiles = percentiles.as_array().expect("a list").clone().into_iter();
        percentiles.find(|one| one["percentile"] == percentile).expect("it is listed")
    };
    let whole = dir.rushhour(&["report", "whole"]).run().expect_exit(0);
    assert!(!whole.stdout.contains("cut off"), "{}", whole.stdout);
    let cut = dir.rushhour(&["report", "cut"]).run().expect_exit(0);
    assert!(cut.stdout.contains("that were cut off counted as longer: p50"), "{}", cut.stdout);
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value}"));
    let truth = number(&percentile("whole", "p75")["value_us"]);
    let found = percentile("cut", "p75");
    assert!((number(&found["with_unfinished"]["value_us"]) / truth - 1.0).abs() < 0.03, "{found}");
    assert!(number(&found["value_us"]) / truth < 0.92, "leaving them out flatters: {found}");
    assert_eq!(percentile("cut", "p95")["with_unfinished"]["value_us"], Value::Null);
    assert!(percentile("whole", "p75").get("with_unfinished").is_none());
}

#[test]
fn scipy_computes_the_same_from_the_same_runs() {
    let dir = two_sessions(1.25);
    SyntheticSession { name: "cut", conversation_limit: 9.0, ..SyntheticSession::default() }
        .write(dir.path());
    for session in ["a", "b", "cut"] {
        dir.rushhour(&["report", session]).run();
    }
    let comparison = dir.rushhour(&["compare", "a", "b", "--format", "json"]).run().stdout;
    dir.write("comparison.json", &comparison);
    let ran = Peers::find()
        .python("check_statistics.py")
        .args(["a", "b", "cut", "comparison.json"].map(|name| dir.path().join(name)))
        .output()
        .expect("Python is installed");
    let facts = python_facts(&ran);
    for topic in ["intervals", "shapes", "rates", "ratios", "survival"] {
        let checked = facts[topic].as_u64().expect("checks are counted");
        assert!(checked >= 4, "{topic} was checked {checked} times: {facts}");
    }
}

#[test]
fn a_threshold_that_cannot_hold_any_more_ends_the_session_early() {
    let dir = TestDir::new();
    let profile = |threshold: &str| {
        format!(
            r#"
name = "aborted"
mode = "chat"
[livekit]
url = "sandbox"
agent = "front-desk"
agent_within = "1s"
give_up_after = "1s"
[[scenario]]
id = 30
copies = 600
lasts = "1s"
[[stage]]
rate = "20/s"
[limits]
requests = "100/s"
looks = "400/s"
in_flight = 400
drain = "10s"
[thresholds]
failed = {threshold}
[sandbox.faults]
dispatch_lost = "90%"
"#
        )
    };
    let bad = profile(r#"{ bound = "< 10%", after = "1s" }"#);
    dir.write("bad.toml", &bad);
    dir.rushhour(&["validate", "bad.toml"])
        .run()
        .expect_exit(104)
        .expect_stderr("`after` has no effect without `abort`");
    let ran = dir
        .run_profile(&profile(r#"{ bound = "< 10%", abort = true, after = "3s" }"#))
        .expect_exit(99)
        .expect_stderr("failed < 10% does not hold");
    assert!(ran.stdout.contains("Stopped (threshold)"), "{}", ran.stdout);
    let session = dir.session();
    assert!(session.count("/runs/not_started") > 300, "{}", session.summary["runs"]);
    assert_eq!(session.count("/runs/planned"), 600, "every run has its outcome");
    assert_eq!(session.count("/rooms/made"), session.count("/rooms/deleted"));
    assert!(
        session.count("/runs/started") >= 60,
        "it was not aborted within the first three seconds"
    );
}
