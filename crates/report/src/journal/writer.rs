//! The journal's writer: a thread that appends events and makes them durable, with one sync for all who wait.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::journal_file::{JournalFile, LockedFile};
use super::line::{ChainedChecksum, write_line};
use rushhour_core::event::{Event, EventSink, EventSinkError};

/// The most events that may wait to be written. With more, the disk counts as dead.
const MAX_QUEUED: usize = 1_000_000;
/// How often events that nobody waits for become durable, and how often a failed write is retried.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

type FlushResult = Result<(), EventSinkError>;

enum Message {
    Event(Box<Event>),
    Flush(oneshot::Sender<FlushResult>),
}

/// An append-only journal. Dropping it writes everything that is queued and ends its thread.
pub struct Journal {
    messages: Mutex<Option<Sender<Message>>>,
    queued: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// Creates a journal in a file that must not exist, and locks it against other processes.
    ///
    /// # Errors
    /// Where the file exists or cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        Self::new(LockedFile::create(path)?)
    }

    /// Starts a journal in an empty file.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn new(file: impl JournalFile) -> io::Result<Self> {
        Self::resume_at(file, ChainedChecksum::START, 0)
    }

    /// Continues a journal after `length` bytes of complete lines.
    pub(super) fn resume_at(
        file: impl JournalFile,
        checksum: ChainedChecksum,
        length: u64,
    ) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            file,
            checksum,
            length,
            unwritten: Vec::new(),
            unsynced: false,
            write_error: None,
            sync_error: None,
            queued: Arc::clone(&queued),
        };
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&receiver))?;
        Ok(Self { messages: Mutex::new(Some(sender)), queued, thread: Some(thread) })
    }

    fn send(&self, message: Message) {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = messages.as_ref() {
            // The thread lives as long as the sender does.
            let _ = sender.send(message);
        }
    }
}

impl EventSink for Journal {
    fn record(&self, event: Event) {
        self.queued.fetch_add(1, Ordering::Relaxed);
        self.send(Message::Event(Box::new(event)));
    }

    fn flush(&self) -> Pin<Box<dyn Future<Output = FlushResult> + Send + '_>> {
        let (sender, receiver) = oneshot::channel();
        let behind = self.queued.load(Ordering::Relaxed) > MAX_QUEUED;
        self.send(Message::Flush(sender));
        Box::pin(async move {
            if behind {
                return Err(EventSinkError::TooSlow);
            }
            receiver.await.unwrap_or(Err(EventSinkError::Closed))
        })
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.take() {
            // Everybody who waited for a flush has already learned of a panic of the writer.
            let _ = thread.join();
        }
    }
}

/// The state of the writing thread.
struct Writer<F> {
    file: F,
    checksum: ChainedChecksum,
    /// Bytes of completely written lines.
    length: u64,
    /// Lines that are not written yet. They stay while the disk refuses, so that nothing is lost if it recovers.
    unwritten: Vec<u8>,
    /// Whether anything written is not durable yet.
    unsynced: bool,
    /// Why `unwritten` could not be written.
    write_error: Option<EventSinkError>,
    /// Why written lines may not be durable. Stays until a flush has reported it: later writes do not repair it.
    sync_error: Option<EventSinkError>,
    queued: Arc<AtomicUsize>,
}

