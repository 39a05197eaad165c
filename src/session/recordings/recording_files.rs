//! The files of recordings: in `recordings` of the session's folder those that are kept, in `recordings/unfinished` those
//! of which it is not known yet. Only their owner can read them; none is written through a link, or over another.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::reports::recordings::{
    MAX_RECORD, RECORDINGS, audio_name, kept_recordings, read_record, record_name,
};
use crate::session::folder::create_folder;
use rushhour_callers::RecordedSide;
use rushhour_core::recording::{ConversationRecord, EarlierRecording};
use rushhour_core::units::RunIndex;

/// The name of the conversation as text.
fn text_name(run: RunIndex) -> String {
    format!("run-{run}.txt")
}

/// Where recordings are before it is known whether they are kept.
const UNFINISHED: &str = "unfinished";

/// The files of a session's recordings.
pub(super) struct RecordingFiles {
    kept: PathBuf,
    unfinished: PathBuf,
}

impl RecordingFiles {
    /// Creates the folders. What an earlier process of the session had not finished is deleted.
    pub(super) fn create(session: &Path) -> io::Result<Self> {
        let kept = session.join(RECORDINGS);
        let unfinished = kept.join(UNFINISHED);
        for folder in [&kept, &unfinished] {
            match create_folder(folder) {
                // A link would lead out of it.
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists
                        && fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir()) => {}
                created => created?,
            }
        }
        for entry in fs::read_dir(&unfinished)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(Self { kept, unfinished })
    }

    /// The folder of those that are kept.
    pub(super) fn folder(&self) -> &Path {
        &self.kept
    }

    /// What an earlier process of the session kept.
    pub(super) fn earlier(&self) -> Vec<EarlierRecording> {
        let size = |name: String| fs::metadata(self.kept.join(name)).map_or(0, |found| found.len());
        let kept = kept_recordings(&self.kept).into_iter().map(|run| {
            let record = read_record(&self.kept, run, MAX_RECORD);
            EarlierRecording {
                run,
                longest_wait: record.as_ref().and_then(|record| record.longest_wait),
                sound: record.as_ref().map(|record| record.sound).unwrap_or_default(),
                kept_for: record.map(|record| record.kept_for).unwrap_or_default(),
                bytes: names_of(run).into_iter().map(size).sum(),
            }
        });
        kept.collect()
    }

    /// Appends to one side of a run.
    pub(super) fn append(
        &self,
        run: RunIndex,
        side: RecordedSide,
        is_first: bool,
        bytes: &[u8],
    ) -> io::Result<()> {
        let path = self.unfinished.join(audio_name(run, side.name()));
        let mut file = if is_first {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?
        } else {
            let no_link = OFlags::NOFOLLOW.bits().cast_signed();
            OpenOptions::new().append(true).custom_flags(no_link).open(path)?
        };
        file.write_all(bytes)
    }

    /// Keeps a recording: gives its sound its name, and writes what else is known of it.
    pub(super) fn keep(&self, record: &ConversationRecord, json: &[u8]) -> io::Result<()> {
        let run = record.run;
        for side in RecordedSide::ALL {
            let name = audio_name(run, side.name());
            match fs::rename(self.unfinished.join(&name), self.kept.join(&name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                renamed => renamed?,
            }
        }
        self.create_new(&text_name(run), record.as_text().as_bytes())?;
        self.create_new(&record_name(run), json)
    }

    fn create_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.kept.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(bytes).inspect_err(|_| {
            let _ = fs::remove_file(&path);
        })
    }

    /// Deletes a recording of which it was not known yet whether it is kept.
    pub(super) fn discard(&self, run: RunIndex) {
        for side in RecordedSide::ALL {
            let _ = fs::remove_file(self.unfinished.join(audio_name(run, side.name())));
        }
    }

    /// Deletes a recording that was kept.
    pub(super) fn delete(&self, run: RunIndex) {
        for name in names_of(run) {
            let _ = fs::remove_file(self.kept.join(name));
        }
    }

    /// Removes the folders that are empty.
    pub(super) fn close(&self) {
        // Both fail on purpose where a folder is not empty.
        let _ = fs::remove_dir(&self.unfinished);
        let _ = fs::remove_dir(&self.kept);
    }
}

/// The files of a run that is kept; first the one that says that it is.
fn names_of(run: RunIndex) -> [String; 4] {
    let [caller, agent] = RecordedSide::ALL.map(|side| audio_name(run, side.name()));
    [record_name(run), text_name(run), caller, agent]
}
