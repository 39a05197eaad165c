//! Writes facts to a file on a thread of its own, so that no session waits for the disk.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use serde::Serialize;

use super::fact::AgentFact;
use rushhour_core::units::SessionTime;

/// How many facts may wait to be written; further ones are dropped and counted.
const BUFFER: usize = 65_536;

type TimedFact = (SessionTime, AgentFact);

/// Records facts. Cheap to clone; recording never blocks.
#[derive(Debug, Clone, Default)]
pub(crate) struct TruthSink(Option<FactSender>);

#[derive(Debug, Clone)]
struct FactSender {
    sender: SyncSender<TimedFact>,
    lost: Arc<AtomicU64>,
}

impl TruthSink {
    /// A sink that discards all facts.
    pub(crate) const OFF: Self = Self(None);

    /// A sink, and the receiver of its facts.
    pub(crate) fn new() -> (Self, Receiver<TimedFact>) {
        Self::with_buffer(BUFFER)
    }

    fn with_buffer(buffer: usize) -> (Self, Receiver<TimedFact>) {
        let (sender, receiver) = sync_channel(buffer);
        (Self(Some(FactSender { sender, lost: Arc::default() })), receiver)
    }

    /// Records a fact. If the buffer is full, the fact is dropped and counted.
    pub(crate) fn record(&self, at: SessionTime, fact: AgentFact) {
        if let Some(facts) = &self.0
            && facts.sender.try_send((at, fact)).is_err()
        {
            facts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many facts have been dropped.
    pub(crate) fn lost(&self) -> u64 {
        self.0.as_ref().map_or(0, |facts| facts.lost.load(Ordering::Relaxed))
    }
}

#[derive(Serialize)]
struct Line<'a> {
    at_us: SessionTime,
    #[serde(flatten)]
    fact: &'a AgentFact,
}

/// Writes facts until [`AgentFact::Ended`], or until all sinks are dropped.
fn write_facts(facts: &Receiver<TimedFact>, writer: &mut impl Write) -> io::Result<()> {
    loop {
        let next = match facts.try_recv() {
            Ok(next) => next,
            Err(TryRecvError::Disconnected) => return writer.flush(),
            Err(TryRecvError::Empty) => {
                writer.flush()?;
                let Ok(next) = facts.recv() else { return Ok(()) };
                next
            }
        };
        let (at_us, fact) = next;
        serde_json::to_writer(&mut *writer, &Line { at_us, fact: &fact })?;
        writer.write_all(b"\n")?;
        if matches!(fact, AgentFact::Ended { .. }) {
            return writer.flush();
        }
    }
}

/// A truth log with its writing thread.
#[derive(Debug)]
pub(crate) struct TruthFile {
    sink: TruthSink,
    thread: JoinHandle<io::Result<()>>,
}

impl TruthFile {
    /// Starts the thread.
    pub(crate) fn start(mut writer: impl Write + Send + 'static) -> io::Result<Self> {
        let (sink, facts) = TruthSink::new();
        let thread = thread::Builder::new()
            .name("truth".to_owned())
            .spawn(move || write_facts(&facts, &mut writer))?;
        Ok(Self { sink, thread })
    }

    pub(crate) fn sink(&self) -> TruthSink {
        self.sink.clone()
    }

    /// Writes the last line and waits for the thread. After an error the log is incomplete and proves nothing.
    pub(crate) fn finish(self, at: SessionTime) -> io::Result<()> {
        let ended = AgentFact::Ended { lost: self.sink.lost() };
        if let Some(facts) = &self.sink.0 {
            // Fails only if the thread has already ended, with an error that `join` returns.
            let _ = facts.sender.send((at, ended));
        }
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the truth log's thread panicked")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fact::MeasuredDelay;
    use super::*;
    use rushhour_core::units::{Micros, RoomName};

    fn ready() -> AgentFact {
        let delay = MeasuredDelay { wanted_us: Micros(5), delay_us: Micros(7) };
        AgentFact::Ready { room: RoomName::new("room-1"), delay }
    }

    #[test]
    fn a_fact_is_one_line_of_json_and_dropped_facts_are_counted() {
        let (sink, facts) = TruthSink::with_buffer(2);
        for at in 0..5 {
            sink.record(SessionTime(at), ready());
        }
        let lost = sink.lost();
        drop(sink);
        let mut text = Vec::new();
        write_facts(&facts, &mut text).unwrap();
        let line = |at| {
            format!(r#"{{"at_us":{at},"fact":"ready","room":"room-1","wanted_us":5,"delay_us":7}}"#)
        };
        assert_eq!(String::from_utf8(text).unwrap(), format!("{}\n{}\n", line(0), line(1)));
        assert_eq!(lost, 3);
    }

    #[test]
    fn the_last_line_says_how_many_facts_were_dropped() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let log = TruthFile::start(file.reopen().unwrap()).unwrap();
        log.sink().record(SessionTime(1), ready());
        log.finish(SessionTime(2)).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.ends_with("{\"at_us\":2,\"fact\":\"ended\",\"lost\":0}\n"), "{text}");
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn a_full_disk_is_reported_at_the_end() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let log = TruthFile::start(full).unwrap();
        log.sink().record(SessionTime(1), ready());
        assert!(log.finish(SessionTime(2)).is_err());
    }
}
