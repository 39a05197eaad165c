//! The recordings beside a session's reports, as far as they are there.

use std::fs;
use std::path::Path;

use crate::bounded_file::read_bounded;
use rushhour_core::recording::{ConversationRecord, RECORD_VERSION};
use rushhour_core::units::RunIndex;
use rushhour_report::render::RecordedRuns;

/// The folder with the recordings, in a session's folder.
pub(crate) const RECORDINGS: &str = "recordings";

/// The largest record: a thousand texts of a thousand bytes, and as much again.
const MAX_RECORD: u64 = 2 << 20;
/// What is read of all records, at most.
const MAX_RECORDS: u64 = 64 << 20;
/// The most recordings that are looked for.
const MOST: usize = 1_000;

/// The name of what is known of a recording apart from its sound.
pub(crate) fn record_name(run: RunIndex) -> String {
    format!("run-{run}.json")
}

/// The name of the conversation as text.
pub(crate) fn text_name(run: RunIndex) -> String {
    format!("run-{run}.txt")
}

/// The name of the sound of one side.
pub(crate) fn audio_name(run: RunIndex, side: &str) -> String {
    format!("run-{run}-{side}.opus")
}

/// The runs of which a recording is kept in this folder, in order.
pub(crate) fn kept_recordings(folder: &Path) -> Vec<RunIndex> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let run_of = |name: &str| name.strip_prefix("run-")?.strip_suffix(".json")?.parse().ok();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut runs: Vec<RunIndex> =
        names.filter_map(|name| run_of(&name)).map(RunIndex).take(MOST).collect();
    runs.sort_unstable();
    runs
}

/// The recordings of a session. What cannot be read is left out: somebody may have deleted a part of them.
pub(crate) fn read_recordings(session: &Path) -> RecordedRuns {
    let folder = session.join(RECORDINGS);
    let mut records = Vec::new();
    let mut left = MAX_RECORDS;
    for run in kept_recordings(&folder) {
        let Ok(bytes) = read_bounded(&folder.join(record_name(run)), MAX_RECORD.min(left)) else {
            continue;
        };
        left -= bytes.len() as u64;
        let Ok(mut record) = serde_json::from_slice::<ConversationRecord>(&bytes) else { continue };
        if record.run != run || record.version != RECORD_VERSION {
            continue;
        }
        let has = |side| {
            let path = folder.join(audio_name(run, side));
            fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
        };
        record.caller = record.caller.filter(|_| has("caller"));
        record.agent = record.agent.filter(|_| has("agent"));
        records.push(record);
    }
    RecordedRuns::new(records)
}
