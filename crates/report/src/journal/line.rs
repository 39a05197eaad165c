//! One line of a journal: an event as JSON, and a checksum that chains it to the lines before.

use rushhour_core::event::Event;
use rushhour_core::units::redact_json;

/// Bytes of the end of every line: `,"c":"`, eight hexadecimal digits, `"}`.
const CHECKSUM_LENGTH: usize = 16;

/// The CRC-32 of the lines so far. Each line's checksum covers the one before, so a line that was changed, lost or
/// moved is detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChainedChecksum(u32);

/// Why a line is not what the writer wrote.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It has no room for a checksum.
    #[error("it is too short")]
    TooShort,
    /// Its checksum does not match its bytes and the lines before.
    #[error("its checksum does not match")]
    Checksum,
    /// It is not an event.
    #[error(transparent)]
    Event(#[from] serde_json::Error),
    /// It does not end with a line break.
    #[error("it is incomplete")]
    Incomplete,
}

impl ChainedChecksum {
    pub(super) const START: Self = Self(0);

    fn after(self, body: &[u8]) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.0.to_le_bytes());
        hasher.update(body);
        Self(hasher.finalize())
    }

    fn suffix(self) -> String {
        format!(",\"c\":\"{:08x}\"}}", self.0)
    }
}

/// Appends an event's line, including its line break, to `buffer`.
pub(super) fn write_line(
    event: &Event,
    checksum: &mut ChainedChecksum,
    buffer: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let start = buffer.len();
    serde_json::to_writer(&mut *buffer, event)?;
    // Words from outside were redacted where they arrived; nothing else may bring a secret into a journal either.
    if let Some(redacted) = std::str::from_utf8(&buffer[start..]).ok().and_then(redact_json) {
        buffer.truncate(start);
        buffer.extend_from_slice(redacted.as_bytes());
    }
    // The body is the object without its closing brace.
    buffer.pop();
    *checksum = checksum.after(&buffer[start..]);
    buffer.extend_from_slice(checksum.suffix().as_bytes());
    buffer.push(b'\n');
    Ok(())
}

/// Reads a line without its line break. `checksum` changes only where the line is intact.
pub(super) fn read_line(line: &[u8], checksum: &mut ChainedChecksum) -> Result<Event, LineError> {
    let split = line.len().checked_sub(CHECKSUM_LENGTH).ok_or(LineError::TooShort)?;
    let (body, suffix) = line.split_at(split);
    let next = checksum.after(body);
    if suffix != next.suffix().as_bytes() {
        return Err(LineError::Checksum);
    }
    let event = serde_json::from_slice(line)?;
    *checksum = next;
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::event::EventKind;
    use rushhour_core::units::{Identity, RunIndex, Secret, SessionTime, remember_secret};

    fn lines() -> (Vec<Event>, Vec<u8>) {
        let events: Vec<Event> = (0..3)
            .map(|n| Event {
                at: SessionTime(n),
                kind: EventKind::RoomDeleted { run: RunIndex(n) },
            })
            .collect();
        let mut checksum = ChainedChecksum::START;
        let mut buffer = Vec::new();
        for event in &events {
            write_line(event, &mut checksum, &mut buffer).unwrap();
        }
        (events, buffer)
    }

    fn read(text: &[u8]) -> Result<Vec<Event>, LineError> {
        let mut checksum = ChainedChecksum::START;
        text.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| read_line(line, &mut checksum))
            .collect()
    }

    #[test]
    fn lines_are_json_and_read_back() {
        let (events, buffer) = lines();
        assert_eq!(read(&buffer).unwrap(), events);
        let text = String::from_utf8(buffer).unwrap();
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first["e"]["room_deleted"]["run"], 0);
    }

    #[test]
    fn no_secret_is_written_whatever_event_it_is_in() {
        let secret = Secret::new("a-secret-of-the-journal-test");
        remember_secret(&secret);
        let identity =
            Identity::new(format!("{} eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln", secret.expose()));
        let (run, at) = (RunIndex(1), SessionTime(0));
        let kind = EventKind::AgentSeen { run, identity, after: at, seen: at, joined: None };
        let (mut checksum, mut buffer) = (ChainedChecksum::START, Vec::new());
        write_line(&Event { at, kind }, &mut checksum, &mut buffer).unwrap();
        let text = String::from_utf8(buffer.clone()).unwrap();
        assert!(text.contains("\"[redacted] [redacted]\""), "{text}");
        assert_eq!(read(&buffer).unwrap().len(), 1);
    }

    #[test]
    fn every_flipped_bit_and_every_missing_or_moved_line_is_detected() {
        let (_, buffer) = lines();
        for byte in 0..buffer.len() {
            for bit in 0..8 {
                let mut broken = buffer.clone();
                broken[byte] ^= 1 << bit;
                assert!(read(&broken).is_err(), "byte {byte} bit {bit}");
            }
        }
        let lines: Vec<&[u8]> = buffer.split_inclusive(|byte| *byte == b'\n').collect();
        assert!(read(&[lines[0], lines[2]].concat()).is_err());
        assert!(read(&[lines[1], lines[0], lines[2]].concat()).is_err());
    }
}
