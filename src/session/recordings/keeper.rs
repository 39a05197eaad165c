//! The thread that writes recordings, and keeps or deletes each when it is known how its run ended.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;

use tracing::{info, warn};

use super::recording_files::RecordingFiles;
use super::store::StoreState;
use crate::print;
use rushhour_callers::RecordedSide;
use rushhour_core::event::{FailureClass, Outcome};
use rushhour_core::recording::{ConversationRecord, FinishedRecording, RecordingSelection};
use rushhour_core::units::{RunIndex, format_bytes};
use rushhour_report::render::counted;

/// What the keeper is told.
pub(super) enum KeeperMessage {
    /// A run is recorded.
    Opened(RunIndex),
    /// More of one side.
    Write(RunIndex, RecordedSide, Vec<u8>),
    /// The conversation is over.
    Finished(Box<ConversationRecord>),
    /// The recording has no end.
    GivenUp(RunIndex),
    /// The outcome of a run is known.
    Ended(RunIndex, Outcome),
    /// The session is over.
    Close,
}

/// Writes the recordings of a session.
pub(super) struct Keeper {
    files: RecordingFiles,
    selection: RecordingSelection,
    state: Arc<StoreState>,
    open: HashMap<RunIndex, OpenRun>,
    /// Bytes of recordings of which it is not known yet whether they are kept.
    open_bytes: u64,
    /// Recordings that were given up because all together would have been larger than `max_bytes`, and those
    /// that are kept are so for as much.
    too_large: u64,
}

/// A run that is recorded and of which it is not known yet whether it is kept.
#[derive(Default)]
struct OpenRun {
    bytes: u64,
    /// Whether a side has a file.
    has_file: [bool; 2],
    record: Option<Box<ConversationRecord>>,
    outcome: Option<Outcome>,
}

impl Keeper {
    pub(super) fn new(
        files: RecordingFiles,
        selection: RecordingSelection,
        state: Arc<StoreState>,
    ) -> Self {
        Self { files, selection, state, open: HashMap::new(), open_bytes: 0, too_large: 0 }
    }

    /// Writes until the session is over. Returns what to say about the recordings then.
    pub(super) fn run(mut self, messages: &Receiver<KeeperMessage>) -> Vec<String> {
        while let Ok(message) = messages.recv() {
            let done = match message {
                KeeperMessage::Opened(run) => {
                    self.open.insert(run, OpenRun::default());
                    Ok(())
                }
                KeeperMessage::Write(run, side, bytes) => {
                    self.state.waiting.fetch_sub(bytes.len(), Relaxed);
                    self.write(run, side, &bytes)
                }
                KeeperMessage::Finished(record) => self.finished(record),
                KeeperMessage::GivenUp(run) => {
                    self.give_up(run);
                    Ok(())
                }
                KeeperMessage::Ended(run, outcome) => self.ended(run, outcome),
                KeeperMessage::Close => break,
            };
            if let Err(error) = done {
                self.end(&error);
            }
        }
        self.close()
    }

    fn write(&mut self, run: RunIndex, side: RecordedSide, bytes: &[u8]) -> io::Result<()> {
        // One that was given up has nothing more to write.
        let Some(open) = self.open.get_mut(&run) else { return Ok(()) };
        let length = bytes.len() as u64;
        // It may fail yet, and what is kept for less makes room for it.
        let Some(deleted) = self.selection.make_room_for(self.open_bytes + length) else {
            self.too_large += 1;
            self.give_up(run);
            return Ok(());
        };
        for run in deleted {
            self.files.delete(run);
        }
        let has_file = &mut open.has_file[usize::from(side == RecordedSide::Agent)];
        let is_first = !std::mem::replace(has_file, true);
        open.bytes += length;
        self.open_bytes += length;
        self.files.append(run, side, is_first, bytes)
    }

    fn finished(&mut self, record: Box<ConversationRecord>) -> io::Result<()> {
        let run = record.run;
        let Some(open) = self.open.get_mut(&run) else { return Ok(()) };
        open.record = Some(record);
        if open.outcome.is_some() { self.decide(run) } else { Ok(()) }
    }

