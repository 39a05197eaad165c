//! What this machine knows of a session: whether a process holds its journal, and what is in it.

use std::collections::{BTreeMap, HashSet};
use std::fs::{DirEntry, File, TryLockError};
use std::io::BufReader;
use std::path::{Component, Path, PathBuf};

use super::decision::SessionLiveness;
use crate::folder::{JOURNAL, JUDGED, LEVELS};
use rushhour_core::event::{EventKind, FailureClass, Outcome, SessionHeader};
use rushhour_core::units::{EvaluatorRunId, RoomName, RunIndex, SessionId};
use rushhour_report::journal::{JournalError, JournalReader};

/// Whether a process holds a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JournalLock {
    /// One does: its session is running.
    Yes,
    /// None does.
    No,
    /// The file system knows no locks.
    Unknown,
}

/// Looks whether a process holds the journal at `path`.
pub(crate) fn held(path: &Path) -> std::io::Result<JournalLock> {
    // A shared lock stands in nobody's way but a writer's, and is gone with the file.
    Ok(match File::open(path)?.try_lock_shared() {
        Ok(()) => JournalLock::No,
        Err(TryLockError::WouldBlock) => JournalLock::Yes,
        Err(TryLockError::Error(_)) => JournalLock::Unknown,
    })
}

/// What a journal says of what its session may have left behind.
pub(crate) struct SessionTrail {
    pub(crate) opening: SessionHeader,
    /// The rooms of all its runs.
    pub(crate) rooms: HashSet<RoomName>,
    /// The evaluator's runs that it did not see end.
    pub(crate) calls: Vec<EvaluatorRunId>,
}

/// Follows a journal to its end.
pub(crate) fn follow(path: &Path) -> Result<SessionTrail, JournalError> {
    let mut reader = JournalReader::new(BufReader::new(File::open(path)?));
    let Some(EventKind::Opened(opening)) = reader.next_event()?.map(|event| event.kind) else {
        return Err(JournalError::NoSession);
    };
    let mut rooms = HashSet::new();
    let mut calls: BTreeMap<RunIndex, EvaluatorRunId> = BTreeMap::new();
    while let Some(event) = reader.next_event()? {
        match event.kind {
            EventKind::RunStarted { room, .. } => {
                rooms.insert(room);
            }
            EventKind::Submitted { accepted: entered, .. } => {
                calls.extend(entered.into_iter().map(|entry| (entry.run, entry.evaluator_run)));
            }
            EventKind::Ended { run, outcome, .. } if ended_there(&outcome) => {
                calls.remove(&run);
            }
            _ => {}
        }
    }
    Ok(SessionTrail { opening: *opening, rooms, calls: calls.into_values().collect() })
}

/// Whether a run with this outcome was seen to end at the evaluator, rather than given up by us.
const fn ended_there(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Completed { .. } | Outcome::Skipped => true,
        Outcome::Failed { class, .. } => matches!(class, FailureClass::EvaluatorFailed),
    }
}

/// Where the journal of a session would be: in its own folder, below the session that it judges, or below
/// a search for capacity.
fn journal_of(reports: &Path, name: &str) -> PathBuf {
    let own = reports.join(name).join(JOURNAL);
    let of_judged = name
        .strip_suffix(&format!("-{JUDGED}"))
        .map(|judged| reports.join(judged).join(JUDGED).join(JOURNAL));
    let searches = std::fs::read_dir(reports).into_iter().flatten().flatten();
    let of_search = |entry: DirEntry| entry.path().join(LEVELS).join(name).join(JOURNAL);
    std::iter::once(own.clone())
        .chain(of_judged)
        .chain(searches.map(of_search))
        .find(|journal| journal.is_file())
        .unwrap_or(own)
}

/// What is known of a session whose folder would be in `reports`.
pub(crate) fn known(reports: &Path, session: &SessionId) -> SessionLiveness {
    // The name comes from a server: it must not lead anywhere else.
    let mut parts = Path::new(session.as_str()).components();
    let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) else {
        return SessionLiveness::Nothing;
    };
    let journal = journal_of(reports, session.as_str());
    match held(&journal) {
        Ok(JournalLock::Yes) => SessionLiveness::Running,
        Ok(JournalLock::No) => match follow(&journal) {
            Ok(trail) => SessionLiveness::Over(trail.rooms),
            Err(_) => SessionLiveness::Nothing,
        },
        Ok(JournalLock::Unknown) | Err(_) => SessionLiveness::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_journal_of_a_searchs_session_is_found_below_it() {
        let reports = tempfile::tempdir().expect("there is room for a folder");
        let (own, level) = (reports.path().join("one"), reports.path().join("far/levels/two"));
        for folder in [&own, &level] {
            fs::create_dir_all(folder).expect("a folder can be made");
            fs::write(folder.join(JOURNAL), "").expect("a file can be written");
        }
        assert_eq!(journal_of(reports.path(), "one"), own.join(JOURNAL));
        assert_eq!(journal_of(reports.path(), "two"), level.join(JOURNAL));
        assert!(!journal_of(reports.path(), "three").exists());
    }

    #[test]
    fn a_session_that_judges_another_is_found_in_the_others_folder() {
        let reports = tempfile::tempdir().unwrap();
        let judging = reports.path().join("a").join(JUDGED);
        fs::create_dir_all(&judging).unwrap();
        let journal = File::create(judging.join(JOURNAL)).unwrap();
        journal.lock().unwrap();
        let session = |name: &str| known(reports.path(), &SessionId::new(name));
        assert!(matches!(session("a-judged"), SessionLiveness::Running));
        assert!(matches!(session("a"), SessionLiveness::Nothing));
        assert!(matches!(session("../a-judged"), SessionLiveness::Nothing));
    }
}
