//! Writes the ground truth as JSON lines.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use rushhour_core::units::SessionTime;

use super::truth::SandboxFact;

/// Where a sandbox writes its ground truth, one JSON object a line.
#[derive(Debug, Clone, Default)]
pub enum TruthLog {
    /// Nowhere; [`SandboxTruth`](super::SandboxTruth) still counts.
    #[default]
    Off,
    /// To a file, which is created anew.
    File(PathBuf),
    /// To a writer.
    Writer(TruthWriter),
}

/// A writer shared between a configuration and the sandbox that writes to it.
#[derive(Clone)]
pub struct TruthWriter(Arc<Mutex<dyn Write + Send>>);

impl TruthWriter {
    /// Shares a writer; the caller may keep a clone to read what was written.
    pub fn new(writer: Arc<Mutex<dyn Write + Send>>) -> Self {
        Self(writer)
    }
}

impl fmt::Debug for TruthWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TruthWriter(..)")
    }
}

impl Write for TruthWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

/// Creates a file anew that only its owner can read. What is there under this name is not followed and not overwritten: a
/// link in a folder of somebody else's would lead to any file of ours. A device such as `/dev/null` stays one.
fn create_anew(path: &Path) -> io::Result<File> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() || found.is_symlink() => fs::remove_file(path)?,
        Ok(_) => return OpenOptions::new().write(true).open(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// An open truth log. The first failed write closes it: a log with a hole proves nothing.
pub(crate) struct OpenTruthLog {
    writer: Option<Box<dyn Write + Send>>,
    failure: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    at_us: SessionTime,
    #[serde(flatten)]
    fact: &'a SandboxFact,
}

impl OpenTruthLog {
    pub(crate) fn open(log: TruthLog) -> io::Result<Self> {
        let writer: Option<Box<dyn Write + Send>> = match log {
            TruthLog::Off => None,
            TruthLog::File(path) => {
                // It contains dispatch metadata as the client sent it.
                Some(Box::new(BufWriter::new(create_anew(&path)?)))
            }
            TruthLog::Writer(writer) => Some(Box::new(BufWriter::new(writer))),
        };
        Ok(Self { writer, failure: None })
    }

    pub(crate) fn write(&mut self, facts: &[(SessionTime, SandboxFact)]) {
        self.attempt(|writer| {
            for (at_us, fact) in facts {
                serde_json::to_writer(&mut *writer, &Line { at_us: *at_us, fact })?;
                writer.write_all(b"\n")?;
            }
            Ok(())
        });
    }

    pub(crate) fn flush(&mut self) {
        self.attempt(Write::flush);
    }

    /// Why the log is incomplete, if it is.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn attempt(&mut self, work: impl FnOnce(&mut Box<dyn Write + Send>) -> io::Result<()>) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = work(writer)
        {
            self.failure = Some(error.to_string());
            self.writer = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::truth::{RoomCloseReason, RoomOrigin};
    use super::*;
    use rushhour_core::units::RoomName;

    fn closed() -> (SessionTime, SandboxFact) {
        let room = RoomName::new("room-1");
        (SessionTime(42), SandboxFact::RoomClosed { room, reason: RoomCloseReason::Deleted })
    }

    #[test]
    fn a_fact_is_one_line_of_json() {
        let output = Arc::new(Mutex::new(Vec::new()));
        let writer = TruthWriter::new(output.clone());
        let mut log = OpenTruthLog::open(TruthLog::Writer(writer)).unwrap();
        log.write(&[closed(), closed()]);
        log.flush();
        let text = String::from_utf8(output.lock().unwrap().clone()).unwrap();
        let line = r#"{"at_us":42,"fact":"room_closed","room":"room-1","reason":"deleted"}"#;
        assert_eq!(text, format!("{line}\n{line}\n"));
    }

    #[test]
    fn renamed_facts_keep_their_names_in_the_log() {
        let name = |fact: SandboxFact| serde_json::to_value(fact).unwrap()["fact"].clone();
        let room = RoomName::new("room-1");
        let (sid, by) = ("RM_1".to_owned(), RoomOrigin::CreateRoom);
        assert_eq!(name(SandboxFact::RoomCreated { room, sid, by }), "room_made");
        let (fault, key) = ("poll_500", "room-1#1@1".to_owned());
        assert_eq!(name(SandboxFact::FaultInjected { fault, key }), "fault_struck");
    }

    #[test]
    fn a_full_disk_stops_the_log_and_is_reported() {
        let mut log = OpenTruthLog::open(TruthLog::File("/dev/full".into())).unwrap();
        log.write(&[closed()]);
        assert_eq!(log.failure(), None);
        log.flush();
        assert!(log.failure().unwrap().contains("No space left"), "{:?}", log.failure());
        log.write(&[closed()]);
    }

    #[test]
    fn a_truth_log_follows_no_link_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, log) = (folder.path().join("victim"), folder.path().join("log"));
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &log).unwrap();
        drop(create_anew(&log).unwrap());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::symlink_metadata(&log).unwrap());
        assert_eq!(mode & 0o777, 0o600);
        assert!(create_anew(Path::new("/dev/null")).is_ok());
        assert!(Path::new("/dev/null").exists());
    }
}
