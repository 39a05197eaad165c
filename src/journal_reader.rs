//! Going through a session's journal once, event by event.

use std::fmt::Display;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::exit::CliError;
use crate::print;
use rushhour_core::event::Event;
use rushhour_report::fold::{EndedRuns, Fold, FoldedSession};
use rushhour_report::journal::JournalReader;

/// Folds a journal, handing each event and what it told of outcomes to `each`.
pub(crate) fn read_session(
    journal: &Path,
    mut each: impl FnMut(&Event, &EndedRuns) -> Result<(), CliError>,
) -> Result<FoldedSession, CliError> {
    let mut fold = Fold::default();
    read_events(journal, |event| {
        let told = fold.add(&event).map_err(|error| named(journal, &error))?;
        each(&event, &told)
    })?;
    fold.finish().map_err(|error| named(journal, &error))
}

/// Goes through a journal's events, and tells of a torn end.
pub(crate) fn read_events(
    journal: &Path,
    mut each: impl FnMut(Event) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut reader = open(journal)?;
    while let Some(event) = reader.next_event().map_err(|error| named(journal, &error))? {
        each(event)?;
    }
    if let Some(torn) = reader.torn_tail() {
        print::err(&format!(
            "note: {}: the last {} bytes are half a line, left by a process that died; they are passed over",
            journal.display(),
            torn.length
        ));
    }
    Ok(())
}

/// A journal to be read.
pub(crate) fn open(journal: &Path) -> Result<JournalReader<BufReader<File>>, CliError> {
    let file = File::open(journal)
        .map_err(|error| CliError::usage(format!("cannot read {}: {error}", journal.display())))?;
    Ok(JournalReader::new(BufReader::with_capacity(256 * 1024, file)))
}

/// What is wrong with a journal, with its name.
pub(crate) fn named(journal: &Path, error: &dyn Display) -> CliError {
    CliError::usage(format!("{}: {error}", journal.display()))
}
