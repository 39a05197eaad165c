//! What is said of sessions already measured: compared, merged, with runs that were cut off.

use std::fs;
use std::io::Write;

use serde_json::Value;

use crate::support::{Made, Peers, Session, Workplace};

fn compared(workplace: &Workplace, words: &[&str], code: i32) -> Value {
    let words = [&["compare"], words, &["--format", "json"]].concat();
    let ran = workplace.rushhour(&words).run().ended_with(code);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
}

fn two(factor: f64) -> Workplace {
    let workplace = Workplace::new();
    Made { name: "a", ..Made::default() }.write(workplace.path());
    Made { name: "b", seed: 2, factor, ..Made::default() }.write(workplace.path());
    workplace
}

#[test]
fn a_slower_session_ends_a_pipeline_and_an_equal_one_does_not() {
    let workplace = two(1.5);
    let slower = compared(&workplace, &["a", "b"], 99);
    assert_eq!(slower["conclusion"], "regression");
    assert_eq!(slower, compared(&workplace, &["a", "b/journal.jsonl"], 99), "the same again");
    assert_eq!(compared(&workplace, &["b", "a"], 0)["regressions"], serde_json::json!([]));
    let workplace = two(1.0);
    assert_eq!(compared(&workplace, &["a", "b"], 0)["conclusion"], "no_regression_shown");
    compared(&workplace, &["a", "b", "--require-decision"], 111);
    let settled = ["a", "b", "--require-decision", "--tolerance", "60%", "--metric", "agent_join"];
    compared(&workplace, &[&settled[..], &["--percentile", "p50"]].concat(), 0);
    for (format, words) in [("text", "no difference shown"), ("markdown", "| agent_join p50 |")] {
        let ran = workplace.rushhour(&["compare", "a", "b", "--format", format]).run();
        assert!(ran.out.contains(words), "{}", ran.out);
        assert!(format != "text" || ran.out.lines().all(|line| line.chars().count() <= 100));
    }
}

#[test]
fn what_cannot_be_compared_is_refused_in_words() {
    let workplace = two(1.0);
    let compare = |b: &str| workplace.rushhour(&["compare", "a", b]).run();
    Made { name: "voice", mode: "voice", ..Made::default() }.write(workplace.path());
    compare("voice").ended_with(2).complaining("--across-modes");
    let across = compared(&workplace, &["a", "voice", "--across-modes"], 0);
    assert_eq!(across["candidate"]["mode"], "voice");
    compare("nowhere").ended_with(2).complaining("there is no folder or file nowhere");
    let file = |name: &str, bytes: &[u8]| {
        let folder = workplace.path().join(name);
        fs::create_dir(&folder).expect("a folder can be made");
        fs::write(folder.join("journal.jsonl"), bytes).expect("a file can be written");
    };
    file("foreign", b"a,b,c\n1,2,3\n");
    compare("foreign").ended_with(2).complaining("not a journal of Rushhour");
    file("newer", b"{\"t\":0,\"e\":{\"opened\":{\"format\":99}},\"c\":\"00000000\"}\n");
    compare("newer").ended_with(2).complaining("has journal format 99");
    file("empty", b"");
    compare("empty").ended_with(2).complaining("does not begin with a session");
    workplace.rushhour(&["compare", "a"]).run().ended_with(2);
    workplace
        .rushhour(&["compare", "a", "b", "--metric", "speed"])
        .run()
        .ended_with(2)
        .complaining("`speed` is not a metric");
}

#[test]
fn two_parts_of_one_session_are_compared_and_what_is_not_there_is_refused() {
    let workplace = two(1.0);
    let known = workplace.rushhour(&["compare", "a", "--arms", "scenario=x,y"]).run();
    let known = known.ended_with(2).err;
    let (_, names) = known.trim_end().split_once("named `x`; it has: ").expect(&known);
    let (first, second) = names.split_once(", ").expect("two scenarios");
    // In these journals the first scenario fails less often than the second.
    let worse = format!("scenario={first},{second}");
    let found = compared(&workplace, &["a", "--arms", &worse], 99);
    assert_eq!(found["regressions"][0], "more runs failed");
    let split = format!("scenario={second},{first}");
    let found = compared(&workplace, &["a", "--arms", &split], 0);
    assert_eq!(found["conclusion"], "no_regression_shown");
    assert_eq!(found["baseline"]["part"], format!("scenario {second}"));
    assert_eq!(found["baseline"]["started_runs"], 200);
    assert_eq!(found, compared(&workplace, &["a/journal.jsonl", "--arms", &split], 0));
    compared(&workplace, &["a", "--arms", &split, "--require-decision"], 111);
    for format in ["text", "markdown", "csv"] {
        let ran = workplace.rushhour(&["compare", "a", "--arms", &split, "--format", format]).run();
        let ran = ran.ended_with(0);
        assert!(format == "csv" || ran.out.contains("different scenarios"), "{}", ran.out);
        assert!(format != "text" || ran.out.lines().all(|line| line.chars().count() <= 100));
    }
    let refused = |words: &[&str], complaint: &str| {
        let words = [&["compare", "a"], words].concat();
        workplace.rushhour(&words).run().ended_with(2).complaining(complaint);
    };
    refused(&["--arms", &format!("scenario={first},{first}")], "name two that differ");
    refused(&["--arms", "mode=chat,voice"], "mode voice has no measured run");
    refused(&["--arms", "colour=red,blue"], "write scenario=A,B");
    refused(&["b", "--arms", &split], "cannot be used with");
}

