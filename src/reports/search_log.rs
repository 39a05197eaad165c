//! `search.jsonl`, the log of a capacity search: written line by line, and read again for reports.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::bounded_file::read_bounded;
use crate::error::CliError;
use crate::profile_files::stays_below;
use crate::session::folder::SEARCH_LOG;
use rushhour_report::capacity::{LOG_VERSION, LogLine, LogOpening, LogTrial, SearchEnd};

/// A search log that is being written.
pub(crate) struct SearchLog {
    file: File,
    path: PathBuf,
}

impl SearchLog {
    pub(crate) fn create(folder: &Path, opening: LogOpening) -> Result<Self, CliError> {
        let path = folder.join(SEARCH_LOG);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|error| cannot_write(&path, error))?;
        // Says that the search runs; some network file systems have no locks.
        let _ = file.try_lock();
        let mut log = Self { file, path };
        log.write(&LogLine::Search(Box::new(opening)))?;
        Ok(log)
    }

    pub(crate) fn write(&mut self, line: &LogLine) -> Result<(), CliError> {
        let text = line.to_line().map_err(CliError::from_internal)?;
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|error| cannot_write(&self.path, error))
    }
}

fn cannot_write(path: &Path, error: io::Error) -> CliError {
    CliError::usage(format!("cannot write {}", path.display()))
        .caused_by(error)
        .with_hint("make room, or choose another folder with --out")
}

/// Whether a process runs the search in `folder`.
pub(crate) fn is_running(folder: &Path) -> bool {
    let is_locked = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    let has_ended = || read(folder).is_ok_and(|search| search.end.is_some());
    File::open(folder.join(SEARCH_LOG)).is_ok_and(is_locked) && !has_ended()
}

/// The largest search log: a search has some tens of lines, the first with the profile.
const LARGEST: u64 = 32 * 1024 * 1024;

/// A search log that was read.
pub(crate) struct LoggedSearch {
    pub(crate) opening: LogOpening,
    pub(crate) trials: Vec<LogTrial>,
    /// None where the search's process died.
    pub(crate) end: Option<SearchEnd>,
}

/// Reads the log of the search in `folder`. An incomplete last line, of a process that died, is ignored.
pub(crate) fn read(folder: &Path) -> Result<LoggedSearch, CliError> {
    let path = folder.join(SEARCH_LOG);
    let shown = path.display();
    let text = read_bounded(&path, LARGEST)
        .and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other))
        .map_err(|error| CliError::usage(format!("cannot read {shown}")).caused_by(error))?;
    let invalid = |what: &str| CliError::usage(format!("{shown} is not a search log: {what}"));
    let mut lines = text.split_inclusive('\n').enumerate().filter_map(|(number, line)| {
        let complete = line.strip_suffix('\n')?;
        Some(serde_json::from_str(complete).map_err(|error| {
            CliError::usage(format!("cannot read line {} of {shown}", number + 1)).caused_by(error)
        }))
    });
    let opening = match lines.next().transpose()? {
        Some(LogLine::Search(opening)) if opening.format == LOG_VERSION => *opening,
        Some(LogLine::Search(opening)) => {
            return Err(CliError::usage(format!(
                "{shown} has format {}, and this version of Rushhour reads format {LOG_VERSION}",
                opening.format
            ))
            .with_hint("use the version of Rushhour that wrote it, or a newer one"));
        }
        _ => return Err(invalid("it does not begin with a search")),
    };
    let mut search = LoggedSearch { opening, trials: Vec::new(), end: None };
    for line in lines {
        match line? {
            LogLine::Search(_) => return Err(invalid("it contains a second search")),
            // Whoever wrote the log chose the name.
            LogLine::Trial(trial) if !stays_below(Path::new(&trial.folder)) => {
                return Err(invalid("it names a folder outside of its own"));
            }
            LogLine::Trial(trial) => search.trials.push(trial),
            LogLine::Ended(ended) => search.end = Some(ended.ending),
        }
    }
    Ok(search)
}
