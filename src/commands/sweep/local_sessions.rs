//! What this machine knows of a session: whether a process holds its journal, and what is in it.

use std::collections::{BTreeMap, HashSet};
use std::fs::{DirEntry, TryLockError};
use std::io::{self, BufReader};
use std::path::{Component, Path, PathBuf};

use super::decision::SessionLiveness;
use crate::bounded_file::open_regular;
use crate::session::folder::{JOURNAL, JUDGED, LEVELS};
use rushhour_core::event::{EventKind, FailureClass, Outcome, SessionHeader};
use rushhour_core::units::{EvaluatorRunId, RoomName, RunIndex, SessionId};
use rushhour_report::journal::{JournalError, JournalReader};

/// Whether a process holds a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JournalLock {
    /// One does: its session is running.
    Held,
    /// None does.
    Free,
    /// The file system has no locks.
    Unsupported,
}

/// Finds out whether a process holds the journal at `path`.
pub(crate) fn lock_state(path: &Path) -> io::Result<JournalLock> {
    // A shared lock excludes writers only, and is released with the file.
    Ok(match open_regular(path)?.try_lock_shared() {
        Ok(()) => JournalLock::Free,
        Err(TryLockError::WouldBlock) => JournalLock::Held,
        Err(TryLockError::Error(_)) => JournalLock::Unsupported,
    })
}

/// What a session may have left behind, by its journal.
pub(crate) struct SessionTrail {
    pub(crate) header: SessionHeader,
    /// The rooms of all its runs.
    pub(crate) rooms: HashSet<RoomName>,
    /// The evaluator's runs whose end it did not see.
    pub(crate) calls: BTreeMap<RunIndex, EvaluatorRunId>,
}

/// Reads a journal to its end.
pub(crate) fn read_trail(path: &Path) -> Result<SessionTrail, JournalError> {
    let mut reader = JournalReader::new(BufReader::new(open_regular(path)?));
    let Some(EventKind::Opened(header)) = reader.next_event()?.map(|event| event.kind) else {
        return Err(JournalError::NoSession);
    };
    let mut rooms = HashSet::new();
    let mut calls: BTreeMap<RunIndex, EvaluatorRunId> = BTreeMap::new();
    while let Some(event) = reader.next_event()? {
        match event.kind {
            EventKind::RunStarted { room, .. } => {
                rooms.insert(room);
            }
            EventKind::Submitted { accepted, .. } => {
                calls.extend(accepted.into_iter().map(|entry| (entry.run, entry.evaluator_run)));
            }
            EventKind::Ended { run, outcome, .. } if ended_at_evaluator(&outcome) => {
                calls.remove(&run);
            }
            _ => {}
        }
    }
    Ok(SessionTrail { header: *header, rooms, calls })
}

/// Whether a run with this outcome was seen to end at the evaluator, rather than given up by the session.
const fn ended_at_evaluator(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Completed { .. } | Outcome::Skipped => true,
        Outcome::Failed { class, .. } => matches!(class, FailureClass::EvaluatorFailed),
    }
}

/// Where the journal of a session would be: in its own folder, in that of the session that it judges, or in that of a
/// capacity search.
fn journal_of(reports: &Path, name: &str) -> PathBuf {
    let own = reports.join(name).join(JOURNAL);
    let of_judging = name
        .strip_suffix(&format!("-{JUDGED}"))
        .map(|judged| reports.join(judged).join(JUDGED).join(JOURNAL));
    let searches = std::fs::read_dir(reports).into_iter().flatten().flatten();
    let of_level = |search: DirEntry| search.path().join(LEVELS).join(name).join(JOURNAL);
    std::iter::once(own.clone())
        .chain(of_judging)
        .chain(searches.map(of_level))
        .find(|journal| journal.is_file())
        .unwrap_or(own)
}

/// What is known of a session whose folder would be in `reports`.
pub(crate) fn liveness(reports: &Path, session: &SessionId) -> SessionLiveness {
    // The name comes from a server, and must not lead out of the folder.
    let mut parts = Path::new(session.as_str()).components();
    let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) else {
        return SessionLiveness::Unknown;
    };
    let journal = journal_of(reports, session.as_str());
    match lock_state(&journal) {
        Ok(JournalLock::Held) => SessionLiveness::Running,
        Ok(JournalLock::Free) => match read_trail(&journal) {
            Ok(trail) => SessionLiveness::Ended(trail.rooms),
            Err(_) => SessionLiveness::Unknown,
        },
        Ok(JournalLock::Unsupported) | Err(_) => SessionLiveness::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn the_journal_of_a_searchs_session_is_found_in_the_searchs_folder() {
        let reports = tempfile::tempdir().unwrap();
        let (own, level) = (reports.path().join("one"), reports.path().join("far/levels/two"));
        for folder in [&own, &level] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join(JOURNAL), "").unwrap();
        }
        assert_eq!(journal_of(reports.path(), "one"), own.join(JOURNAL));
        assert_eq!(journal_of(reports.path(), "two"), level.join(JOURNAL));
        assert!(!journal_of(reports.path(), "three").exists());
    }

    #[test]
    fn a_judging_session_is_found_in_the_folder_of_the_session_that_it_judges() {
        let reports = tempfile::tempdir().unwrap();
        let judging = reports.path().join("a").join(JUDGED);
        fs::create_dir_all(&judging).unwrap();
        let journal = File::create(judging.join(JOURNAL)).unwrap();
        journal.lock().unwrap();
        let of = |name: &str| liveness(reports.path(), &SessionId::new(name));
        assert!(matches!(of("a-judged"), SessionLiveness::Running));
        assert!(matches!(of("a"), SessionLiveness::Unknown));
        assert!(matches!(of("../a-judged"), SessionLiveness::Unknown));
    }
}
