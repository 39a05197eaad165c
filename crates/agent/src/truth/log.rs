//! The truth log: many tell, one writes, and nobody waits for the disk.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use serde::Serialize;

use super::fact::AgentFact;
use rushhour_core::units::SessionTime;

/// Facts that may wait for the disk; one more is counted as lost.
const BUFFER: usize = 65_536;

/// Where facts are told. Cheap to clone; telling never waits.
#[derive(Debug, Clone, Default)]
pub struct TruthSink(Option<LoggedFact>);

#[derive(Debug, Clone)]
struct LoggedFact {
    sender: SyncSender<(SessionTime, AgentFact)>,
    lost: Arc<AtomicU64>,
}

impl TruthSink {
    /// A sink that keeps nothing.
    pub const OFF: Self = Self(None);

    /// A sink, and what is told to it.
    pub fn new() -> (Self, Receiver<(SessionTime, AgentFact)>) {
        Self::with_buffer(BUFFER)
    }

    fn with_buffer(buffer: usize) -> (Self, Receiver<(SessionTime, AgentFact)>) {
        let (sender, receiver) = sync_channel(buffer);
        (Self(Some(LoggedFact { sender, lost: Arc::default() })), receiver)
    }

    /// Tells a fact of this moment. One that finds the buffer full is lost, and counted.
    pub fn tell(&self, at: SessionTime, fact: AgentFact) {
        if let Some(told) = &self.0
            && told.sender.try_send((at, fact)).is_err()
        {
            told.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many facts were lost so far.
    pub fn lost(&self) -> u64 {
        self.0.as_ref().map_or(0, |told| told.lost.load(Ordering::Relaxed))
    }
}

#[derive(Serialize)]
struct Line<'a> {
    at_us: SessionTime,
    #[serde(flatten)]
    fact: &'a AgentFact,
}

/// Writes what is told until [`AgentFact::Ended`], or until nobody is left who could tell.
///
/// # Errors
/// The first that the writer meets.
pub fn written(
    told: &Receiver<(SessionTime, AgentFact)>,
    writer: &mut impl Write,
) -> io::Result<()> {
    loop {
        let next = match told.try_recv() {
            Ok(next) => next,
            Err(TryRecvError::Disconnected) => return writer.flush(),
            Err(TryRecvError::Empty) => {
                writer.flush()?;
                let Ok(next) = told.recv() else { return Ok(()) };
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

/// A truth log that is being written by a thread of its own.
#[derive(Debug)]
pub struct TruthFile {
    sink: TruthSink,
    thread: JoinHandle<io::Result<()>>,
}

impl TruthFile {
    /// Starts to write.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start(mut writer: impl Write + Send + 'static) -> io::Result<Self> {
        let (sink, told) = TruthSink::new();
        let thread = thread::Builder::new()
            .name("truth".to_owned())
            .spawn(move || written(&told, &mut writer))?;
        Ok(Self { sink, thread })
    }

    /// Where facts are told.
    pub fn sink(&self) -> TruthSink {
        self.sink.clone()
    }

    /// Writes the last line and waits for the disk.
    ///
    /// # Errors
    /// The first that the writer met; the log has a hole then, and proves nothing.
    pub fn end(self, at: SessionTime) -> io::Result<()> {
        let ended = AgentFact::Ended { lost: self.sink.lost() };
        if let Some(told) = &self.sink.0 {
            // The thread is gone already where this fails, and says why below.
            let _ = told.sender.send((at, ended));
        }
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the truth log's thread broke")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fact::KeptAudio;
    use super::*;
    use rushhour_core::units::{Micros, RoomName};

    fn ready() -> AgentFact {
        let kept = KeptAudio { wanted_us: Micros(5), delay_us: Micros(7) };
        AgentFact::Ready { room: RoomName::new("room-1"), kept }
    }

    #[test]
    fn a_fact_is_one_line_of_json_and_the_last_says_what_is_missing() {
        let (sink, told) = TruthSink::with_buffer(2);
        for at in 0..5 {
            sink.tell(SessionTime(at), ready());
        }
        let lost = sink.lost();
        drop(sink);
        let mut text = Vec::new();
        written(&told, &mut text).unwrap();
        let line = |at| {
            format!(r#"{{"at_us":{at},"fact":"ready","room":"room-1","wanted_us":5,"delay_us":7}}"#)
        };
        assert_eq!(String::from_utf8(text).unwrap(), format!("{}\n{}\n", line(0), line(1)));
        assert_eq!(lost, 3);
    }

    #[test]
    fn the_file_ends_with_its_last_line() {
        let kept = tempfile::NamedTempFile::new().unwrap();
        let log = TruthFile::start(kept.reopen().unwrap()).unwrap();
        log.sink().tell(SessionTime(1), ready());
        log.end(SessionTime(2)).unwrap();
        let text = std::fs::read_to_string(kept.path()).unwrap();
        assert!(text.ends_with("{\"at_us\":2,\"fact\":\"ended\",\"lost\":0}\n"), "{text}");
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn a_full_disk_is_told_at_the_end() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let log = TruthFile::start(full).unwrap();
        log.sink().tell(SessionTime(1), ready());
        assert!(log.end(SessionTime(2)).is_err());
    }
}
