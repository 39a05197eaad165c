//! Voice against chat: paired sessions against the stand-ins, and what is made of them.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::support::{Row, Session, Workplace};

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
        pairs.entry(row.number("pair").expect("it is of a pair")).or_default().push(row);
    }
    for rows in pairs.values_mut() {
        rows.sort_by_key(|row| row.number("run"));
    }
    pairs
}

#[test]
fn every_conversation_is_held_in_both_modes_and_held_against_itself() {
    let workplace = Workplace::new();
    let ran = workplace.run_profile(&profile(""));
    let session = workplace.session();
    session.check(48);
    let pairs = by_pair(&session);
    assert_eq!(pairs.len(), 24);
    let mut begun = Vec::new();
    for (number, rows) in &pairs {
        let [first, second] = rows[..] else { panic!("pair {number} has {} runs", rows.len()) };
        for column in ["scenario", "copy", "stage"] {
            assert_eq!(first.text(column), second.text(column), "{column} of pair {number}");
        }
        assert_ne!(first.text("mode"), second.text("mode"));
        assert_eq!(first.number("run"), Some(2 * number), "its runs are neighbours");
        assert_eq!(second.number("run"), Some(2 * number + 1));
        begun.push(first.text("mode").to_owned());
    }
    assert!(begun.windows(2).all(|two| two[0] != two[1]), "the modes take turns: {begun:?}");

    // What the stand-ins saw: a request is of one mode, and the agent was told which.
    let truth = session.truth();
    let mode_of: HashMap<&str, &str> =
        session.runs.iter().map(|row| (row.text("room"), row.text("mode"))).collect();
    let mut modes: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for entry in truth.entries() {
        assert_eq!(entry.mode, mode_of[entry.room.as_str()]);
        modes.entry(entry.submission).or_default().push(entry.mode);
    }
    assert!(modes.len() < 40, "requests are shared: {} for 48 runs", modes.len());
    assert!(modes.values().all(|all| all.iter().all(|mode| *mode == all[0])), "{modes:?}");
    let metadata = truth.dispatch_metadata("front-desk");
    assert_eq!(metadata.iter().filter(|told| told["text_mode"] == true).count(), 24);

    let told = &session.summary["pairs"];
    assert_eq!(told["pairs"]["completed"], 24, "{told}");
    let answer = told["answer"].as_str().expect("there is an answer");
    assert!(ran.out.contains(answer), "{}", ran.out);
    let files = session.files();
    let text = |name: &str| String::from_utf8_lossy(&files[name]).into_owned();
    assert_eq!(text("pairs.csv").lines().count(), 25);
    assert!(text("report.html").contains("Voice compared with chat"));
    assert!(text("report.html").contains(answer));
    // Both modes together cost what the session did.
    let dollars = |pointer: &str| told.pointer(pointer).and_then(Value::as_f64).expect("a sum");
    let both = dollars("/voice/list/total_usd") + dollars("/chat/list/total_usd");
    let bill = session.summary["bill"]["list_usd"].as_f64().expect("a bill");
    assert!((both - bill).abs() < 1e-9, "{both} {bill}");
    if session.summary["valid"] == false {
        // A machine that is too busy to start runs in time says nothing of what it measured.
        assert!(answer.starts_with("Voice is not compared with chat"), "{answer}");
        return;
    }
    let parts = told["premium"]["parts"].as_array().expect("there are parts");
    let sum: f64 = parts.iter().filter_map(|part| part["difference_usd"].as_f64()).sum();
    assert!((sum - dollars("/premium/difference_usd")).abs() < 1e-9, "{sum}: {told}");
    assert!(answer.starts_with("Chat costs ") && answer.contains(" per completed task, voice "));
}

#[test]
fn the_same_seed_pairs_the_same_and_the_plan_says_how_many() {
    let workplace = Workplace::new();
    workplace.write("profile.toml", &profile(""));
    let runs = || workplace.rushhour(&["plan", "--runs", "profile.toml"]).run().ended_with(0).out;
    assert_eq!(runs(), runs());
    let lines: Vec<String> = runs().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 49);
    assert!(lines[1].ends_with(",0") && lines[2].ends_with(",0") && lines[3].ends_with(",1"));
    let plan = workplace.rushhour(&["plan", "profile.toml"]).run().ended_with(0);
    assert!(plan.out.contains("48 runs in 24 pairs"), "{}", plan.out);
}

#[test]
fn unequal_pairs_are_counted_and_told() {
    let workplace = Workplace::new();
    let ran = workplace.run_profile(&profile("[sandbox.faults]\nrun_fails = \"40%\"\n"));
    let session = workplace.session();
    session.check(48);
    let mut wanted: BTreeMap<&str, u64> =
        ["completed", "only_voice", "only_chat", "failed"].map(|name| (name, 0)).into();
    for rows in by_pair(&session).values() {
        let done = |mode: &str| {
            rows.iter().any(|row| row.text("mode") == mode && row.text("outcome") == "completed")
        };
        let how = match (done("voice"), done("chat")) {
            (true, true) => "completed",
            (true, false) => "only_voice",
            (false, true) => "only_chat",
            (false, false) => "failed",
        };
        *wanted.entry(how).or_default() += 1;
    }
    for (how, count) in &wanted {
        assert_eq!(session.count(&format!("/pairs/pairs/{how}")), *count, "{how}");
    }
    assert!(wanted["only_voice"] + wanted["only_chat"] > 0, "{wanted:?}");
    for mode in ["chat", "voice"] {
        let count = wanted[format!("only_{mode}").as_str()];
        let note = format!("nly the {mode} run was completed in {count} pair");
        assert_eq!(ran.out.contains(&note), count > 0, "{note}: {}", ran.out);
    }
}
