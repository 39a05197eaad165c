//! The folder of a session: created anew, never overwritten.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tracing::info;

use crate::error::CliError;
use rushhour_core::units::SessionId;

/// The journal, in a session's folder.
pub(crate) const JOURNAL: &str = "journal.jsonl";

/// The sandbox's log of what truly happened, in a session's folder.
pub(crate) const TRUTH_LOG: &str = "sandbox.jsonl";

/// The log of a capacity search, in the folder of the search.
pub(crate) const SEARCH_LOG: &str = "search.jsonl";

/// The folder with a search's sessions, in the folder of the search.
pub(crate) const LEVELS: &str = "levels";

/// Where each part of a merged session came from.
pub(crate) const PARTS: &str = "parts.json";

/// The folder of the session that judges another one's runs, in the folder of the other.
pub(crate) const JUDGED: &str = "judged";

/// The most sessions of one name that can begin in one second.
const MOST_OF_ONE_SECOND: u32 = 1000;

/// A session's folder, and the name that it gives the session.
pub(crate) struct NewFolder {
    pub(crate) path: PathBuf,
    pub(crate) session: SessionId,
}

/// Creates the folder of a session that begins at `start`. A second one of the same second gets the suffix `-2`.
///
/// # Errors
/// Where a folder cannot be created in `parent`.
pub(crate) fn create(parent: &Path, name: &str, start: Timestamp) -> Result<NewFolder, CliError> {
    create_folders(parent).map_err(|error| cannot_create(parent, error))?;
    let base = format!("{}-{name}", start.strftime("%Y%m%dT%H%M%SZ"));
    for number in 1..MOST_OF_ONE_SECOND {
        let id = if number == 1 { base.clone() } else { format!("{base}-{number}") };
        let path = parent.join(&id);
        match create_folder(&path) {
            Ok(()) => {
                info!(folder = %path.display(), "created the session's folder");
                return Ok(NewFolder { path, session: SessionId::new(id) });
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot_create(&path, error)),
        }
    }
    let parent = parent.display();
    Err(CliError::usage(format!("{parent} already has a thousand sessions named {base}"))
        .with_hint("choose another folder with --out"))
}

/// Creates the folder of the session that judges the runs of the session in `judged`.
///
/// # Errors
/// Where it cannot be created, or a judging session has begun there before.
pub(crate) fn create_judging(judged: &Path, session: &SessionId) -> Result<NewFolder, CliError> {
    let path = judged.join(JUDGED);
    match create_folder(&path) {
        Ok(()) => {}
        // A session that began has a journal; a folder without one has nothing to lose. A link would lead out of it.
        Err(error)
            if error.kind() == io::ErrorKind::AlreadyExists
                && fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir())
                && !path.join(JOURNAL).exists() => {}
        Err(error) => {
            return Err(CliError::usage(format!("cannot create the folder {}", path.display()))
                .caused_by(error));
        }
    }
    info!(folder = %path.display(), "created the judging session's folder");
    Ok(NewFolder { path, session: SessionId::new(format!("{session}-{JUDGED}")) })
}

/// Creates a folder that only its owner can enter.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Creates a folder, and those above it that are missing, that only their owner can enter.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes the folder of a session that could not begin. Only the sandbox's log is removed with it.
pub(crate) fn remove_unused(folder: &Path) {
    let _ = fs::remove_file(folder.join(TRUTH_LOG));
    // Fails on purpose where the folder is not empty.
    let _ = fs::remove_dir(folder);
}

/// Removes the folder of a search whose first session could not begin.
pub(crate) fn remove_unused_search(folder: &Path) {
    let _ = fs::remove_file(folder.join(SEARCH_LOG));
    // Both fail on purpose where a folder is not empty.
    let _ = fs::remove_dir(folder.join(LEVELS));
    let _ = fs::remove_dir(folder);
}

fn cannot_create(path: &Path, error: io::Error) -> CliError {
    CliError::usage(format!("cannot create the folder {}", path.display()))
        .caused_by(error)
        .with_hint("choose another with --out")
}
