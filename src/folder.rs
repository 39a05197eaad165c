//! A session's folder: made anew, never overwritten.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::exit::CliError;
use rushhour_core::units::SessionId;

/// The journal's name in a session's folder.
pub(crate) const JOURNAL: &str = "journal.jsonl";

/// The name of the stand-ins' own log of the truth.
pub(crate) const TRUTH: &str = "sandbox.jsonl";

/// Where a search for capacity tells what it decided.
pub(crate) const SEARCH: &str = "search.jsonl";

/// The folder of a search's sessions, in that of the search.
pub(crate) const LEVELS: &str = "levels";

/// Where a merged session tells what it was made of.
pub(crate) const PARTS: &str = "parts.json";

/// The folder, in a session's own, of the session that judges its runs.
pub(crate) const JUDGED: &str = "judged";

/// Makes the folder of the session that judges the runs of the one in `judged`.
pub(crate) fn make_judging(
    judged: &Path,
    session: &SessionId,
) -> Result<(PathBuf, SessionId), CliError> {
    let path = judged.join(JUDGED);
    match fs::create_dir(&path) {
        Ok(()) => {}
        // One that was begun has a journal; this one holds nothing that could be lost.
        Err(error)
            if error.kind() == io::ErrorKind::AlreadyExists && !path.join(JOURNAL).exists() => {}
        Err(error) => {
            return Err(CliError::usage(format!(
                "cannot make the folder {}: {error}",
                path.display()
            )));
        }
    }
    Ok((path, SessionId::new(format!("{session}-{JUDGED}"))))
}

/// Takes back the folder of a session that could not begin; anything in it but the stand-ins' log stays.
pub(crate) fn unmake(folder: &Path) {
    let _ = fs::remove_file(folder.join(TRUTH));
    // Fails where the folder is not empty, which is what is wanted.
    let _ = fs::remove_dir(folder);
}

/// Takes back the folder of a search whose first session could not begin.
pub(crate) fn unmake_search(folder: &Path) {
    let _ = fs::remove_file(folder.join(SEARCH));
    // Both fail where a folder is not empty, which is what is wanted.
    let _ = fs::remove_dir(folder.join(LEVELS));
    let _ = fs::remove_dir(folder);
}

/// Makes the folder of a session that begins at `start`; a second one of the same second gets `-2`.
pub(crate) fn make(
    parent: &Path,
    name: &str,
    start: Timestamp,
) -> Result<(PathBuf, SessionId), CliError> {
    let refused = |path: &Path, error: &io::Error| {
        CliError::usage(format!(
            "cannot make the folder {}: {error}; choose another with --out",
            path.display()
        ))
    };
    fs::create_dir_all(parent).map_err(|error| refused(parent, &error))?;
    let base = format!("{}-{name}", start.strftime("%Y%m%dT%H%M%SZ"));
    for number in 1..1000 {
        let id = if number == 1 { base.clone() } else { format!("{base}-{number}") };
        let path = parent.join(&id);
        match fs::create_dir(&path) {
            Ok(()) => return Ok((path, SessionId::new(id))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(refused(&path, &error)),
        }
    }
    Err(CliError::usage(format!(
        "a thousand sessions named {base} are in {}; choose another folder with --out",
        parent.display()
    )))
}
