//! `history.jsonl` in the folder of reports: a line for each soak, never changed, only added to.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::exit::CliError;
use rushhour_report::soak::{History, NightlyRun};

/// The history's name in a folder of reports.
const HISTORY: &str = "history.jsonl";
/// A history longer than this is none of ours: a line is some 2 kB, and there is one a night.
const LARGEST: u64 = 256 * 1024 * 1024;

/// The history of a folder of reports.
pub(crate) fn path_in(reports: &Path) -> PathBuf {
    reports.join(HISTORY)
}

/// Reads the history of a folder of reports; one without nights where there is none yet.
pub(crate) fn read(reports: &Path) -> Result<History, CliError> {
    let path = path_in(reports);
    let mut bytes = Vec::new();
    let file = match OpenOptions::new().read(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(History::default()),
        Err(error) => return Err(cannot("read", &path, &error)),
    };
    file.take(LARGEST).read_to_end(&mut bytes).map_err(|error| cannot("read", &path, &error))?;
    Ok(History::read(&String::from_utf8_lossy(&bytes)))
}

/// Adds a night, unless the history says the same of its session already.
pub(crate) fn keep(reports: &Path, night: &NightlyRun, history: &History) -> Result<(), CliError> {
    if history.of_session(&night.session) == Some(night) {
        return Ok(());
    }
    let path = path_in(reports);
    let line = night.to_line().map_err(CliError::internal)?;
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).mode(0o600).open(&path)?;
        let begin = if is_torn(&mut file)? { "\n" } else { "" };
        // In one piece, so that two soaks that end at once do not write into each other's line.
        file.write_all(format!("{begin}{line}").as_bytes())?;
        file.sync_data()
    };
    write().map_err(|error| cannot("write", &path, &error))
}

/// Whether the last line has no end, because its writer died.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> CliError {
    CliError::usage(format!("cannot {what} the history {}: {error}", path.display()))
}
