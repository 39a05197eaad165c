//! `rushhour capacity`: a search against the sandbox, whose limit is known, from the command line to its files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Schema, Session, TestDir, assert_valid, rows, wait_for_events, wait_until};

/// The sandbox runs four conversations of a second at once and queues the rest: half a second with eight in
/// flight, longer with more.
pub(crate) fn profile(capacity: &str) -> String {
    format!(
        r#"
name = "desk"
mode = "chat"
[livekit]
url = "sandbox"
agent = "front-desk"
give_up_after = "3s"
agent_within = "3s"
[evaluator]
kind = "sandbox"
poll_every = "250ms"
[[scenario]]
id = 30
copies = 2
lasts = "1s"
[[stage]]
hold = 2
[limits]
requests = "100/s"
polls = "50/s"
looks = "500/s"
in_flight = 40
run_timeout = "20s"
{capacity}
[thresholds]
"queue p50" = "< 900ms"
failed = "< 60%"
[sandbox]
agent_join = {{ median = "20ms", p95 = "30ms" }}
submission = {{ median = "10ms", p95 = "20ms" }}
queue = {{ median = "10ms", p95 = "20ms" }}
conversation = {{ median = "1s", p95 = "1s" }}
judging = {{ median = "10ms", p95 = "20ms" }}
concurrency = 4
"#
    )
}

const SEARCH: &str = "[capacity]\nstart = 4\nmost = 30\nfactor = 4\nwidth = \"100%\"\nramp = \"20/s\"\nsettle = \"1s\"\nlasts = \"4s\"\nlongest = \"12s\"\nrecover_within = \"10s\"";

