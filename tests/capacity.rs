//! `rushhour capacity`: a search against the stand-ins, whose limit is known, from the command line to its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Session, Workplace, rows};

/// Four conversations of a second at once; what is above waits, half a second by eight and longer beyond.
fn profile(capacity: &str) -> String {
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

/// The one search that was made here.
fn search(workplace: &Workplace) -> PathBuf {
    let folders = workplace.sessions();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

fn summary(folder: &Path) -> Value {
    let bytes = fs::read(folder.join("capacity.json")).expect("it was written");
    serde_json::from_slice(&bytes).expect("it is JSON")
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    ["capacity.json", "capacity.csv", "report.html", "search.jsonl"]
        .map(|name| fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")))
        .to_vec()
}

#[test]
fn a_known_limit_is_found_and_told() {
    let workplace = Workplace::new();
    workplace.write("desk.toml", &profile(SEARCH));
    let ran = workplace.rushhour(&["capacity", "desk.toml"]).run().ended_with(0);
    let folder = search(&workplace);
    let told = summary(&folder);
    assert!(ran.out.contains(told["answer"].as_str().expect("it has one")), "{}", ran.out);
    assert!(ran.err.contains("session 1: 4 at once"), "{}", ran.err);

    // By twelve, two conversations of four at once are waited for: that is far beyond 900 ms.
    let end = |name: &str| told[name]["in_flight"].as_u64().expect("both ends were found");
    let (passed, failed) = (end("passed"), end("failed"));
    assert!((4..=10).contains(&passed) && passed < failed && failed <= 16, "{passed} {failed}");
    assert_eq!(told["first_to_give"]["threshold"]["threshold"], "queue p50 < 900ms");
    assert_eq!(told["burst"]["in_flight"], passed);
    assert_eq!(told["recovery"]["in_flight"], 4);
    assert_eq!(told["ending"], "complete");

    let sessions = told["sessions"].as_array().expect("they are listed");
    let csv = rows(&folder.join("capacity.csv"));
    assert_eq!(csv.len(), sessions.len());
    let page = fs::read_to_string(folder.join("report.html")).expect("it was written");
    for (row, session) in csv.iter().zip(sessions) {
        let own = session["folder"].as_str().expect("it has one");
        assert_eq!(row.text("folder"), own);
        assert!(page.contains(&format!("href=\"{own}/report.html\"")), "{own}");
        let held = Session::open(&folder.join(own));
        assert_eq!(held.count("/rooms/left"), 0);
        if matches!(session["purpose"].as_str(), Some("step" | "bisect" | "confirm")) {
            assert_eq!(session["peak_in_flight"], session["in_flight"], "{session}");
            let stages = held.tally("stage");
            let measured = format!("hold-{}", session["in_flight"]);
            assert_eq!(Some(stages[&measured]), session["runs"].as_u64(), "only these are judged");
            assert!(stages["settle"] > 0 && stages.contains_key("stay"), "{stages:?}");
        }
    }

    let before = files(&folder);
    fs::remove_file(folder.join("report.html")).expect("it is there");
    let name = folder.display().to_string();
    let again = workplace.rushhour(&["report", &name]).run().ended_with(0);
    assert_eq!(files(&folder), before, "byte for byte");
    assert!(again.out.contains(told["answer"].as_str().expect("it has one")));
    let printed = |format: &str| workplace.rushhour(&["report", &name, "--format", format]).run();
    assert_eq!(printed("json").ended_with(0).out.as_bytes(), before[0]);
    assert_eq!(printed("html").ended_with(0).out.as_bytes(), before[2]);
    printed("junit").ended_with(2).complaining("has the formats text, json and html");
}

#[test]
fn what_cannot_be_searched_is_refused_in_words() {
    let workplace = Workplace::new();
    let refused = |text: &str, code: i32, words: &str| {
        workplace.write("desk.toml", text);
        let ran = workplace.rushhour(&["capacity", "desk.toml"]).run();
        ran.ended_with(code).complaining(words);
    };
    let text = profile(SEARCH);
    let (open, _) = text.split_once("[thresholds]").expect("it has some");
    refused(open, 104, "the profile has no thresholds, so nothing says when a level fails");
    let nobody = text.replace("\"sandbox\"\nagent =", "\"ws://127.0.0.1:9\"\nagent =");
    refused(&nobody, 2, "LIVEKIT_API_KEY");
    refused(
        &text.replace("start = 4", "start = 41"),
        104,
        "the search would begin at 41, above its highest level of 30",
    );
    refused(&text.replace("most = 30", "most = 50"), 104, "exceed limits.in_flight of 40");
    refused(&text.replace("settle", "setle"), 104, "did you mean `settle`?");
    assert!(workplace.sessions().is_empty(), "nothing was begun");
    let schema = workplace.rushhour(&["schema", "capacity"]).run().ended_with(0);
    assert!(schema.out.contains("\"first_to_give\""));
}

#[test]
fn a_cap_ends_it_with_what_is_known() {
    let workplace = Workplace::new();
    workplace.write("desk.toml", &profile(&format!("max_runs = 45\n{SEARCH}")));
    let ran = workplace.rushhour(&["capacity", "desk.toml", "--quiet"]).run().ended_with(113);
    let told = summary(&search(&workplace));
    assert_eq!((&told["ending"], told["runs"].as_u64() <= Some(45)), (&"budget".into(), true));
    assert!(ran.out.contains("a cap on money, runs or minutes was reached"), "{}", ran.out);
}

#[test]
fn a_signal_ends_it_after_the_level_with_what_is_known() {
    let workplace = Workplace::new();
    workplace.write("desk.toml", &profile(SEARCH));
    let running = workplace.rushhour(&["capacity", "desk.toml"]).start();
    std::thread::sleep(Duration::from_secs(3));
    running.signal("INT");
    let ran = running.finish().ended_with(105);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    let told = summary(&search(&workplace));
    assert_eq!(told["ending"], "stopped");
    assert_eq!(told["sessions"].as_array().map(Vec::len), Some(1));
}