impl<F: JournalFile> Writer<F> {
    fn run(mut self, messages: &Receiver<Message>) {
        let mut flushes = Vec::new();
        loop {
            match messages.recv_timeout(FLUSH_INTERVAL) {
                Ok(message) => {
                    self.handle(message, &mut flushes);
                    // One write and one sync serve everybody who waits by now.
                    while let Ok(message) = messages.try_recv() {
                        self.handle(message, &mut flushes);
                    }
                    self.write();
                    if !flushes.is_empty() {
                        self.sync();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.write();
                    self.sync();
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.write();
                    self.sync();
                    return;
                }
            }
            if flushes.is_empty() {
                continue;
            }
            let error = self.sync_error.take().or_else(|| self.write_error.clone());
            for flush in flushes.drain(..) {
                // Nobody may be waiting any more.
                let _ = flush.send(error.clone().map_or(Ok(()), Err));
            }
        }
    }

    fn handle(&mut self, message: Message, flushes: &mut Vec<oneshot::Sender<FlushResult>>) {
        match message {
            Message::Event(event) => {
                self.queued.fetch_sub(1, Ordering::Relaxed);
                let before = self.unwritten.len();
                if let Err(error) = write_line(&event, &mut self.checksum, &mut self.unwritten) {
                    self.unwritten.truncate(before);
                    self.write_error = Some(EventSinkError::Encode(Arc::new(error)));
                }
            }
            Message::Flush(sender) => flushes.push(sender),
        }
    }

    fn write(&mut self) {
        if self.unwritten.is_empty() {
            return;
        }
        match self.file.append(&self.unwritten) {
            Ok(()) => {
                self.length += self.unwritten.len() as u64;
                self.unwritten.clear();
                self.unsynced = true;
                self.write_error = None;
            }
            Err(error) => {
                self.write_error = Some(EventSinkError::Write(Arc::new(error)));
                // The next attempt writes the whole line, so an incomplete one must not stay. Where truncating fails
                // too, the reader drops it.
                let _ = self.file.truncate(self.length);
            }
        }
    }

    fn sync(&mut self) {
        if !self.unsynced {
            return;
        }
        match self.file.sync() {
            Ok(()) => self.unsynced = false,
            Err(error) => self.sync_error = Some(EventSinkError::Sync(Arc::new(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalReader;
    use rushhour_core::event::EventKind;
    use rushhour_core::units::{RunIndex, SessionTime};

    /// A disk in memory that can be full.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<DiskState>>);

    #[derive(Default)]
    struct DiskState {
        bytes: Vec<u8>,
        durable: usize,
        syncs: usize,
        full_at: Option<usize>,
        fails_to_sync: bool,
    }

    impl JournalFile for Disk {
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            let mut state = self.0.lock().unwrap();
            let free = state.full_at.map_or(bytes.len(), |full| full - state.bytes.len());
            let fits = bytes.len().min(free);
            state.bytes.extend_from_slice(&bytes[..fits]);
            if fits < bytes.len() {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            let mut state = self.0.lock().unwrap();
            if std::mem::take(&mut state.fails_to_sync) {
                return Err(io::Error::other("the disk lost it"));
            }
            state.durable = state.bytes.len();
            state.syncs += 1;
            Ok(())
        }

        fn truncate(&mut self, length: u64) -> io::Result<()> {
            self.0.lock().unwrap().bytes.truncate(usize::try_from(length).unwrap());
            Ok(())
        }
    }

    fn event(n: u64) -> Event {
        Event { at: SessionTime(n), kind: EventKind::RoomDeleted { run: RunIndex(n) } }
    }

    #[tokio::test]
    async fn flushed_events_are_durable_and_in_order() {
        let disk = Disk::default();
        let journal = Journal::new(disk.clone()).unwrap();
        for n in 0..100 {
            journal.record(event(n));
        }
        journal.flush().await.unwrap();
        let state = disk.0.lock().unwrap();
        assert_eq!(state.durable, state.bytes.len());
        let (read, torn) = JournalReader::new(&state.bytes[..]).read_all().unwrap();
        assert_eq!(read, (0..100).map(event).collect::<Vec<_>>());
        assert!(torn.is_none());
    }

    #[tokio::test]
    async fn concurrent_flushes_share_a_sync() {
        let disk = Disk::default();
        let journal = Journal::new(disk.clone()).unwrap();
        let waits: Vec<_> = (0..500)
            .map(|n| {
                journal.record(event(n));
                journal.flush()
            })
            .collect();
        for wait in waits {
            wait.await.unwrap();
        }
        assert!(disk.0.lock().unwrap().syncs < 500);
    }

    #[tokio::test]
    async fn a_full_disk_is_reported_and_nothing_is_lost_when_it_recovers() {
        let disk = Disk::default();
        // Not one line fits, however the writer batches them.
        disk.0.lock().unwrap().full_at = Some(10);
        let journal = Journal::new(disk.clone()).unwrap();
        for n in 0..10 {
            journal.record(event(n));
        }
        let error = journal.flush().await.unwrap_err();
        assert!(error.to_string().starts_with("the journal cannot be written"), "{error}");
        assert_eq!(disk.0.lock().unwrap().bytes, b"", "no incomplete line stays");
        disk.0.lock().unwrap().full_at = None;
        journal.record(event(10));
        journal.flush().await.unwrap();
        let bytes = disk.0.lock().unwrap().bytes.clone();
        let (read, _) = JournalReader::new(&bytes[..]).read_all().unwrap();
        assert_eq!(read, (0..=10).map(event).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_failed_sync_is_reported_once_even_if_later_writes_succeed() {
        let disk = Disk::default();
        disk.0.lock().unwrap().fails_to_sync = true;
        let journal = Journal::new(disk.clone()).unwrap();
        journal.record(event(0));
        // The sync fails while nobody waits.
        while disk.0.lock().unwrap().fails_to_sync {
            tokio::task::yield_now().await;
        }
        journal.record(event(1));
        let error = journal.flush().await.unwrap_err();
        assert!(error.to_string().contains("the disk lost it"), "{error}");
        journal.flush().await.unwrap();
    }

    #[test]
    fn dropping_the_journal_writes_what_is_queued() {
        let disk = Disk::default();
        let journal = Journal::new(disk.clone()).unwrap();
        journal.record(event(1));
        drop(journal);
        let state = disk.0.lock().unwrap();
        assert!(!state.bytes.is_empty() && state.durable == state.bytes.len());
    }

    #[test]
    fn an_existing_journal_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let _journal = Journal::create(&path).unwrap();
        let again = Journal::create(&path).err().unwrap();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }
}
