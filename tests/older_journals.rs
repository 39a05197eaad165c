//! Journals written by an earlier version, with the figures that it computed from them: both are committed under
//! `tests/fixtures/journals`. Every figure must stay the same; figures may be added.
//!
//! | fixture | session |
//! | --- | --- |
//! | `quickstart` | `profiles/quickstart.toml`, 120 chats with Cekura's protocol |
//! | `native-paired` | 30 pairs of voice and chat with our own callers |
//! | `soak` | 150 chats over two and a half minutes, with the agent's status |

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{SyntheticSession, TestDir, rows};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journals").join(name)
}

/// Copies the journal of a fixture into a folder of its own, changed by `change`.
fn copy_journal(dir: &TestDir, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> PathBuf {
    let folder = dir.path().join(name);
    fs::create_dir(&folder).expect("a folder can be created");
    let journal = fs::read(fixture(name).join("journal.jsonl")).expect("it is committed");
    fs::write(folder.join("journal.jsonl"), change(journal)).expect("a file can be written");
    folder
}

fn read_json(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).expect("it is JSON")
}

/// Compares a value with the one of the earlier version, and counts the figures compared. A text with a space is a
/// sentence, which may be reworded.
fn compare_json(before: &Value, now: &Value, place: &str, compared: &mut usize) {
    match (before, now) {
        (Value::Object(fields), Value::Object(_)) => {
            for (name, value) in fields {
                compare_json(value, &now[name], &format!("{place}/{name}"), compared);
            }
        }
        (Value::Array(items), Value::Array(others)) => {
            assert_eq!(items.len(), others.len(), "the length of {place}");
            for (index, (item, other)) in items.iter().zip(others).enumerate() {
                compare_json(item, other, &format!("{place}/{index}"), compared);
            }
        }
        (Value::String(text), Value::String(other)) if text.contains(' ') => {
            assert!(!other.is_empty(), "{place} is empty");
        }
        _ => {
            assert_eq!(before, now, "{place}");
            *compared += 1;
        }
    }
}

/// Compares every cell with that of the earlier version, except in columns of notes, which may be reworded.
fn compare_csv(before: &Path, now: &Path) {
    let header = fs::read_to_string(before).expect("it is committed");
    let columns: Vec<&str> = header.lines().next().expect("it has a header").split(',').collect();
    let (before, now) = (rows(before), rows(now));
    assert!(before.len() > 5, "there is something to compare");
    assert_eq!(before.len(), now.len());
    for (line, (one, other)) in before.iter().zip(&now).enumerate() {
        for column in columns.iter().filter(|column| !column.ends_with("note")) {
            assert_eq!(one.text(column), other.text(column), "{column} in line {}", line + 2);
        }
    }
}

#[test]
fn journals_of_the_version_before_are_rendered_with_the_same_figures() {
    for (name, figures) in [("quickstart", 1_000), ("native-paired", 1_000), ("soak", 1_000)] {
        let dir = TestDir::new();
        let folder = copy_journal(&dir, name, |journal| journal);
        dir.rushhour(&["report", name]).run().expect_exit(0);
        for file in ["percentiles.csv", "funnel.csv"] {
            compare_csv(&fixture(name).join(file), &folder.join(file));
        }
        let summary = |folder: &Path| read_json(&folder.join("summary.json"));
        let mut compared = 0;
        compare_json(&summary(&fixture(name)), &summary(&folder), name, &mut compared);
        assert!(compared > figures, "{name}: {compared} figures");
    }
}

#[test]
fn a_soak_of_the_version_before_is_judged_with_the_same_figures() {
    let dir = TestDir::new();
    let folder = copy_journal(&dir, "soak", |journal| journal);
    dir.rushhour(&["soak", "soak"]).run().expect_exit(0);
    let soak = |folder: &Path| read_json(&folder.join("soak.json"));
    let mut compared = 0;
    compare_json(&soak(&fixture("soak")), &soak(&folder), "soak", &mut compared);
    assert!(compared > 80, "{compared} figures");
}

#[test]
fn a_journal_of_a_newer_format_is_refused_in_one_sentence() {
    let dir = TestDir::new();
    // One whose first line this version could read, and one whose checksum it does not know.
    let format = 4_711;
    SyntheticSession { name: "readable", format, ..SyntheticSession::default() }.write(dir.path());
    copy_journal(&dir, "quickstart", |journal| {
        let text = String::from_utf8(journal).expect("a journal is text");
        assert!(text.contains("\"format\":1,"));
        text.replacen("\"format\":1,", "\"format\":4711,", 1).into_bytes()
    });
    for name in ["readable", "quickstart"] {
        for command in ["report", "soak", "resume"] {
            let refused = dir.rushhour(&[command, name]).run().expect_exit(2);
            let sentences: Vec<&str> = refused.stderr.lines().collect();
            let [error, hint] = sentences[..] else { panic!("{command}: {}", refused.stderr) };
            let journal = format!("{name}/journal.jsonl");
            let named = [&*journal, "format", "4711"];
            assert!(named.iter().all(|part| error.contains(part)), "{error}");
            assert!(hint.starts_with("hint: ") && hint.contains("a newer one"), "{hint}");
            assert_eq!(refused.stdout, "", "{command}");
        }
        let files = fs::read_dir(dir.path().join(name)).expect("the folder exists").count();
        assert_eq!(files, 1, "nothing is written");
    }
}

/// In the middle of a line of the fixture `quickstart`.
const TORN_AT: usize = 100_000;

#[test]
fn a_torn_journal_is_read_up_to_its_last_complete_line() {
    let render = |cut: fn(Vec<u8>) -> Vec<u8>| {
        let dir = TestDir::new();
        let folder = copy_journal(&dir, "quickstart", cut);
        let output = dir.rushhour(&["report", "quickstart"]).run().expect_exit(105);
        (output, fs::read(folder.join("percentiles.csv")).expect("it was written"))
    };
    let (torn, torn_figures) = render(|journal| journal[..TORN_AT].to_vec());
    let (complete, figures) = render(|journal| {
        let lines = journal[..TORN_AT].iter().rposition(|byte| *byte == b'\n');
        journal[..=lines.expect("it has complete lines")].to_vec()
    });
    assert!(
        torn.stderr.contains("its process died while it wrote the last line"),
        "{}",
        torn.stderr
    );
    assert_eq!(complete.stderr, "");
    assert_eq!(torn.stdout, complete.stdout);
    assert!(torn_figures == figures, "the torn line changes nothing");
}
