//! A journal whose process died: held against every other process, read to its last whole line, and
//! written on from there.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::journal_file::{JournalFile, OwnFile};
use super::line::{Chain, read_line};
use super::reader::{JournalError, JournalReader};
use super::writer::Journal;
use rushhour_core::event::Event;

const BUFFER: usize = 256 * 1024;

/// Why a journal cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum OrphanedJournalError {
    /// It cannot be opened for writing.
    #[error("it cannot be opened: {0}")]
    Io(#[from] io::Error),
    /// Another process holds it.
    #[error("another process is writing it: its session is running")]
    Owned,
}

/// A journal that nobody else holds. The lock goes when it does, or with the journal made of it.
#[derive(Debug)]
pub struct OrphanedJournal {
    file: File,
    path: PathBuf,
    end: Option<End>,
}

/// Where its whole lines end.
#[derive(Debug, Clone, Copy)]
struct End {
    chain: Chain,
    /// Bytes that stay.
    length: u64,
    /// Whether the last of the lines that stay lacks its line end.
    unended: bool,
    /// Bytes that go.
    torn: u64,
}

impl OrphanedJournal {
    /// Takes hold of the journal at `path`.
    ///
    /// # Errors
    /// Where it cannot be opened, or another process holds it.
    pub fn hold(path: &Path) -> Result<Self, OrphanedJournalError> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock() {
            // Some network file systems know no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {
                Ok(Self { file, path: path.to_owned(), end: None })
            }
            Err(TryLockError::WouldBlock) => Err(OrphanedJournalError::Owned),
        }
    }

    /// Goes through its events, and gives the length of the half line after them. A last line that lacks
    /// nothing but its line end is whole: what it tells may have been acted upon.
    ///
    /// # Errors
    /// Where a line is not what was written; nothing of it is changed then.
    pub fn read(&mut self, mut each: impl FnMut(&Event)) -> Result<u64, JournalError> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = JournalReader::new(BufReader::with_capacity(BUFFER, &self.file));
        while let Some(event) = reader.next_event()? {
            each(&event);
        }
        let (mut chain, length) = (reader.chain(), reader.position());
        let mut end = End { chain, length, unended: false, torn: 0 };
        if let Some(torn) = reader.torn() {
            end.torn = torn.length;
            let mut tail = Vec::new();
            self.file.seek(SeekFrom::Start(length))?;
            (&self.file).read_to_end(&mut tail)?;
            // A line end that became another byte is one more byte.
            for shorter in 0..=1_usize.min(tail.len()) {
                let line = &tail[..tail.len() - shorter];
                if let Ok(event) = read_line(line, &mut chain) {
                    each(&event);
                    let length = length + line.len() as u64;
                    end = End { chain, length, unended: true, torn: shorter as u64 };
                    break;
                }
            }
        }
        self.end = Some(end);
        Ok(end.torn)
    }

    /// Cuts it to its whole lines, and goes on writing after them.
    ///
    /// # Errors
    /// Where the disk refuses, or it was not read to its end before.
    pub fn go_on(self) -> io::Result<Journal> {
        let end = self.end.ok_or_else(|| io::Error::other("it was not read before"))?;
        let mut file = OwnFile::taken_over(self.file, self.path);
        file.cut(end.length)?;
        let mut length = end.length;
        if end.unended {
            file.append(b"\n")?;
            length += 1;
        }
        file.sync()?;
        Journal::after(file, end.chain, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::event::{EventKind, EventSink};
    use rushhour_core::units::{RunIndex, SessionTime};

    fn event(n: u64) -> Event {
        Event { at: SessionTime(n), kind: EventKind::RoomDeleted { run: RunIndex(n) } }
    }

    fn written(path: &Path, events: u64) -> Vec<u8> {
        let journal = Journal::create(path).unwrap();
        for n in 0..events {
            journal.record(event(n));
        }
        drop(journal);
        std::fs::read(path).unwrap()
    }

    fn read(path: &Path) -> Vec<Event> {
        let bytes = std::fs::read(path).unwrap();
        let (events, torn) = JournalReader::new(&bytes[..]).read_all().unwrap();
        assert_eq!(torn, None, "what was torn was cut off");
        events
    }

    #[test]
    fn wherever_it_was_cut_the_whole_lines_stay_and_are_written_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let bytes = written(&path, 4);
        let ends: Vec<usize> =
            bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at).collect();
        for cut in ends[0] + 1..=bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let mut orphan = OrphanedJournal::hold(&path).unwrap();
            let mut seen = Vec::new();
            let torn = orphan.read(|event| seen.push(event.clone())).unwrap();
            // A line that lacks its end alone is whole.
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(seen.len(), whole, "cut at {cut}");
            let journal = orphan.go_on().unwrap();
            journal.record(event(99));
            drop(journal);
            seen.push(event(99));
            assert_eq!(read(&path), seen, "cut at {cut}");
            assert_eq!(torn > 0, !ends.iter().any(|end| *end == cut || *end + 1 == cut));
        }
    }

    #[test]
    fn a_flipped_bit_is_refused_and_changes_nothing_or_costs_a_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let bytes = written(&path, 3);
        let all: Vec<Event> = (0..3).map(event).collect();
        for byte in 0..bytes.len() {
            for bit in 0..8 {
                let mut broken = bytes.clone();
                broken[byte] ^= 1 << bit;
                std::fs::write(&path, &broken).unwrap();
                let mut orphan = OrphanedJournal::hold(&path).unwrap();
                let mut seen = Vec::new();
                let Err(error) = orphan.read(|event| seen.push(event.clone())) else {
                    assert_eq!(byte + 1, bytes.len(), "the last line end");
                    assert_eq!(seen, all, "byte {byte} bit {bit}");
                    drop(orphan.go_on().unwrap());
                    assert_eq!(read(&path), all);
                    continue;
                };
                assert!(
                    matches!(error, JournalError::Damaged { .. } | JournalError::Foreign(_)),
                    "{error}"
                );
                drop(orphan);
                assert_eq!(std::fs::read(&path).unwrap(), broken, "what is refused is not touched");
            }
        }
    }

    #[test]
    fn it_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let journal = Journal::create(&path).unwrap();
        assert!(matches!(OrphanedJournal::hold(&path), Err(OrphanedJournalError::Owned)));
        drop(journal);
        let orphan = OrphanedJournal::hold(&path).unwrap();
        assert!(matches!(OrphanedJournal::hold(&path), Err(OrphanedJournalError::Owned)));
        drop(orphan);
        OrphanedJournal::hold(&path).unwrap();
    }
}
