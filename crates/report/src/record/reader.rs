//! Reading a journal back: event by event, whole or refused with the place.

use std::io::{self, BufRead};

use super::line::{Chain, read_line};
use rushhour_core::event::{Event, EventKind, FORMAT_VERSION};

/// What the first line of every journal begins with, of whatever format; the format's number follows.
const OPENED: &str = "{\"t\":0,\"e\":{\"opened\":{\"format\":";

/// A journal that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file could not be read.
    #[error("the journal cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The first line is no journal's.
    #[error("this is not a journal of Rushhour: {0}")]
    Foreign(String),
    /// It was written by a newer version.
    #[error(
        "the journal is of format {found}, and this version of Rushhour reads up to {FORMAT_VERSION}; use a newer one"
    )]
    Newer {
        /// The format it is of.
        found: u32,
    },
    /// A line in it is not what was written.
    #[error("line {line} of the journal, at byte {byte}, is damaged: {why}")]
    Damaged {
        /// Which line, from 1.
        line: u64,
        /// Where it begins.
        byte: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// The end of a journal whose writer died in the middle of a line: the part that is no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TornTail {
    /// Where it begins: the length to which the file can be cut.
    pub byte: u64,
    /// How long it is.
    pub length: u64,
}

/// Reads a journal's events in order.
pub struct JournalReader<R> {
    source: R,
    chain: Chain,
    line: u64,
    byte: u64,
    buffer: Vec<u8>,
    torn: Option<TornTail>,
}

impl<R: BufRead> JournalReader<R> {
    /// A reader at the journal's beginning.
    pub const fn new(source: R) -> Self {
        Self { source, chain: Chain::START, line: 0, byte: 0, buffer: Vec::new(), torn: None }
    }

    /// The next event; none at the end, which may be a torn line, to be asked for with [`Self::torn`].
    ///
    /// # Errors
    /// Where a line is not what was written; nothing after it can be trusted.
    pub fn next_event(&mut self) -> Result<Option<Event>, JournalError> {
        self.buffer.clear();
        let length = self.source.read_until(b'\n', &mut self.buffer)? as u64;
        if length == 0 {
            return Ok(None);
        }
        self.line += 1;
        if self.buffer.last() != Some(&b'\n') {
            if self.line == 1 {
                return Err(JournalError::Foreign("its first line has no end".to_owned()));
            }
            self.torn = Some(TornTail { byte: self.byte, length });
            return Ok(None);
        }
        self.buffer.pop();
        let byte = self.byte;
        self.byte += length;
        match read_line(&self.buffer, &mut self.chain) {
            Ok(event) => match event.kind {
                // What a newer version added could be missed in silence, although every line can be read.
                EventKind::Opened(header) if header.format > FORMAT_VERSION => {
                    Err(JournalError::Newer { found: header.format })
                }
                kind => Ok(Some(Event { kind, ..event })),
            },
            Err(why) if self.line == 1 => Err(refuse_first(&self.buffer, why)),
            Err(why) => Err(JournalError::Damaged { line: self.line, byte, why }),
        }
    }

    /// What follows the last whole line, once the end was reached.
    pub const fn torn(&self) -> Option<TornTail> {
        self.torn
    }

    /// The bytes of the whole lines read so far.
    pub const fn position(&self) -> u64 {
        self.byte
    }

    /// The checksum that the next line is chained to.
    pub(super) const fn chain(&self) -> Chain {
        self.chain
    }

    /// All events at once, for small journals, and what follows the last whole line.
    ///
    /// # Errors
    /// As [`Self::next_event`].
    pub fn read_all(mut self) -> Result<(Vec<Event>, Option<TornTail>), JournalError> {
        let mut events = Vec::new();
        while let Some(event) = self.next_event()? {
            events.push(event);
        }
        Ok((events, self.torn))
    }
}

/// Says what a first line is that cannot be read: a newer journal's, one of ours that was damaged, or
/// nothing of ours.
fn refuse_first(line: &[u8], why: String) -> JournalError {
    let text = String::from_utf8_lossy(line);
    let format = text
        .strip_prefix(OPENED)
        .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next())
        .and_then(|digits| digits.parse::<u32>().ok());
    match format {
        Some(found) if found > FORMAT_VERSION => JournalError::Newer { found },
        Some(_) => JournalError::Damaged { line: 1, byte: 0, why },
        None => JournalError::Foreign(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::line::write_line;
    use rushhour_core::units::{RunIndex, SessionTime};

    fn journal(lines: u64) -> Vec<u8> {
        let mut chain = Chain::START;
        let mut bytes = Vec::new();
        for n in 0..lines {
            let happening = EventKind::RoomDeleted { run: RunIndex(n) };
            write_line(&Event { at: SessionTime(n), kind: happening }, &mut chain, &mut bytes)
                .unwrap();
        }
        bytes
    }

    #[test]
    fn a_torn_end_is_told_and_everything_before_it_read() {
        let bytes = journal(3);
        let ends: Vec<usize> =
            bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
        for cut in ends[0]..=bytes.len() {
            let (events, torn) = JournalReader::new(&bytes[..cut]).read_all().unwrap();
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(events.len(), whole, "cut at {cut}");
            let rest = cut - ends[whole - 1];
            assert_eq!(torn.map_or(0, |torn| torn.length), rest as u64, "cut at {cut}");
            assert_eq!(torn.map(|torn| torn.byte), (rest > 0).then(|| ends[whole - 1] as u64));
        }
    }

    #[test]
    fn damage_is_refused_with_its_place() {
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
    fn foreign_files_and_newer_journals_are_told_apart() {
        let read = |text: &str| JournalReader::new(text.as_bytes()).read_all().unwrap_err();
        assert!(matches!(read("a,b,c\n1,2,3\n"), JournalError::Foreign(_)));
        assert!(matches!(read("\0\0\0"), JournalError::Foreign(_)));
        assert!(matches!(
            read("{\"t\":0,\"e\":{\"opened\":{\"format\":9}},\"c\":\"00000000\"}\n"),
            JournalError::Newer { found: 9 }
        ));
        assert!(JournalReader::new(&b""[..]).read_all().unwrap().0.is_empty());
    }
}
