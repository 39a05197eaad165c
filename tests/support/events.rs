//! A journal while its session runs: what a test waits for.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::wait::wait_until;

/// How many events of a kind, as the journal calls it, are in a session folder's journal; 0 where there is none yet.
pub(crate) fn count_events(folder: &Path, kind: &str) -> usize {
    let Ok(journal) = fs::read_to_string(folder.join("journal.jsonl")) else { return 0 };
    // An event without fields is written as its name alone.
    let (with_fields, alone) = (format!("\"e\":{{\"{kind}\":"), format!("\"e\":\"{kind}\""));
    journal.lines().filter(|line| line.contains(&with_fields) || line.contains(&alone)).count()
}

/// Waits until at least this many events of a kind are in a session folder's journal.
#[track_caller]
pub(crate) fn wait_for_events(folder: &Path, kind: &str, count: usize) {
    wait_until(&format!("{count} {kind} events in the journal"), || {
        count_events(folder, kind) >= count
    });
}

/// When the last complete event of a journal was recorded, in microseconds of session time.
pub(crate) fn last_event_time(folder: &Path) -> u64 {
    let journal = fs::read_to_string(folder.join("journal.jsonl")).expect("there is a journal");
    let complete = journal.rsplit_once('\n').expect("it has a complete line").0;
    let line: Value = serde_json::from_str(complete.lines().last().expect("it has a line"))
        .expect("a complete line is JSON");
    line["t"].as_u64().expect("every event has a time")
}

/// How many facts of a kind are in a truth log; 0 where there is none yet.
pub(crate) fn count_facts(truth_log: &Path, fact: &str) -> usize {
    let Ok(log) = fs::read_to_string(truth_log) else { return 0 };
    let fact = format!("\"fact\":\"{fact}\"");
    log.lines().filter(|line| line.contains(&fact)).count()
}
