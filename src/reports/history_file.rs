//! `history.jsonl` in the folder of reports: a line for each soak, only ever appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::bounded_file::open_regular;
use crate::error::CliError;
use rushhour_report::soak::{History, NightlyRun};

const HISTORY: &str = "history.jsonl";

/// The most bytes that are read: a line is some 2 kB, and there is one a night.
const LARGEST: u64 = 256 * 1024 * 1024;

/// The history of a folder of reports.
pub(crate) fn path_in(reports: &Path) -> PathBuf {
    reports.join(HISTORY)
}

/// Reads the history of a folder of reports; an empty one where there is none yet.
pub(crate) fn read(reports: &Path) -> Result<History, CliError> {
    let path = path_in(reports);
    let cannot_read = |error| {
        CliError::usage(format!("cannot read the history {}", path.display())).caused_by(error)
    };
    let mut bytes = Vec::new();
    let file = match open_regular(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(History::default()),
        Err(error) => return Err(cannot_read(error)),
    };
    file.take(LARGEST).read_to_end(&mut bytes).map_err(cannot_read)?;
    Ok(History::read(&String::from_utf8_lossy(&bytes)))
}

/// Appends a soak, unless the history already has the same result of its session.
pub(crate) fn append(
    reports: &Path,
    night: &NightlyRun,
    history: &History,
) -> Result<(), CliError> {
    if history.of_session(&night.session) == Some(night) {
        return Ok(());
    }
    let path = path_in(reports);
    let line = night.to_line().map_err(CliError::from_internal)?;
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)?;
        let separator = if is_torn(&mut file)? { "\n" } else { "" };
        // In one write, so that two soaks that end at once do not mix their lines.
        file.write_all(format!("{separator}{line}").as_bytes())?;
        file.sync_data()
    };
    write().map_err(|error| {
        CliError::usage(format!("cannot write the history {}", path.display()))
            .caused_by(error)
            .with_hint("make room, and run `rushhour soak` on the session's folder")
    })
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
