//! Voice against chat: paired sessions against the sandbox, and their comparison.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::support::{Row, Session, TestDir};

/// A paired session of 24 pairs of two scenarios.
fn profile(more: &str) -> String {
    format!(
        r#"
name = "paired"
seed = 3
mode = "paired"
[livekit]
url = "sandbox"
agent = "front-desk"
[evaluator]
poll_every = "500ms"
entries_per_request = 2
fill_within = "300ms"
[[scenario]]
id = 30
copies = 16
lasts = "3s"
[[scenario]]
id = 31
copies = 8
lasts = "3s"
[[stage]]
rate = "10/s"
[limits]
requests = "100/s"
polls = "20/s"
looks = "400/s"
in_flight = 100
run_timeout = "30s"
[bill]
metrics = 1
[sandbox]
conversation = {{ median = "2s", p95 = "3s" }}
{more}"#
    )
}

fn by_pair(session: &Session) -> BTreeMap<u64, Vec<&Row>> {
    let mut pairs: BTreeMap<u64, Vec<&Row>> = BTreeMap::new();
    for row in &session.runs {
        pairs.entry(row.number("pair").expect("it belongs to a pair")).or_default().push(row);
    }
    for rows in pairs.values_mut() {
        rows.sort_by_key(|row| row.number("run"));
    }
    pairs
}

#[test]
fn every_conversation_is_run_in_both_modes_and_compared_with_itself() {
    let dir = TestDir::new();
    let ran = dir.run_profile(&profile(""));
    let session = dir.session();
    session.check(48);
    let pairs = by_pair(&session);
    assert_eq!(pairs.len(), 24);
    let mut first_modes = Vec::new();
    for (number, rows) in &pairs {
        let [first, second] = rows[..] else { panic!("pair {number} has {} runs", rows.len()) };
        for column in ["scenario", "copy", "stage"] {
            assert_eq!(first.text(column), second.text(column), "{column} of pair {number}");
        }
        assert_ne!(first.text("mode"), second.text("mode"));
        assert_eq!(first.number("run"), Some(2 * number), "its runs are neighbours");
        assert_eq!(second.number("run"), Some(2 * number + 1));
        first_modes.push(first.text("mode").to_owned());
    }
    let alternate = first_modes.windows(2).all(|two| two[0] != two[1]);
    assert!(alternate, "the modes take turns at going first: {first_modes:?}");

    // What the sandbox saw: a request has one mode, and the agent's metadata says which.
    let truth = session.truth();
    let mode_of: HashMap<&str, &str> =
        session.runs.iter().map(|row| (row.text("room"), row.text("mode"))).collect();
    let mut modes: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    assert_eq!(truth.entries().len(), 48);
    for entry in truth.entries() {
        assert_eq!(entry.mode, mode_of[entry.room.as_str()]);
        modes.entry(entry.submission).or_default().push(entry.mode);
    }
    assert!(modes.len() < 40, "requests are shared: {} for 48 runs", modes.len());
    assert!(modes.values().all(|all| all.iter().all(|mode| *mode == all[0])), "{modes:?}");
    let metadata = truth.dispatch_metadata("front-desk");
    assert_eq!(metadata.iter().filter(|one| one["text_mode"] == true).count(), 24);

    let comparison = &session.summary["pairs"];
    assert_eq!(comparison["pairs"]["completed"], 24, "{comparison}");
    let answer = comparison["answer"].as_str().expect("there is an answer");
    assert!(ran.stdout.contains(answer), "{}", ran.stdout);
    let files = session.files();
    let text = |name: &str| String::from_utf8_lossy(&files[name]).into_owned();
    assert_eq!(text("pairs.csv").lines().count(), 25);
    assert!(text("report.html").contains("Voice compared with chat"));
    assert!(text("report.html").contains(answer));
    // Both modes together cost as much as the session.
    let dollars =
        |pointer: &str| comparison.pointer(pointer).and_then(Value::as_f64).expect("a sum");
    let both = dollars("/voice/list/total_usd") + dollars("/chat/list/total_usd");
    let bill = session.summary["bill"]["list_usd"].as_f64().expect("a bill");
    assert!((both - bill).abs() < 1e-9, "{both} {bill}");
    if session.summary["valid"] == false {
        // This machine was too busy to start runs in time, so nothing is concluded.
        assert!(answer.starts_with("Voice is not compared with chat"), "{answer}");
        return;
    }
    let parts = comparison["premium"]["parts"].as_array().expect("there are parts");
    let parts: Vec<f64> =
        parts.iter().map(|part| part["difference_usd"].as_f64().expect("a difference")).collect();
    let sum: f64 = parts.iter().sum();
    assert!(parts.len() >= 2, "{comparison}");
    assert!((sum - dollars("/premium/difference_usd")).abs() < 1e-9, "{sum}: {comparison}");
    assert!(answer.starts_with("Chat costs ") && answer.contains(" per completed task, voice "));
}

#[test]
fn the_same_seed_makes_the_same_pairs_and_the_plan_counts_them() {
    let dir = TestDir::new();
    dir.write("profile.toml", &profile(""));
    let runs = || dir.rushhour(&["plan", "--runs", "profile.toml"]).run().expect_exit(0).stdout;
    assert_eq!(runs(), runs());
    let lines: Vec<String> = runs().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 49);
    // The last column is the network, of which the profile has none.
    assert!(lines[1].ends_with(",0,") && lines[2].ends_with(",0,") && lines[3].ends_with(",1,"));
    let plan = dir.rushhour(&["plan", "profile.toml"]).run().expect_exit(0);
    assert!(plan.stdout.contains("48 runs in 24 pairs"), "{}", plan.stdout);
}

#[test]
fn pairs_with_one_failed_run_are_counted_and_reported() {
    let dir = TestDir::new();
    let ran = dir.run_profile(&profile("[sandbox.faults]\nrun_fails = \"40%\"\n"));
    let session = dir.session();
    session.check(48);
    let mut expected: BTreeMap<&str, u64> =
        ["completed", "only_voice", "only_chat", "failed"].map(|name| (name, 0)).into();
    for rows in by_pair(&session).values() {
        let completed = |mode: &str| {
            rows.iter().any(|row| row.text("mode") == mode && row.text("outcome") == "completed")
        };
        let result = match (completed("voice"), completed("chat")) {
            (true, true) => "completed",
            (true, false) => "only_voice",
            (false, true) => "only_chat",
            (false, false) => "failed",
        };
        *expected.entry(result).or_default() += 1;
    }
    for (result, count) in &expected {
        assert_eq!(session.count(&format!("/pairs/pairs/{result}")), *count, "{result}");
    }
    assert!(expected["only_voice"] + expected["only_chat"] > 0, "{expected:?}");
    for mode in ["chat", "voice"] {
        let count = expected[format!("only_{mode}").as_str()];
        let note = format!("nly the {mode} run was completed in {count} pair");
        assert_eq!(ran.stdout.contains(&note), count > 0, "{note}: {}", ran.stdout);
    }
}