#[test]
fn torn_empty_and_single_sessions_are_told_as_what_they_are() {
    let workplace = two(1.0);
    let journal = workplace.path().join("b/journal.jsonl");
    let bytes = fs::read(&journal).expect("it was written");
    fs::write(&journal, &bytes[..bytes.len() * 3 / 4]).expect("it can be cut");
    let ran = workplace.rushhour(&["compare", "a", "b"]).run().ended_with(0);
    assert!(ran.err.contains("its process died while it wrote the last line"), "{}", ran.err);
    assert!(ran.out.contains("B did not come to its end"), "{}", ran.out);
    for runs in [0, 1] {
        let name = ["none", "one"][runs];
        Made { name, runs: runs as u64, ..Made::default() }.write(workplace.path());
        let found = compared(&workplace, &["a", name], 111);
        assert_eq!(found["conclusion"], "not_enough_data");
        compared(&workplace, &[name, name], 111);
    }
}

#[test]
fn a_merged_session_has_the_percentiles_of_all_its_runs() {
    let workplace = Workplace::new();
    let part = |name, seed, began| Made { name, seed, began, ..Made::default() };
    for made in [part("eu", 1, 0), part("us", 2, 7), part("ap", 3, 3)] {
        made.write(workplace.path());
    }
    let merge = |words: &[&str]| workplace.rushhour(&[&["merge"], words].concat()).run();
    merge(&["eu", "us", "ap", "--into", "all"]).ended_with(0);
    let merged = Session::open(&workplace.path().join("all"));
    assert_eq!(merged.count("/runs/started"), 1_200);
    let mut joins: Vec<u64> = Vec::new();
    for part in ["eu", "us", "ap"] {
        workplace.rushhour(&["report", part]).run();
        let session = Session::open(&workplace.path().join(part));
        joins.extend(session.runs.iter().filter_map(|run| run.number("agent_join_us")));
    }
    joins.sort_unstable();
    let mut ours: Vec<u64> =
        merged.runs.iter().filter_map(|run| run.number("agent_join_us")).collect();
    ours.sort_unstable();
    assert_eq!(ours, joins);
    let told = merged.summary["latencies"].as_array().expect("a list").iter();
    let told: Vec<&Value> =
        told.filter(|one| one["metric"] == "agent_join" && one["scope"] == "session").collect();
    for one in told[0]["percentiles"].as_array().expect("a list") {
        let Some(value) = one["value_us"].as_u64() else { continue };
        let name = one["percentile"].as_str().expect("a name");
        let percent: f64 = name[1..].parse().expect("a number");
        let below = |join: &&u64| **join < value - value / 1_000 - 1;
        let at_most = |join: &&u64| **join <= value + value / 1_000 + 1;
        let share = |count: usize| count as f64 / joins.len() as f64 * 100.0;
        assert!(share(joins.iter().filter(below).count()) < percent, "{name}: {value}");
        assert!(share(joins.iter().filter(at_most).count()) >= percent, "{name}: {value}");
    }
    let indices: std::collections::HashSet<&str> =
        merged.runs.iter().map(|run| run.text("run")).collect();
    assert_eq!(indices.len(), 1_200, "every run has a number of its own");
    // The second part began seven seconds later.
    let first = merged.runs.iter().find(|run| run.text("room") == "rushhour-us-2-0");
    assert_eq!(first.and_then(|run| run.number("intended_us")), Some(7_000_000));
    let before = fs::read(workplace.path().join("all/percentiles.csv")).expect("it is there");
    workplace.rushhour(&["report", "all"]).run().ended_with(0);
    assert_eq!(fs::read(workplace.path().join("all/percentiles.csv")).unwrap(), before);
    // A merged session is a session: it can be merged further, but not with its own parts.
    merge(&["all", "us", "--into", "more"]).ended_with(2).complaining("would count twice");
}

