//! A journal whose process died: locked against every other process, read to its last complete line, and continued
//! from there.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::journal_file::{JournalFile, LockedFile};
use super::line::{ChainedChecksum, read_line};
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
    /// Another process has locked it.
    #[error("another process is writing it: its session is running")]
    Locked,
}

/// A journal that this process has locked. Dropping it, or the [`Journal`] that continues it, releases the lock.
#[derive(Debug)]
pub struct OrphanedJournal {
    file: File,
    path: PathBuf,
    end: Option<JournalEnd>,
}

/// Where the complete lines end.
#[derive(Debug, Clone, Copy)]
struct JournalEnd {
    checksum: ChainedChecksum,
    /// Bytes that stay.
    length: u64,
    /// Whether the last line that stays lacks its line break.
    lacks_line_break: bool,
    /// Bytes to remove.
    torn: u64,
}

impl OrphanedJournal {
    /// Locks the journal at `path`.
    ///
    /// # Errors
    /// Where it cannot be opened, or another process has locked it.
    pub fn lock(path: &Path) -> Result<Self, OrphanedJournalError> {
        // A link in a session folder from elsewhere would lead to any file.
        if !fs::symlink_metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a regular file").into());
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock() {
            // Some network file systems have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {
                Ok(Self { file, path: path.to_owned(), end: None })
            }
            Err(TryLockError::WouldBlock) => Err(OrphanedJournalError::Locked),
        }
    }

    /// Passes every event to `each`, and returns the length in bytes of the incomplete line at the end. A last line
    /// that lacks only its line break counts as complete: the process may have acted on its event.
    ///
    /// # Errors
    /// Where a line is not what was written. The file is not changed then.
    pub fn read(&mut self, mut each: impl FnMut(&Event)) -> Result<u64, JournalError> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = JournalReader::new(BufReader::with_capacity(BUFFER, &self.file));
        while let Some(event) = reader.next_event()? {
            each(&event);
        }
        let (mut checksum, length) = (reader.checksum(), reader.position());
        let mut end = JournalEnd { checksum, length, lacks_line_break: false, torn: 0 };
        if let Some(torn) = reader.torn_tail() {
            end.torn = torn.length;
            let mut tail = Vec::new();
            self.file.seek(SeekFrom::Start(length))?;
            (&self.file).read_to_end(&mut tail)?;
            // A line break that became another byte is one byte too many.
            for excess in 0..=1_usize.min(tail.len()) {
                let line = &tail[..tail.len() - excess];
                if let Ok(event) = read_line(line, &mut checksum) {
                    each(&event);
                    let length = length + line.len() as u64;
                    end = JournalEnd {
                        checksum,
                        length,
                        lacks_line_break: true,
                        torn: excess as u64,
                    };
                    break;
                }
            }
        }
        self.end = Some(end);
        Ok(end.torn)
    }

    /// Truncates the journal to its complete lines, and continues it.
    ///
    /// # Errors
    /// Where the disk refuses, or [`Self::read`] has not read the journal to its end.
    pub fn resume(self) -> io::Result<Journal> {
        let end = self.end.ok_or_else(|| io::Error::other("the journal was not read before"))?;
        let mut file = LockedFile::from_locked(self.file, self.path);
        file.truncate(end.length)?;
        let mut length = end.length;
        if end.lacks_line_break {
            file.append(b"\n")?;
            length += 1;
        }
        file.sync()?;
        Journal::resume_at(file, end.checksum, length)
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
        assert_eq!(torn, None, "the incomplete line was removed");
        events
    }

    #[test]
    fn wherever_the_journal_was_cut_its_complete_lines_stay_and_are_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let bytes = written(&path, 4);
        let ends: Vec<usize> =
            bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at).collect();
        for cut in ends[0] + 1..=bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let mut orphan = OrphanedJournal::lock(&path).unwrap();
            let mut seen = Vec::new();
            let torn = orphan.read(|event| seen.push(event.clone())).unwrap();
            // A line that lacks only its line break is complete.
            let complete = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(seen.len(), complete, "cut at {cut}");
            let journal = orphan.resume().unwrap();
            journal.record(event(99));
            drop(journal);
            seen.push(event(99));
            assert_eq!(read(&path), seen, "cut at {cut}");
            assert_eq!(torn > 0, !ends.iter().any(|end| *end == cut || *end + 1 == cut));
        }
    }

    #[test]
    fn a_flipped_bit_is_an_error_and_changes_nothing_unless_it_hit_the_last_line_break() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let bytes = written(&path, 3);
        let all: Vec<Event> = (0..3).map(event).collect();
        for byte in 0..bytes.len() {
            for bit in 0..8 {
                let mut broken = bytes.clone();
                broken[byte] ^= 1 << bit;
                std::fs::write(&path, &broken).unwrap();
                let mut orphan = OrphanedJournal::lock(&path).unwrap();
                let mut seen = Vec::new();
                let Err(error) = orphan.read(|event| seen.push(event.clone())) else {
                    assert_eq!(byte + 1, bytes.len(), "the last line break");
                    assert_eq!(seen, all, "byte {byte} bit {bit}");
                    drop(orphan.resume().unwrap());
                    assert_eq!(read(&path), all);
                    continue;
                };
                assert!(
                    matches!(error, JournalError::Damaged { .. } | JournalError::NotAJournal(_)),
                    "{error}"
                );
                drop(orphan);
                assert_eq!(
                    std::fs::read(&path).unwrap(),
                    broken,
                    "a damaged journal is not touched"
                );
            }
        }
    }

    #[test]
    fn a_link_is_not_a_journal() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, link) = (folder.path().join("a.jsonl"), folder.path().join("journal.jsonl"));
        written(&journal, 1);
        std::os::unix::fs::symlink(&journal, &link).unwrap();
        assert!(matches!(OrphanedJournal::lock(&link), Err(OrphanedJournalError::Io(_))));
    }

    #[test]
    fn only_one_process_can_lock_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let journal = Journal::create(&path).unwrap();
        assert!(matches!(OrphanedJournal::lock(&path), Err(OrphanedJournalError::Locked)));
        drop(journal);
        let orphan = OrphanedJournal::lock(&path).unwrap();
        assert!(matches!(OrphanedJournal::lock(&path), Err(OrphanedJournalError::Locked)));
        drop(orphan);
        OrphanedJournal::lock(&path).unwrap();
    }
}
