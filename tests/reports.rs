//! Reports made from a journal: the committed samples byte for byte, one format at a time, the page in a browser.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Peers, TestDir, python_facts};

fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reports").join(name)
}

fn sample() -> PathBuf {
    committed("sample")
}

/// Copies the journals below a folder: reports are made from nothing else.
fn copy_journals(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be created");
    for entry in fs::read_dir(from).expect("the folder exists") {
        let path = entry.expect("an entry can be read").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_journals(&path, &target);
        } else if path.extension().is_some_and(|end| end == "jsonl") {
            fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}

/// Every bucket of every histogram: as large as all else of a sample, and in `latency.hlog` too.
const NOT_COMMITTED: &str = "histogram.csv";

/// Compares a rendered folder with the committed one, byte for byte; `command` writes the committed one again.
fn assert_same_files(folder: &Path, committed: &Path, command: &str) {
    let mut rendered = names(folder);
    rendered.retain(|name| name != NOT_COMMITTED);
    let mut kept = names(committed);
    kept.retain(|name| name != NOT_COMMITTED);
    assert_eq!(rendered, kept, "`{command}` writes them");
    let files: Vec<String> =
        rendered.into_iter().filter(|name| folder.join(name).is_file()).collect();
    assert!(files.len() > 3, "{files:?}");
    for name in files {
        let rendered = fs::read(folder.join(&name)).expect("it was just written");
        let committed = fs::read(committed.join(&name)).expect("it is committed");
        assert!(rendered == committed, "{name} differs: `{command}` writes it again");
        let text = String::from_utf8_lossy(&committed);
        // Wherever people and CI keep their clones: a sample does not tell who rendered it.
        for path in ["/home/", "/root/", "/tmp/", "/work/", "/Users/"] {
            assert!(!text.contains(path), "{name} contains {path}");
        }
    }
}

/// A folder with a copy of the sample's journal and nothing else.
fn copy_sample_journal(dir: &TestDir) -> PathBuf {
    let folder = dir.path().join("sample");
    fs::create_dir(&folder).expect("a folder can be created");
    fs::copy(sample().join("journal.jsonl"), folder.join("journal.jsonl"))
        .expect("the sample has a journal");
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder exists")
        .map(|entry| {
            entry.expect("an entry can be read").file_name().to_string_lossy().into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn the_committed_sample_is_rendered_byte_for_byte_from_its_journal() {
    let dir = TestDir::new();
    let folder = copy_sample_journal(&dir);
    dir.rushhour(&["report", "sample"]).run().expect_exit(99);
    assert_same_files(&folder, &sample(), "rushhour report reports/sample");
}

#[test]
fn the_committed_capacity_soak_and_paired_samples_are_rendered_byte_for_byte() {
    let dir = TestDir::new();
    for (name, command, exit) in [
        ("sample-capacity", "report", 0),
        ("sample-soak", "soak", 99),
        ("sample-paired", "report", 0),
    ] {
        let folder = dir.path().join(name);
        copy_journals(&committed(name), &folder);
        dir.rushhour(&[command, name]).run().expect_exit(exit);
        assert_same_files(&folder, &committed(name), &format!("rushhour {command} reports/{name}"));
    }
    let levels = dir.path().join("sample-capacity/levels");
    assert!(names(&levels).len() > 5, "{:?}", names(&levels));
    for level in names(&levels) {
        let session = levels.join(&level);
        dir.rushhour(&["report", session.to_str().expect("it is text")]).run();
        let page = |folder: &Path| fs::read(folder.join(&level).join("report.html"));
        let rendered = page(&levels).expect("it was just written");
        let committed = page(&committed("sample-capacity/levels")).expect("it is committed");
        assert!(rendered == committed, "{level}'s page differs");
    }
}

#[test]
fn one_format_is_printed_and_nothing_is_written() {
    let dir = TestDir::new();
    let folder = copy_sample_journal(&dir);
    for (format, start) in [
        ("markdown", "### Failed: 1 of 3 thresholds does not hold, with 95 % confidence: "),
        ("text", "sample: 200 chat runs in "),
        ("json", "{\n  \"schema_version\": 1,"),
        ("junit", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"rushhour\""),
        ("html", "<!DOCTYPE html><html lang=\"en\">"),
    ] {
        let ran = dir.rushhour(&["report", "sample", "--format", format]).run().expect_exit(99);
        assert!(ran.stdout.starts_with(start), "{format}:\n{}", ran.stdout);
        let file = match format {
            "json" => "summary.json",
            "junit" => "junit.xml",
            "html" => "report.html",
            _ => continue,
        };
        let committed = fs::read_to_string(sample().join(file)).expect("it is committed");
        assert_eq!(ran.stdout, committed, "{format} is the file {file}");
    }
    assert_eq!(names(&folder), ["journal.jsonl"]);
}

/// Names as hostile and as long as a profile allows.
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
fn a_browser_shows_every_page_at_every_width_and_runs_nothing() {
    let dir = TestDir::new();
    dir.run_profile(HOSTILE);
    let hostile = dir.session().folder.join("report.html");
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&pictures).expect("a folder can be created");
    let ran = Peers::find()
        .python("read_page.py")
        .env("HOME", dir.path())
        .arg(&pictures)
        .args([sample().join("report.html"), hostile])
        .args([
            committed("sample-capacity/report.html"),
            committed("sample-soak/soak.html"),
            committed("sample-paired/report.html"),
        ])
        .output()
        .expect("Python is installed");
    let facts = python_facts(&ran);
    assert_eq!(facts["pages"], 20, "{facts}");
    assert!(facts["charts"].as_u64().expect("charts are counted") >= 40, "{facts}");
}