#[test]
fn sessions_that_do_not_belong_together_are_not_merged() {
    let workplace = Workplace::new();
    Made { name: "a", ..Made::default() }.write(workplace.path());
    Made { name: "other", seed: 2, more: "[limits]\nin_flight = 7\n", ..Made::default() }
        .write(workplace.path());
    Made { name: "voice", seed: 3, mode: "voice", ..Made::default() }.write(workplace.path());
    let merge = |words: &[&str]| workplace.rushhour(&[&["merge"], words].concat()).run();
    merge(&["a", "a", "--into", "m"]).ended_with(2).complaining("would count twice");
    merge(&["a", "other", "--into", "m"]).ended_with(2).complaining("--force");
    merge(&["a", "voice", "--into", "m", "--force"]).ended_with(2).complaining("different modes");
    assert!(!workplace.path().join("m").exists());
    merge(&["a", "other", "--into", "m", "--force"]).ended_with(0);
    merge(&["a", "other", "--into", "m", "--force"]).ended_with(2).complaining("does not exist");
    merge(&["a", "--into", "n"]).ended_with(2);
}

#[test]
fn runs_that_were_cut_off_count_as_longer_in_every_report() {
    let workplace = Workplace::new();
    let whole = Made { name: "whole", runs: 2_000, ..Made::default() };
    whole.write(workplace.path());
    Made { name: "cut", give_up_after: 9.0, ..whole }.write(workplace.path());
    let percentile = |name: &str, percentile: &str| -> Value {
        let session = Session::open(&workplace.path().join(name));
        let latencies = session.summary["latencies"].as_array().expect("a list").clone();
        let found = latencies
            .into_iter()
            .find(|one| one["metric"] == "completion.response" && one["scope"] == "session");
        let percentiles = found.expect("it was measured")["percentiles"].clone();
        let mut percentiles = percentiles.as_array().expect("a list").clone().into_iter();
        percentiles.find(|one| one["percentile"] == percentile).expect("it is listed")
    };
    let whole = workplace.rushhour(&["report", "whole"]).run().ended_with(0);
    assert!(!whole.out.contains("cut off"), "{}", whole.out);
    let cut = workplace.rushhour(&["report", "cut"]).run().ended_with(0);
    assert!(cut.out.contains("that were cut off counted as longer: p50"), "{}", cut.out);
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value}"));
    let truth = number(&percentile("whole", "p75")["value_us"]);
    let told = percentile("cut", "p75");
    assert!((number(&told["with_unfinished"]["value_us"]) / truth - 1.0).abs() < 0.03, "{told}");
    assert!(number(&told["value_us"]) / truth < 0.92, "leaving them out flatters: {told}");
    assert_eq!(percentile("cut", "p95")["with_unfinished"]["value_us"], Value::Null);
    assert!(percentile("whole", "p75").get("with_unfinished").is_none());
}

#[test]
fn scipy_finds_the_same_in_the_same_runs() {
    let workplace = two(1.25);
    Made { name: "cut", give_up_after: 9.0, ..Made::default() }.write(workplace.path());
    for session in ["a", "b", "cut"] {
        workplace.rushhour(&["report", session]).run();
    }
    let ran = workplace.rushhour(&["compare", "a", "b", "--format", "json"]).run();
    let mut comparison =
        fs::File::create(workplace.path().join("comparison.json")).expect("a file can be made");
    comparison.write_all(ran.out.as_bytes()).expect("it can be written");
    let ran = Peers::find()
        .python("check_evidence.py")
        .args(["a", "b", "cut", "comparison.json"].map(|name| workplace.path().join(name)))
        .output()
        .expect("there is a Python");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    let facts: Value = serde_json::from_str(told.trim()).expect("it prints JSON");
    for of in ["intervals", "shapes", "rates", "ratios", "survival"] {
        assert!(facts[of].as_u64() >= Some(4), "little was checked of {of}: {facts}");
    }
}

#[test]
fn a_threshold_that_surely_fails_ends_the_session_early() {
    let workplace = Workplace::new();
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
    workplace.write("bad.toml", &bad);
    workplace
        .rushhour(&["validate", "bad.toml"])
        .run()
        .ended_with(104)
        .complaining("`after` has no effect without `abort`");
    let ran = workplace
        .run_profile(&profile(r#"{ bound = "< 10%", abort = true, after = "3s" }"#))
        .ended_with(99)
        .complaining("failed < 10% does not hold");
    assert!(ran.out.contains("Stopped (threshold)"), "{}", ran.out);
    let session = workplace.session();
    assert!(session.count("/runs/not_started") > 300, "{}", session.summary["runs"]);
    assert_eq!(session.count("/runs/planned"), 600, "every run has its outcome");
    assert_eq!(session.count("/rooms/made"), session.count("/rooms/deleted"));
    assert!(session.count("/runs/started") >= 60, "it was left alone for three seconds");
}