    fn ended(&mut self, run: RunIndex, outcome: Outcome) -> io::Result<()> {
        let Some(open) = self.open.get_mut(&run) else { return Ok(()) };
        open.outcome = Some(outcome);
        if open.record.is_some() { self.decide(run) } else { Ok(()) }
    }

    /// Keeps or deletes the recording of a run that has ended.
    fn decide(&mut self, run: RunIndex) -> io::Result<()> {
        let Some(open) = self.open.remove(&run) else { return Ok(()) };
        self.open_bytes -= open.bytes;
        let (Some(mut record), outcome) = (open.record, open.outcome) else {
            self.files.discard(run);
            return Ok(());
        };
        // What the driver knows goes before what the caller saw.
        record.outcome = outcome.unwrap_or(record.outcome);
        let text = record.as_text();
        let json =
            |record: &ConversationRecord| serde_json::to_vec(record).map_err(io::Error::other);
        let finished = FinishedRecording {
            run,
            has_failed: has_failed(&record.outcome),
            longest_wait: record.longest_wait,
            sound: record.sound,
            bytes: open.bytes + (text.len() + json(&record)?.len()) as u64,
        };
        let decision = self.selection.decide(&finished);
        for run in decision.deleted {
            self.files.delete(run);
        }
        if decision.kept_for.is_empty() {
            self.files.discard(run);
            return Ok(());
        }
        record.kept_for = decision.kept_for;
        let json = json(&record)?;
        // Sound without its record would be listed nowhere.
        self.files.keep(&record, &json).inspect_err(|_| {
            self.selection.forget(run);
            self.files.discard(run);
            self.files.delete(run);
        })
    }

    fn give_up(&mut self, run: RunIndex) {
        if let Some(open) = self.open.remove(&run) {
            self.open_bytes -= open.bytes;
            self.files.discard(run);
        }
    }

    /// Nothing can be written any more: the session goes on without recordings.
    fn end(&mut self, error: &io::Error) {
        let runs: Vec<RunIndex> = self.open.keys().copied().collect();
        for run in runs {
            self.give_up(run);
        }
        if self.state.has_ended.swap(true, Relaxed) {
            return;
        }
        warn!(%error, "recording has ended");
        print::stderr(&format!(
            "Recording has ended: {} cannot be written ({error}). The session goes on, and what was kept before stays.",
            self.files.folder().display()
        ));
    }

    fn close(mut self) -> Vec<String> {
        let runs: Vec<RunIndex> = self.open.keys().copied().collect();
        for run in runs {
            if let Err(error) = self.decide(run) {
                self.end(&error);
            }
        }
        self.files.close();
        let (count, bytes) = (self.selection.count(), self.selection.bytes());
        let folder = self.files.folder().display().to_string();
        info!(count, bytes, folder, "kept recordings");
        let mut lines = Vec::new();
        if count > 0 {
            lines.push(format!(
                "Recordings of {} ({}) are in {folder}: they hold what was said, which may be personal data",
                counted(count as u64, "run"),
                format_bytes(bytes)
            ));
        }
        let refused = self.selection.refused() + self.too_large;
        if refused > 0 {
            lines.push(format!(
                "Recordings of {} were not kept: recording.max_runs or recording.max_bytes was reached",
                counted(refused, "run")
            ));
        }
        let too_slow = self.state.too_slow.load(Relaxed) as u64;
        if too_slow > 0 {
            lines.push(format!(
                "Recordings of {} were given up: the disk of {folder} is too slow",
                counted(too_slow, "run")
            ));
        }
        lines
    }
}

/// Whether a run counts as a failure: it failed by what happened in it, or an answer was not as expected.
fn has_failed(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed { class, .. } => {
            !matches!(class, FailureClass::Cancelled | FailureClass::BudgetStopped)
        }
        Outcome::Completed { judged } => *judged == Some(false),
        Outcome::Skipped => false,
    }
}

#[cfg(test)]
mod tests;
