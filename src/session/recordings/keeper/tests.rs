use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::mpsc::channel;

use super::*;
use crate::reports::recordings::tests::record;
use crate::reports::recordings::{kept_recordings, read_recordings};
use rushhour_core::profile::{KeepRecordings, RecordingSettings};
use rushhour_core::units::{ByteSize, Micros, Percent};

const FAILURES: RecordingSettings = RecordingSettings {
    keep: KeepRecordings::Failures,
    slowest: 0,
    choppiest: 0,
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
    let keeper = Keeper::new(files, selection, state.clone());
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
    let files =
        |run| ["-agent.opus", "-caller.opus", ".json", ".txt"].map(|end| format!("run-{run}{end}"));
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
fn a_failure_is_recorded_also_where_slow_runs_have_taken_all_bytes() {
    let session = tempfile::tempdir().unwrap();
    let max_bytes = "50 kB".parse().unwrap();
    let settings = RecordingSettings { slowest: 5, max_bytes, ..FAILURES };
    let ran = |run, outcome| {
        let longest_wait = Some(Micros::from_secs(5));
        let record = ConversationRecord { longest_wait, ..record(RunIndex(run)) };
        let mut messages = said(run, 10_000);
        messages.push(KeeperMessage::Finished(Box::new(record)));
        messages.push(KeeperMessage::Ended(RunIndex(run), outcome));
        messages
    };
    let completed = Outcome::Completed { judged: None };
    let messages: Vec<KeeperMessage> = [(1, completed), (2, failed()), (3, failed())]
        .into_iter()
        .flat_map(|(run, outcome)| ran(run, outcome))
        .collect();
    let (said, _) = keep(session.path(), settings, messages);
    let folder = session.path().join("recordings");
    let kept: Vec<RunIndex> = kept_recordings(&folder).into_iter().collect();
    assert_eq!(kept, [RunIndex(2)], "and a failure makes no room");
    assert_eq!(names(&folder).len(), 4, "nothing of the others is left");
    assert!(said[1].starts_with("Recordings of 2 runs were not kept: "), "{said:?}");
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
    let (said, state) = keep(session.path(), FAILURES, ran(2).into_iter().chain(ran(3)).collect());
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
    let keeper = Keeper::new(files, selection, state.clone());
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
