//! Reads a session's journal once, event by event.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use tracing::debug;

use crate::bounded_file::open_regular;
use crate::error::CliError;
use crate::print;
use rushhour_core::event::{Event, FORMAT_VERSION};
use rushhour_report::fold::{EndedRuns, Fold, FoldedSession};
use rushhour_report::journal::{JournalError, JournalReader};

const BUFFER: usize = 256 * 1024;

/// Folds a journal, and passes each event to `each` with the runs that it ended.
pub(crate) fn read_session(
    journal: &Path,
    mut each: impl FnMut(&Event, &EndedRuns) -> Result<(), CliError>,
) -> Result<FoldedSession, CliError> {
    let mut fold = Fold::default();
    let invalid = |error| {
        CliError::usage(format!("{} is not a valid journal", journal.display())).caused_by(error)
    };
    read_events(journal, |event| {
        let ended = fold.add(&event).map_err(invalid)?;
        each(&event, &ended)
    })?;
    fold.finish().map_err(invalid)
}

/// Passes each event of a journal to `each`, and prints a note where its last line is incomplete.
pub(crate) fn read_events(
    journal: &Path,
    mut each: impl FnMut(Event) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut reader = open(journal)?;
    while let Some(event) = reader.next_event().map_err(|error| unreadable(journal, error))? {
        each(event)?;
    }
    debug!(journal = %journal.display(), bytes = reader.position(), "read the journal");
    if let Some(torn) = reader.torn_tail() {
        print::stderr(&format!(
            "note: {}: its process died while it wrote the last line; its {} bytes are ignored",
            journal.display(),
            torn.length
        ));
    }
    Ok(())
}

/// Opens a journal for reading.
pub(crate) fn open(journal: &Path) -> Result<JournalReader<BufReader<File>>, CliError> {
    let file = open_regular(journal).map_err(|error| unreadable(journal, error.into()))?;
    Ok(JournalReader::new(BufReader::with_capacity(BUFFER, file)))
}

/// The error for a journal that cannot be read.
pub(crate) fn unreadable(journal: &Path, error: JournalError) -> CliError {
    let shown = journal.display();
    match error {
        JournalError::Io(error) => {
            CliError::usage(format!("cannot read the journal {shown}")).caused_by(error)
        }
        JournalError::NewerFormat { found } => CliError::usage(format!(
            "{shown} has journal format {found}, and this version of Rushhour reads formats up to {FORMAT_VERSION}"
        ))
        .with_hint("use the version of Rushhour that wrote it, or a newer one"),
        JournalError::NotAJournal(_) | JournalError::NoSession => {
            CliError::usage(format!("{shown} is not a journal of Rushhour")).caused_by(error)
        }
        JournalError::Damaged { .. } => {
            CliError::usage(format!("the journal {shown} is damaged")).caused_by(error).with_hint(
                "restore it from a backup: what follows a damaged line cannot be trusted",
            )
        }
    }
}
