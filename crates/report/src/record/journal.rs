//! The journal's writer: a thread that appends events, and makes them durable for all who wait, together.

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

use super::journal_file::{JournalFile, OwnFile};
use super::line::{Chain, write_line};
use rushhour_core::event::{Event, EventSink, EventSinkError};

/// Events that wait to be written at the most; more, and the disk is taken for dead.
const MOST_WAITING: usize = 1_000_000;
/// What nobody waits for is made durable this often, and what could not be written is tried again.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

enum Message {
    Event(Box<Event>),
    Barrier(oneshot::Sender<Result<(), EventSinkError>>),
}

/// An append-only journal. Its thread ends, having written everything, when it is dropped.
pub struct Journal {
    messages: Mutex<Option<Sender<Message>>>,
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// Makes a new journal in a file that must not exist, and locks it against other processes.
    ///
    /// # Errors
    /// Where the file exists or cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Self::new(OwnFile::create(path)?)
    }

    /// A journal that writes to a file at its beginning.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn new(file: impl JournalFile) -> io::Result<Self> {
        Self::after(file, Chain::START, 0)
    }

    /// A journal that goes on after so many bytes of whole lines.
    pub(super) fn after(file: impl JournalFile, chain: Chain, length: u64) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            file,
            chain,
            length,
            unwritten: Vec::new(),
            dirty: false,
            failure: None,
            not_durable: None,
            waiting: Arc::clone(&waiting),
        };
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&receiver))?;
        Ok(Self { messages: Mutex::new(Some(sender)), waiting, thread: Some(thread) })
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
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.send(Message::Event(Box::new(event)));
    }

    fn flush(&self) -> Pin<Box<dyn Future<Output = Result<(), EventSinkError>> + Send + '_>> {
        let (sender, receiver) = oneshot::channel();
        let behind = self.waiting.load(Ordering::Relaxed) > MOST_WAITING;
        self.send(Message::Barrier(sender));
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
            // A panic of the writer was told to everybody who waited for it.
            let _ = thread.join();
        }
    }
}

/// The thread's own state.
struct Writer<F> {
    file: F,
    chain: Chain,
    /// Bytes that were wholly written.
    length: u64,
    /// Lines that are not written yet; kept while the disk refuses, so that nothing is lost if it recovers.
    unwritten: Vec<u8>,
    /// Whether anything written is not durable yet.
    dirty: bool,
    /// Why what is unwritten could not be written.
    failure: Option<EventSinkError>,
    /// Why what was written may not last; stays until somebody was told, for later writes do not mend it.
    not_durable: Option<EventSinkError>,
    waiting: Arc<AtomicUsize>,
}

impl<F: JournalFile> Writer<F> {
    fn run(mut self, messages: &Receiver<Message>) {
        let mut barriers = Vec::new();
        loop {
            match messages.recv_timeout(FLUSH_EVERY) {
                Ok(message) => {
                    self.take(message, &mut barriers);
                    // Everybody who is waiting by now is served by one write and one sync.
                    while let Ok(message) = messages.try_recv() {
                        self.take(message, &mut barriers);
                    }
                    self.write();
                    if !barriers.is_empty() {
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
            if barriers.is_empty() {
                continue;
            }
            let failure = self.not_durable.take().or_else(|| self.failure.clone());
            for barrier in barriers.drain(..) {
                let answer = failure.clone().map_or(Ok(()), Err);
                // Whoever asked may have gone.
                let _ = barrier.send(answer);
            }
        }
    }

    fn take(
        &mut self,
        message: Message,
        barriers: &mut Vec<oneshot::Sender<Result<(), EventSinkError>>>,
    ) {
        match message {
            Message::Event(event) => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                let before = self.unwritten.len();
                if let Err(error) = write_line(&event, &mut self.chain, &mut self.unwritten) {
                    self.unwritten.truncate(before);
                    self.failure = Some(EventSinkError::Encode(Arc::new(error)));
                }
            }
            Message::Barrier(sender) => barriers.push(sender),
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
                self.dirty = true;
                self.failure = None;
            }
            Err(error) => {
                self.failure = Some(EventSinkError::Write(Arc::new(error)));
                // Half a line must not stay: the next attempt writes it whole. Where even that fails, the
                // reader cuts it.
                let _ = self.file.cut(self.length);
            }
        }
    }

    fn sync(&mut self) {
        if !self.dirty {
            return;
        }
        match self.file.sync() {
            Ok(()) => self.dirty = false,
            Err(error) => self.not_durable = Some(EventSinkError::Sync(Arc::new(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::JournalReader;
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
            let room = state.full_at.map_or(bytes.len(), |full| full - state.bytes.len());
            let fits = bytes.len().min(room);
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

        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.0.lock().unwrap().bytes.truncate(usize::try_from(length).unwrap());
            Ok(())
        }
    }

    fn event(n: u64) -> Event {
        Event { at: SessionTime(n), kind: EventKind::RoomDeleted { run: RunIndex(n) } }
    }

    #[tokio::test]
    async fn what_was_kept_is_durable_and_in_order() {
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
    async fn many_who_wait_share_a_sync() {
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
    async fn a_full_disk_is_told_and_nothing_is_lost_when_it_recovers() {
        let disk = Disk::default();
        // Not one line fits, however the writer comes to share them out.
        disk.0.lock().unwrap().full_at = Some(10);
        let journal = Journal::new(disk.clone()).unwrap();
        for n in 0..10 {
            journal.record(event(n));
        }
        let told = journal.flush().await.unwrap_err();
        assert!(told.to_string().starts_with("the journal cannot be written"), "{told}");
        assert_eq!(disk.0.lock().unwrap().bytes, b"", "no half line stays");
        disk.0.lock().unwrap().full_at = None;
        journal.record(event(10));
        journal.flush().await.unwrap();
        let bytes = disk.0.lock().unwrap().bytes.clone();
        let (read, _) = JournalReader::new(&bytes[..]).read_all().unwrap();
        assert_eq!(read, (0..=10).map(event).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_was_written_and_may_not_last_is_told_once_though_later_writes_succeed() {
        let disk = Disk::default();
        disk.0.lock().unwrap().fails_to_sync = true;
        let journal = Journal::new(disk.clone()).unwrap();
        journal.record(event(0));
        // Nobody waits when it fails.
        while disk.0.lock().unwrap().fails_to_sync {
            tokio::task::yield_now().await;
        }
        journal.record(event(1));
        let told = journal.flush().await.unwrap_err();
        assert!(told.to_string().contains("the disk lost it"), "{told}");
        journal.flush().await.unwrap();
    }

    #[test]
    fn dropping_it_writes_the_rest() {
        let disk = Disk::default();
        let journal = Journal::new(disk.clone()).unwrap();
        journal.record(event(1));
        drop(journal);
        let state = disk.0.lock().unwrap();
        assert!(!state.bytes.is_empty() && state.durable == state.bytes.len());
    }

    #[test]
    fn a_journal_that_exists_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let _journal = Journal::create(&path).unwrap();
        let again = Journal::create(&path).err().unwrap();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }
}