/// The folder of the only search.
pub(crate) fn search_folder(dir: &TestDir) -> PathBuf {
    let folders = dir.sessions();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

/// `capacity.json`, checked against its schema.
pub(crate) fn summary(folder: &Path) -> Value {
    let bytes = fs::read(folder.join("capacity.json")).expect("it was written");
    let summary = serde_json::from_slice(&bytes).expect("it is JSON");
    assert_valid(Schema::Capacity, &summary, "capacity.json");
    summary
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    ["capacity.json", "capacity.csv", "report.html", "search.jsonl"]
        .map(|name| fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")))
        .to_vec()
}

#[test]
fn a_known_limit_is_found_and_reported() {
    let dir = TestDir::new();
    dir.write("desk.toml", &profile(SEARCH));
    let ran = dir.rushhour(&["capacity", "desk.toml"]).run().expect_exit(0);
    let folder = search_folder(&dir);
    let found = summary(&folder);
    assert!(ran.stdout.contains(found["answer"].as_str().expect("it has one")), "{}", ran.stdout);
    assert!(ran.stderr.contains("session 1: 4 at once"), "{}", ran.stderr);

    // With twelve in flight, a conversation waits for two others: far longer than 900 ms.
    let end = |name: &str| found[name]["in_flight"].as_u64().expect("both ends were found");
    let (passed, failed) = (end("passed"), end("failed"));
    assert!((4..=10).contains(&passed) && passed < failed && failed <= 16, "{passed} {failed}");
    assert_eq!(found["first_to_give"]["threshold"]["threshold"], "queue p50 < 900ms");
    assert_eq!(found["burst"]["in_flight"], passed);
    assert_eq!(found["recovery"]["in_flight"], 4);
    assert_eq!(found["ending"], "complete");

    let sessions = found["sessions"].as_array().expect("they are listed");
    let purposes: Vec<&str> =
        sessions.iter().filter_map(|session| session["purpose"].as_str()).collect();
    assert!(purposes.contains(&"step") && purposes.contains(&"bisect"), "{purposes:?}");
    let csv = rows(&folder.join("capacity.csv"));
    assert_eq!(csv.len(), sessions.len());
    let page = fs::read_to_string(folder.join("report.html")).expect("it was written");
    for (row, session) in csv.iter().zip(sessions) {
        let own = session["folder"].as_str().expect("it has one");
        assert_eq!(row.text("folder"), own);
        assert!(page.contains(&format!("href=\"{own}/report.html\"")), "{own}");
        let level = Session::open(&folder.join(own));
        assert_eq!(level.count("/rooms/left"), 0);
        if matches!(session["purpose"].as_str(), Some("step" | "bisect" | "confirm")) {
            assert_eq!(session["peak_in_flight"], session["in_flight"], "{session}");
            let stages = level.tally("stage");
            let measured = format!("hold-{}", session["in_flight"]);
            assert_eq!(
                Some(stages[&measured]),
                session["runs"].as_u64(),
                "only the held level is judged"
            );
            assert!(stages["settle"] > 0 && stages.contains_key("stay"), "{stages:?}");
        }
    }

    let before = files(&folder);
    fs::remove_file(folder.join("report.html")).expect("it is there");
    let name = folder.display().to_string();
    let again = dir.rushhour(&["report", &name]).run().expect_exit(0);
    assert_eq!(files(&folder), before, "byte for byte");
    assert!(again.stdout.contains(found["answer"].as_str().expect("it has one")));
    let printed = |format: &str| dir.rushhour(&["report", &name, "--format", format]).run();
    assert_eq!(printed("json").expect_exit(0).stdout.as_bytes(), before[0]);
    assert_eq!(printed("html").expect_exit(0).stdout.as_bytes(), before[2]);
    printed("junit").expect_exit(2).expect_stderr("has the formats text, json and html");
}

#[test]
fn profiles_that_cannot_be_searched_are_refused() {
    let dir = TestDir::new();
    let refused = |text: &str, code: i32, message: &str| {
        dir.write("desk.toml", text);
        let ran = dir.rushhour(&["capacity", "desk.toml"]).run();
        ran.expect_exit(code).expect_stderr(message);
    };
    let text = profile(SEARCH);
    let (without_thresholds, _) = text.split_once("[thresholds]").expect("it has some");
    refused(
        without_thresholds,
        104,
        "the profile has no thresholds, so nothing says when a level fails",
    );
    let without_keys = text.replace("\"sandbox\"\nagent =", "\"ws://127.0.0.1:9\"\nagent =");
    refused(&without_keys, 2, "LIVEKIT_API_KEY");
    refused(
        &text.replace("start = 4", "start = 41"),
        104,
        "the search would begin at 41, above its highest level of 30",
    );
    refused(&text.replace("most = 30", "most = 50"), 104, "exceed limits.in_flight of 40");
    refused(&text.replace("settle", "setle"), 104, "did you mean `settle`?");
    assert!(dir.sessions().is_empty(), "no session was started");
    let schema = dir.rushhour(&["schema", "capacity"]).run().expect_exit(0);
    assert!(schema.stdout.contains("\"first_to_give\""));
}

#[test]
fn a_cap_on_runs_ends_the_search_with_what_is_known() {
    let dir = TestDir::new();
    dir.write("desk.toml", &profile(&format!("max_runs = 45\n{SEARCH}")));
    let ran = dir.rushhour(&["capacity", "desk.toml", "--quiet"]).run().expect_exit(113);
    let found = summary(&search_folder(&dir));
    assert_eq!(found["ending"], "budget");
    let runs = found["runs"].as_u64().expect("runs are counted");
    assert!((1..=45).contains(&runs), "{runs}");
    assert!(ran.stdout.contains("a cap on money, runs or minutes was reached"), "{}", ran.stdout);
}

#[test]
fn a_signal_ends_the_search_after_the_level_with_what_is_known() {
    let dir = TestDir::new();
    dir.write("desk.toml", &profile(SEARCH));
    let running = dir.rushhour(&["capacity", "desk.toml"]).start();
    wait_until("the search has a folder", || !dir.sessions().is_empty());
    let levels = search_folder(&dir).join("levels");
    let mut first = None;
    wait_until("the first level has begun", || {
        first = fs::read_dir(&levels).ok().and_then(|mut all| all.next());
        first.is_some()
    });
    let first = first.expect("it was just seen").expect("an entry can be read").path();
    wait_for_events(&first, "ended", 1);
    running.signal("INT");
    running.finish().expect_exit(105);
    let found = summary(&search_folder(&dir));
    assert_eq!(found["ending"], "stopped");
    assert_eq!(found["sessions"].as_array().map(Vec::len), Some(1));
}
