//! What is made of a journal: the samples' reports byte for byte, one report at a time, the page in a browser.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Peers, Workplace};

fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reports").join(name)
}

fn sample() -> PathBuf {
    committed("sample")
}

/// What reports are made from: all files below a folder that are journals.
fn copy_journals(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let path = entry.expect("an entry can be read").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_journals(&path, &target);
        } else if path.extension().is_some_and(|end| end == "jsonl") {
            fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}

/// Holds a folder that was made again against the committed one, file by file; `again` says how it is made.
fn same_files(folder: &Path, kept: &Path, again: &str) {
    assert_eq!(names(folder), names(kept), "`{again}` writes them");
    for name in names(folder).into_iter().filter(|name| folder.join(name).is_file()) {
        let made = fs::read(folder.join(&name)).expect("it was just written");
        let kept = fs::read(kept.join(&name)).expect("it is committed");
        assert!(made == kept, "{name} differs: `{again}` writes it again");
        let text = String::from_utf8_lossy(&kept);
        for place in ["/home/", "/root/", "/tmp/", "/work/", "/Users/"] {
            assert!(!text.contains(place), "{name} names {place}");
        }
    }
}

/// A copy of the sample's journal in a folder of its own, so that nothing else is there.
fn journal_alone(workplace: &Workplace) -> PathBuf {
    let folder = workplace.path().join("sample");
    fs::create_dir(&folder).expect("a folder can be made");
    fs::copy(sample().join("journal.jsonl"), folder.join("journal.jsonl"))
        .expect("the sample has a journal");
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| {
            entry.expect("an entry can be read").file_name().to_string_lossy().into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn the_samples_reports_are_what_its_journal_says_byte_for_byte() {
    let workplace = Workplace::new();
    let folder = journal_alone(&workplace);
    workplace.rushhour(&["report", "sample"]).run().ended_with(99);
    same_files(&folder, &sample(), "rushhour report reports/sample");
}

#[test]
fn the_answers_to_the_three_questions_are_what_their_journals_say_byte_for_byte() {
    let workplace = Workplace::new();
    for (name, command, exit) in [
        ("sample-capacity", "report", 0),
        ("sample-soak", "soak", 99),
        ("sample-paired", "report", 0),
    ] {
        let folder = workplace.path().join(name);
        copy_journals(&committed(name), &folder);
        workplace.rushhour(&[command, name]).run().ended_with(exit);
        same_files(&folder, &committed(name), &format!("rushhour {command} reports/{name}"));
    }
    let levels = workplace.path().join("sample-capacity/levels");
    for level in names(&levels) {
        let session = levels.join(&level);
        workplace.rushhour(&["report", session.to_str().expect("it is text")]).run();
        let page = |folder: PathBuf| fs::read(folder.join(&level).join("report.html"));
        let kept = page(committed("sample-capacity/levels")).expect("it is committed");
        assert!(
            page(levels.clone()).expect("it was just written") == kept,
            "{level}'s page differs"
        );
    }
}

#[test]
fn one_report_is_printed_and_nothing_is_written() {
    let workplace = Workplace::new();
    let folder = journal_alone(&workplace);
    for (format, begins) in [
        ("markdown", "### Failed: 1 of 3 thresholds does not hold, with 95 % confidence: "),
        ("text", "sample: 200 chat runs in "),
        ("json", "{\n  \"schema_version\": 1,"),
        ("junit", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"rushhour\""),
        ("html", "<!DOCTYPE html><html lang=\"en\">"),
    ] {
        let ran =
            workplace.rushhour(&["report", "sample", "--format", format]).run().ended_with(99);
        assert!(ran.out.starts_with(begins), "{format}:\n{}", ran.out);
        let file = match format {
            "json" => "summary.json",
            "junit" => "junit.xml",
            "html" => "report.html",
            _ => continue,
        };
        let kept = fs::read_to_string(sample().join(file)).expect("it is committed");
        assert_eq!(ran.out, kept, "{format} is the file {file}");
    }
    assert_eq!(names(&folder), ["journal.jsonl"]);
}

/// A single run, of names as hostile and as long as a profile allows.
const HOSTILE: &str = r#"
name = "hostile"
mode = "chat"
[livekit]
url = "sandbox"
agent = "front-desk"
[evaluator]
poll_every = "500ms"
[[scenario]]
id = 30
name = "<script>alert(1)</script><img src=x onerror=alert(2)> & a name that goes on and on and on and on"
copies = 3
lasts = "500ms"
[[stage]]
name = "</svg><script>alert(3)</script> a stage whose name is longer than any chart has room for"
rate = "2/s"
[limits]
polls = "10/s"
run_timeout = "30s"
[thresholds]
"agent_join p95" = "< 3s"
[sandbox]
conversation = { median = "500ms" }
[sandbox.faults]
run_fails = "40%"
"#;

#[test]
fn a_browser_reads_the_page_at_every_width_and_runs_nothing() {
    let workplace = Workplace::new();
    workplace.run_profile(HOSTILE);
    let hostile = workplace.session().folder.join("report.html");
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&pictures).expect("a folder can be made");
    let ran = Peers::find()
        .python("read_page.py")
        .env("HOME", workplace.path())
        .arg(&pictures)
        .args([sample().join("report.html"), hostile])
        .args([
            committed("sample-capacity/report.html"),
            committed("sample-soak/soak.html"),
            committed("sample-paired/report.html"),
        ])
        .output()
        .expect("there is a Python");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    let facts: Value = serde_json::from_str(told.trim()).expect("it prints JSON");
    assert_eq!(facts["pages"], 20, "{facts}");
    assert!(facts["charts"].as_u64() >= Some(40), "{facts}");
}
