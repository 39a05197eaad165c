//! Reads a journal back, event by event. A damaged line is an error that says where it is.

use std::io::{self, BufRead, Read};

use super::line::{ChainedChecksum, LineError, read_line};
use rushhour_core::event::{Event, EventKind, FORMAT_VERSION};

/// The longest line that is read, in bytes: the first one, with a profile of many scripts, has some megabytes at most.
const MAX_LINE: u64 = 32 * 1024 * 1024;

/// How the first line of every journal begins, in every format version; the version follows.
const OPENED: &str = "{\"t\":0,\"e\":{\"opened\":{\"format\":";

/// A journal that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read.
    #[error("the journal cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The first line is not that of a journal.
    #[error("this is not a journal of Rushhour: {0}")]
    NotAJournal(#[source] LineError),
    /// The first event does not open a session.
    #[error("this is not a journal of Rushhour: it does not begin with a session")]
    NoSession,
    /// A newer version of Rushhour wrote it.
    #[error(
        "the journal has format {found}, and this version of Rushhour reads up to {FORMAT_VERSION}; use a newer version"
    )]
    NewerFormat {
        /// The journal's format.
        found: u32,
    },
    /// A line is not what was written.
    #[error("line {line} of the journal, at byte {byte}, is damaged: {source}")]
    Damaged {
        /// The line's number, from 1.
        line: u64,
        /// The line's offset in the file.
        byte: u64,
        /// What is wrong with it.
        source: LineError,
    },
}

/// The incomplete last line of a journal whose writer died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TornTail {
    /// Its offset: the length to truncate the file to.
    pub byte: u64,
    /// Its length in bytes.
    pub length: u64,
}

/// Reads a journal's events in order.
pub struct JournalReader<R> {
    source: R,
    checksum: ChainedChecksum,
    line: u64,
    byte: u64,
    buffer: Vec<u8>,
    torn_tail: Option<TornTail>,
}

impl<R: BufRead> JournalReader<R> {
    /// Starts at the beginning of a journal.
    pub const fn new(source: R) -> Self {
        Self {
            source,
            checksum: ChainedChecksum::START,
            line: 0,
            byte: 0,
            buffer: Vec::new(),
            torn_tail: None,
        }
    }

    /// The next event, or none at the end. The journal may end with an incomplete line: see [`Self::torn_tail`].
    ///
    /// # Errors
    /// Where a line is not what was written; nothing after it can be trusted.
    pub fn next_event(&mut self) -> Result<Option<Event>, JournalError> {
        self.buffer.clear();
        // A sparse file may have no line break for gigabytes.
        let mut bounded = (&mut self.source).take(MAX_LINE + 1);
        let length = bounded.read_until(b'\n', &mut self.buffer)? as u64;
        if length > MAX_LINE {
            return Err(JournalError::Io(io::Error::other(format!(
                "line {} is longer than {MAX_LINE} bytes",
                self.line + 1
            ))));
        }
        if length == 0 {
            return Ok(None);
        }
        self.line += 1;
        if self.buffer.last() != Some(&b'\n') {
            if self.line == 1 {
                return Err(JournalError::NotAJournal(LineError::Incomplete));
            }
            self.torn_tail = Some(TornTail { byte: self.byte, length });
            return Ok(None);
        }
        self.buffer.pop();
        let byte = self.byte;
        self.byte += length;
        match read_line(&self.buffer, &mut self.checksum) {
            Ok(event) => match event.kind {
                // Every line may be readable, but what the newer version added would be ignored.
                EventKind::Opened(header) if header.format > FORMAT_VERSION => {
                    Err(JournalError::NewerFormat { found: header.format })
                }
                kind => Ok(Some(Event { kind, ..event })),
            },
            Err(error) if self.line == 1 => Err(first_line_error(&self.buffer, error)),
            Err(source) => Err(JournalError::Damaged { line: self.line, byte, source }),
        }
    }

    /// The incomplete line at the end, once the end was reached.
    pub const fn torn_tail(&self) -> Option<TornTail> {
        self.torn_tail
    }

    /// The length in bytes of the complete lines read so far.
    pub const fn position(&self) -> u64 {
        self.byte
    }

    /// The checksum that the next line is chained to.
    pub(super) const fn checksum(&self) -> ChainedChecksum {
        self.checksum
    }

    /// All events at once, for small journals, and the incomplete line at the end.
    ///
    /// # Errors
    /// As [`Self::next_event`].
    pub fn read_all(mut self) -> Result<(Vec<Event>, Option<TornTail>), JournalError> {
        let mut events = Vec::new();
        while let Some(event) = self.next_event()? {
            events.push(event);
        }
        Ok((events, self.torn_tail))
    }
}

/// Tells a newer journal and a damaged journal from a file that is no journal.
fn first_line_error(line: &[u8], error: LineError) -> JournalError {
    let text = String::from_utf8_lossy(line);
    let format = text
        .strip_prefix(OPENED)
        .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next())
        .and_then(|digits| digits.parse::<u32>().ok());
    match format {
        Some(found) if found > FORMAT_VERSION => JournalError::NewerFormat { found },
        Some(_) => JournalError::Damaged { line: 1, byte: 0, source: error },
        None => JournalError::NotAJournal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::line::write_line;
    use rushhour_core::units::{RunIndex, SessionTime};

    fn journal(lines: u64) -> Vec<u8> {
        let mut checksum = ChainedChecksum::START;
        let mut bytes = Vec::new();
        for n in 0..lines {
            let kind = EventKind::RoomDeleted { run: RunIndex(n) };
            write_line(&Event { at: SessionTime(n), kind }, &mut checksum, &mut bytes).unwrap();
        }
        bytes
    }

    #[test]
    fn an_incomplete_last_line_is_reported_and_everything_before_it_is_read() {
        let bytes = journal(3);
        let ends: Vec<usize> =
            bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
        for cut in ends[0]..=bytes.len() {
            let (events, torn) = JournalReader::new(&bytes[..cut]).read_all().unwrap();
            let complete = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(events.len(), complete, "cut at {cut}");
            let remaining = cut - ends[complete - 1];
            assert_eq!(torn.map_or(0, |torn| torn.length), remaining as u64, "cut at {cut}");
            assert_eq!(
                torn.map(|torn| torn.byte),
                (remaining > 0).then(|| ends[complete - 1] as u64)
            );
        }
    }

    #[test]
    fn damage_is_an_error_that_says_where() {
        let mut bytes = journal(3);
        let second = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
        bytes[second + 5] ^= 1;
        let error = JournalReader::new(&bytes[..]).read_all().unwrap_err();
        assert!(
            matches!(error, JournalError::Damaged { line: 2, byte, .. } if byte == second as u64),
            "{error}"
        );
    }

    #[test]
    fn other_files_and_newer_journals_are_distinguished() {
        let read = |text: &str| JournalReader::new(text.as_bytes()).read_all().unwrap_err();
        assert!(matches!(read("a,b,c\n1,2,3\n"), JournalError::NotAJournal(_)));
        assert!(matches!(read("\0\0\0"), JournalError::NotAJournal(_)));
        assert!(matches!(
            read("{\"t\":0,\"e\":{\"opened\":{\"format\":9}},\"c\":\"00000000\"}\n"),
            JournalError::NewerFormat { found: 9 }
        ));
        assert!(JournalReader::new(&b""[..]).read_all().unwrap().0.is_empty());
    }
}
