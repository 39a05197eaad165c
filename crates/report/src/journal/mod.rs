//! The journal of a session: the append-only file of its events, from which everything else is computed.
//!
//! `writer` appends events and makes them durable; `line` is the format of one, with the checksum that chains it to the
//! lines before; `journal_file` is the locked file underneath. `reader` reads a journal back, and `orphaned_journal`
//! takes over one whose process died.

mod journal_file;
mod line;
mod orphaned_journal;
mod reader;
mod writer;

pub use journal_file::JournalFile;
pub use line::LineError;
pub use orphaned_journal::{OrphanedJournal, OrphanedJournalError};
pub use reader::{JournalError, JournalReader, TornTail};
pub use writer::Journal;
