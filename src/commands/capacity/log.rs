//! `search.jsonl` on the disk: written line by line, and read once more.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::exit::CliError;
use crate::folder::SEARCH;
use rushhour_report::capacity::{LOG_VERSION, LogLine, LogOpening, LogTrial, SearchEnd};

/// What was decided, being written.
pub(crate) struct SearchLog {
    file: File,
    path: PathBuf,
}

impl SearchLog {
    pub(crate) fn create(folder: &Path, opening: LogOpening) -> Result<Self, CliError> {
        let path = folder.join(SEARCH);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|error| cannot_write(&path, &error))?;
        let mut log = Self { file, path };
        log.write(&LogLine::Search(Box::new(opening)))?;
        Ok(log)
    }

    pub(crate) fn write(&mut self, line: &LogLine) -> Result<(), CliError> {
        let text = line.to_line().map_err(CliError::internal)?;
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|error| cannot_write(&self.path, &error))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CliError {
    CliError::usage(format!(
        "cannot write {}: {error}; make room, or choose another --out",
        path.display()
    ))
}

/// What was decided, read once more.
pub(crate) struct ReadLog {
    pub(crate) opening: LogOpening,
    pub(crate) held: Vec<LogTrial>,
    /// None where the search's process died.
    pub(crate) ending: Option<SearchEnd>,
}

pub(crate) fn read(folder: &Path) -> Result<ReadLog, CliError> {
    let path = folder.join(SEARCH);
    let unfit = |words: String| CliError::usage(format!("cannot read {}: {words}", path.display()));
    let text = fs::read_to_string(&path).map_err(|error| unfit(error.to_string()))?;
    let mut lines = text.split_inclusive('\n').enumerate().filter_map(|(number, line)| {
        // Half a line was left by a process that died.
        let whole = line.strip_suffix('\n')?;
        Some(
            serde_json::from_str(whole)
                .map_err(|error| unfit(format!("line {}: {error}", number + 1))),
        )
    });
    let opening = match lines.next().transpose()? {
        Some(LogLine::Search(opening)) if opening.format == LOG_VERSION => *opening,
        Some(LogLine::Search(opening)) => {
            return Err(unfit(format!(
                "it is of version {}, which this Rushhour does not know",
                opening.format
            )));
        }
        _ => return Err(unfit("it does not begin with a search".to_owned())),
    };
    let mut read = ReadLog { opening, held: Vec::new(), ending: None };
    for line in lines {
        match line? {
            LogLine::Search(_) => return Err(unfit("it holds a second search".to_owned())),
            LogLine::Trial(held) => read.held.push(held),
            LogLine::Ended(ended) => read.ending = Some(ended.ending),
        }
    }
    Ok(read)
}
