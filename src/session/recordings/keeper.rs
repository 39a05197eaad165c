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
use rushhour_core::units::{ByteSize, RunIndex, format_bytes};
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
    max_bytes: ByteSize,
    state: Arc<StoreState>,
    open: HashMap<RunIndex, OpenRun>,
    /// Bytes of recordings of which it is not known yet whether they are kept.
    open_bytes: u64,
    /// Recordings that were given up because all together would have been larger than `max_bytes`.
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
        max_bytes: ByteSize,
        state: Arc<StoreState>,
    ) -> Self {
        Self {
            files,
            selection,
            max_bytes,
            state,
            open: HashMap::new(),
            open_bytes: 0,
            too_large: 0,
        }
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
        if self.selection.bytes() + self.open_bytes + length > self.max_bytes.bytes() {
            self.too_large += 1;
            self.give_up(run);
            return Ok(());
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
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::reports::recordings::tests::record;
    use crate::reports::recordings::{kept_recordings, read_recordings};
    use rushhour_core::profile::{KeepRecordings, RecordingSettings};
    use rushhour_core::units::{Micros, Percent};

    const FAILURES: RecordingSettings = RecordingSettings {
        keep: KeepRecordings::Failures,
        slowest: 0,
        sample: Percent::ZERO,
        max_runs: 10,
        max_bytes: ByteSize::megabytes(1),
    };

    fn failed() -> Outcome {
        Outcome::failed(FailureClass::TurnTimeout, "no answer")
    }

    /// Both sides of a run, of so many bytes each.
    fn said(run: u64, bytes: usize) -> Vec<KeeperMessage> {
        let run = RunIndex(run);
        let write = |side| KeeperMessage::Write(run, side, vec![7; bytes]);
        let [caller, agent] = RecordedSide::ALL;
        vec![KeeperMessage::Opened(run), write(caller), write(agent), write(caller)]
    }

    fn keep(
        session: &Path,
        settings: RecordingSettings,
        messages: Vec<KeeperMessage>,
    ) -> (Vec<String>, Arc<StoreState>) {
        let state = Arc::new(StoreState::default());
        let files = RecordingFiles::create(session).unwrap();
        let mut selection = RecordingSelection::new(settings, 7);
        for earlier in files.earlier() {
            selection.add_earlier(&earlier);
        }
        let keeper = Keeper::new(files, selection, settings.max_bytes, state.clone());
        let (sender, receiver) = channel();
        for message in messages {
            if let KeeperMessage::Write(_, _, bytes) = &message {
                state.waiting.fetch_add(bytes.len(), Relaxed);
            }
            sender.send(message).unwrap();
        }
        drop(sender);
        (keeper.run(&receiver), state)
    }

    fn names(folder: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn failures_are_kept_whichever_is_known_first_and_all_else_is_deleted() {
        let session = tempfile::tempdir().unwrap();
        let mut messages: Vec<KeeperMessage> = (1..6).flat_map(|run| said(run, 10)).collect();
        let (finished, ended) = (
            |run| KeeperMessage::Finished(Box::new(record(RunIndex(run)))),
            |run, outcome| KeeperMessage::Ended(RunIndex(run), outcome),
        );
        messages.extend([
            finished(1),
            ended(1, failed()),
            ended(2, failed()),
            finished(2),
            finished(3),
            ended(3, Outcome::Completed { judged: None }),
            finished(4),
            ended(4, Outcome::failed(FailureClass::Cancelled, "it was stopped")),
            // The fifth has no end, and the sixth was not recorded.
            ended(5, failed()),
            ended(6, failed()),
        ]);
        let (said, state) = keep(session.path(), FAILURES, messages);
        assert!(said[0].starts_with("Recordings of 2 runs ("), "{said:?}");
        assert_eq!((said.len(), state.waiting.load(Relaxed)), (1, 0));
        let folder = session.path().join("recordings");
        let files = |run| {
            ["-agent.opus", "-caller.opus", ".json", ".txt"].map(|end| format!("run-{run}{end}"))
        };
        assert_eq!(names(&folder), [files(1), files(2)].concat());
        assert_eq!(fs::read(folder.join("run-1-caller.opus")).unwrap(), [7; 20]);
        for name in names(&folder) {
            let mode = fs::metadata(folder.join(&name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert!(!read_recordings(session.path()).is_empty());
    }

    #[test]
    fn where_nothing_is_kept_there_is_no_folder() {
        let session = tempfile::tempdir().unwrap();
        let mut messages = said(1, 10);
        messages.push(KeeperMessage::GivenUp(RunIndex(1)));
        let (said, _) = keep(session.path(), FAILURES, messages);
        assert_eq!((said, names(session.path())), (Vec::new(), Vec::new()));
    }

    #[test]
    fn all_files_together_are_bounded() {
        let session = tempfile::tempdir().unwrap();
        let settings = RecordingSettings { max_bytes: "50 kB".parse().unwrap(), ..FAILURES };
        let mut messages = said(1, 10_000);
        // The second would exceed the bound with the first, which is not over yet.
        messages.extend(said(2, 10_000));
        for run in [1, 2] {
            messages.push(KeeperMessage::Finished(Box::new(record(RunIndex(run)))));
            messages.push(KeeperMessage::Ended(RunIndex(run), failed()));
        }
        let (said, _) = keep(session.path(), settings, messages);
        assert!(said[1].starts_with("Recordings of 1 run were not kept: "), "{said:?}");
        assert_eq!(names(&session.path().join("recordings")).len(), 4);
    }

    #[test]
    fn an_earlier_process_leaves_what_it_kept_and_nothing_unfinished() {
        let session = tempfile::tempdir().unwrap();
        let mut messages = said(1, 10);
        messages.push(KeeperMessage::Finished(Box::new(record(RunIndex(1)))));
        messages.push(KeeperMessage::Ended(RunIndex(1), failed()));
        keep(session.path(), FAILURES, messages);
        let unfinished = session.path().join("recordings/unfinished");
        fs::create_dir(&unfinished).unwrap();
        fs::write(unfinished.join("run-2-caller.opus"), "half").unwrap();
        let (said, _) = keep(session.path(), FAILURES, Vec::new());
        assert!(said[0].starts_with("Recordings of 1 run ("), "{said:?}");
        assert_eq!(names(&session.path().join("recordings")).len(), 4);
    }

    #[test]
    fn the_slowest_of_a_resumed_session_are_those_of_all_of_it() {
        let session = tempfile::tempdir().unwrap();
        let settings = RecordingSettings { keep: KeepRecordings::None, slowest: 1, ..FAILURES };
        let ran = |run, seconds| {
            let longest_wait = Some(Micros::from_secs(seconds));
            let record = ConversationRecord { longest_wait, ..record(RunIndex(run)) };
            let mut messages = said(run, 10);
            messages.push(KeeperMessage::Finished(Box::new(record)));
            messages.push(KeeperMessage::Ended(RunIndex(run), Outcome::Completed { judged: None }));
            messages
        };
        let folder = session.path().join("recordings");
        let kept = || kept_recordings(&folder).into_iter().collect::<Vec<_>>();
        keep(session.path(), settings, ran(1, 10));
        keep(session.path(), settings, ran(2, 5));
        assert_eq!(kept(), [RunIndex(1)], "the second was faster");
        keep(session.path(), settings, ran(3, 20));
        assert_eq!(kept(), [RunIndex(3)]);
    }

    #[test]
    fn where_a_recording_cannot_be_kept_none_follows_and_what_was_kept_stays() {
        let session = tempfile::tempdir().unwrap();
        let ran = |run| {
            let mut messages = said(run, 10);
            messages.push(KeeperMessage::Finished(Box::new(record(RunIndex(run)))));
            messages.push(KeeperMessage::Ended(RunIndex(run), failed()));
            messages
        };
        keep(session.path(), FAILURES, ran(1));
        let folder = session.path().join("recordings");
        // Where a file cannot be written, as on a full disk.
        fs::create_dir(folder.join("run-2.txt")).unwrap();
        let (said, state) =
            keep(session.path(), FAILURES, ran(2).into_iter().chain(ran(3)).collect());
        assert!(state.has_ended.load(Relaxed), "callers record no more");
        // What was on its way to the third is still kept.
        assert!(said[0].starts_with("Recordings of 2 runs ("), "{said:?}");
        let kept = names(&folder);
        assert!(kept.contains(&"run-1-agent.opus".to_owned()), "{kept:?}");
        assert!(!kept.iter().any(|name| name.starts_with("run-2-")), "no half recording: {kept:?}");
    }

    #[test]
    fn nothing_is_written_through_a_link_or_over_a_file_and_the_session_goes_on() {
        let session = tempfile::tempdir().unwrap();
        let victim = session.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, session.path().join("recordings")).unwrap();
        assert!(RecordingFiles::create(session.path()).is_err(), "a link in place of the folder");
        fs::remove_file(session.path().join("recordings")).unwrap();
        let files = RecordingFiles::create(session.path()).unwrap();
        let planted = files.folder().join("unfinished/run-1-caller.opus");
        symlink(&victim, planted).unwrap();
        let state = Arc::new(StoreState::default());
        let selection = RecordingSelection::new(FAILURES, 7);
        let keeper = Keeper::new(files, selection, FAILURES.max_bytes, state.clone());
        let (sender, receiver) = channel();
        for message in said(1, 10).into_iter().chain(said(2, 10)) {
            if let KeeperMessage::Write(_, _, bytes) = &message {
                state.waiting.fetch_add(bytes.len(), Relaxed);
            }
            sender.send(message).unwrap();
        }
        drop(sender);
        keeper.run(&receiver);
        assert!(state.has_ended.load(Relaxed), "callers record no more");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }
}
