//! The recordings beside a session's reports, as far as they are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::bounded_file::read_bounded;
use rushhour_core::recording::{ConversationRecord, RECORD_VERSION};
use rushhour_core::units::RunIndex;
use rushhour_report::render::RecordedRuns;

/// The folder with the recordings, in a session's folder.
pub(crate) const RECORDINGS: &str = "recordings";

/// The largest record: a thousand texts of a thousand bytes, and as much again.
pub(crate) const MAX_RECORD: u64 = 2 << 20;
/// What is read of all records, at most: the page is several times as large.
const MAX_RECORDS: u64 = 16 << 20;
/// The most recordings that are read for the page.
const MOST: usize = 1_000;

/// The name of what is known of a recording apart from its sound.
pub(crate) fn record_name(run: RunIndex) -> String {
    format!("run-{run}.json")
}

/// The name of the sound of one side.
pub(crate) fn audio_name(run: RunIndex, side: &str) -> String {
    format!("run-{run}-{side}.opus")
}

/// The runs of which a recording is kept in this folder, in order. The folder is none that a link leads to.
pub(crate) fn kept_recordings(folder: &Path) -> BTreeSet<RunIndex> {
    if !fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir()) {
        return BTreeSet::new();
    }
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    let run_of = |name: &str| name.strip_prefix("run-")?.strip_suffix(".json")?.parse().ok();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| run_of(&name)).map(RunIndex).collect()
}

/// The record of a run in this folder, if it can be read, has at most so many bytes, and is what it should be.
pub(crate) fn read_record(folder: &Path, run: RunIndex, most: u64) -> Option<ConversationRecord> {
    let path = folder.join(record_name(run));
    let bytes = is_file(&path).then(|| read_bounded(&path, most))?.ok()?;
    let record = serde_json::from_slice::<ConversationRecord>(&bytes).ok()?;
    (record.run == run && record.version == RECORD_VERSION && record.is_within_bounds())
        .then_some(record)
}

/// The recordings of a session. What cannot be read is left out: somebody may have deleted a part of them. What is too much
/// for one page is counted.
pub(crate) fn read_recordings(session: &Path) -> RecordedRuns {
    read_at_most(session, MAX_RECORDS)
}

fn read_at_most(session: &Path, mut left: u64) -> RecordedRuns {
    let folder = session.join(RECORDINGS);
    let (mut records, mut left_out) = (Vec::new(), 0);
    for (place, run) in kept_recordings(&folder).into_iter().enumerate() {
        let Ok(found) = fs::symlink_metadata(folder.join(record_name(run))) else { continue };
        let length = found.len();
        if !found.is_file() || !(1..=MAX_RECORD).contains(&length) {
            continue;
        }
        if place >= MOST || length > left {
            left_out += 1;
            continue;
        }
        let Some(mut record) = read_record(&folder, run, MAX_RECORD.min(left)) else { continue };
        left = left.saturating_sub(length);
        let has = |side| is_file(&folder.join(audio_name(run, side)));
        record.caller = record.caller.filter(|_| has("caller"));
        record.agent = record.agent.filter(|_| has("agent"));
        records.push(record);
    }
    RecordedRuns::new(records).without(left_out)
}

/// Whether there is a file, and no link.
fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use rushhour_core::event::{Outcome, SpeechQuality};
    use rushhour_core::recording::{RecordedSpan, RecordedTrack};
    use rushhour_core::units::{Micros, Mode, SessionTime};

    /// A recording of both sides that holds nothing.
    pub(crate) fn record(run: RunIndex) -> ConversationRecord {
        ConversationRecord {
            version: RECORD_VERSION,
            run,
            mode: Mode::Voice,
            began: SessionTime(0),
            duration: Micros(1),
            outcome: Outcome::Completed { judged: None },
            longest_wait: None,
            sound: SpeechQuality::default(),
            kept_for: Vec::new(),
            caller: Some(RecordedTrack::default()),
            agent: Some(RecordedTrack::default()),
            turns: Vec::new(),
            texts: Vec::new(),
            is_shortened: false,
        }
    }

    #[test]
    fn recordings_of_others_are_data_links_lead_nowhere_and_what_is_too_large_is_left_out() {
        let session = tempfile::tempdir().unwrap();
        let folder = session.path().join(RECORDINGS);
        assert!(read_recordings(session.path()).is_empty(), "there is no folder");
        fs::create_dir(&folder).unwrap();
        let write = |name: &str, record: &ConversationRecord| {
            fs::write(folder.join(name), serde_json::to_vec(record).unwrap()).unwrap();
        };
        let audio = |name: &str| fs::write(folder.join(name), "OggS").unwrap();
        write("run-1.json", &record(RunIndex(1)));
        audio("run-1-caller.opus");
        symlink(folder.join("run-1-caller.opus"), folder.join("run-1-agent.opus")).unwrap();
        write("run-2.json", &record(RunIndex(3)));
        write("run-4.json", &ConversationRecord { version: 2, ..record(RunIndex(4)) });
        let span = RecordedSpan { from: Micros(0), to: Micros(1) };
        let long = RecordedTrack { speech: vec![span; 501], ..RecordedTrack::default() };
        write("run-5.json", &ConversationRecord { agent: Some(long), ..record(RunIndex(5)) });
        fs::File::create(folder.join("run-6.json")).unwrap().set_len(20_000_000_000).unwrap();
        fs::write(folder.join("run-7.json"), "{}").unwrap();
        symlink(folder.join("run-1.json"), folder.join("run-8.json")).unwrap();
        write("run-..%2f..%2fx.json", &record(RunIndex(9)));
        let found = read_recordings(session.path());
        let kept = ConversationRecord { agent: None, ..record(RunIndex(1)) };
        assert_eq!(found, RecordedRuns::new([kept]));
        let other = tempfile::tempdir().unwrap();
        symlink(&folder, other.path().join(RECORDINGS)).unwrap();
        assert!(read_recordings(other.path()).is_empty(), "the folder is elsewhere");
    }

    #[test]
    fn what_is_too_much_for_a_page_is_counted_and_not_shown() {
        let session = tempfile::tempdir().unwrap();
        let folder = session.path().join(RECORDINGS);
        fs::create_dir(&folder).unwrap();
        let sizes: Vec<u64> = (1..=3)
            .map(|run| {
                let json = serde_json::to_vec(&record(RunIndex(run))).unwrap();
                fs::write(folder.join(record_name(RunIndex(run))), &json).unwrap();
                json.len() as u64
            })
            .collect();
        let without_sound = |run| ConversationRecord { caller: None, agent: None, ..record(run) };
        let found = read_at_most(session.path(), sizes[0] + sizes[1] / 2);
        assert_eq!(found, RecordedRuns::new([without_sound(RunIndex(1))]).without(2));
        assert_ne!(found, RecordedRuns::new([without_sound(RunIndex(1))]));
        for run in 4..=1_004 {
            let is_whole = run != 1_003;
            let json = serde_json::to_vec(&record(RunIndex(run))).unwrap();
            let json = if is_whole { &json[..] } else { &[] };
            fs::write(folder.join(record_name(RunIndex(run))), json).unwrap();
        }
        let shown = (1..=1_000).map(|run| without_sound(RunIndex(run)));
        let found = read_recordings(session.path());
        assert_eq!(found, RecordedRuns::new(shown).without(3), "one of the others is empty");
        assert_eq!(kept_recordings(&folder).len(), 1_004, "all that are kept count");
    }
}
