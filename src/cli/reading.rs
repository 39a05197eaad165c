//! Going through a session's journal once, event by event.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::exit::Trouble;
use super::print;
use crate::event::Event;
use crate::record::{Fold, Folded, JournalReader, Told};

/// Folds a journal, handing each event and what it told of outcomes to `each`.
pub(super) fn read_session(
    journal: &Path,
    mut each: impl FnMut(&Event, &Told) -> Result<(), Trouble>,
) -> Result<Folded, Trouble> {
    let file = File::open(journal)
        .map_err(|error| Trouble::usage(format!("cannot read {}: {error}", journal.display())))?;
    let mut reader = JournalReader::new(BufReader::with_capacity(256 * 1024, file));
    let named =
        |error: &dyn std::fmt::Display| Trouble::usage(format!("{}: {error}", journal.display()));
    let mut fold = Fold::default();
    while let Some(event) = reader.next_event().map_err(|error| named(&error))? {
        let told = fold.add(&event).map_err(|error| named(&error))?;
        each(&event, &told)?;
    }
    if let Some(torn) = reader.torn() {
        print::err(&format!(
            "note: {}: the last {} bytes are half a line, left by a process that died; they are passed over",
            journal.display(),
            torn.length
        ));
    }
    fold.finish().map_err(|error| named(&error))
}
