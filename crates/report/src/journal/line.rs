//! One line of a journal: an event as JSON, and a checksum that chains it to the lines before.

use rushhour_core::event::Event;

/// What every line ends with: `,"c":"` eight digits `"}`.
const TAIL: usize = 16;

/// The checksum of the line before; lines are chained, so that none can be changed, lost or moved unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain(u32);

impl Chain {
    pub(super) const START: Self = Self(0);

    fn after(self, body: &[u8]) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.0.to_le_bytes());
        hasher.update(body);
        Self(hasher.finalize())
    }
}

/// Adds an event's line, with its end, to `buffer`.
pub(super) fn write_line(
    event: &Event,
    chain: &mut Chain,
    buffer: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let start = buffer.len();
    serde_json::to_writer(&mut *buffer, event)?;
    // The body is the object without its closing brace.
    buffer.pop();
    *chain = chain.after(&buffer[start..]);
    buffer.extend_from_slice(format!(",\"c\":\"{:08x}\"}}\n", chain.0).as_bytes());
    Ok(())
}

/// Reads a line without its end.
pub(super) fn read_line(line: &[u8], chain: &mut Chain) -> Result<Event, String> {
    let split = line.len().checked_sub(TAIL).ok_or("it is too short")?;
    let (body, tail) = line.split_at(split);
    let next = chain.after(body);
    if tail != format!(",\"c\":\"{:08x}\"}}", next.0).as_bytes() {
        return Err("its checksum does not fit".to_owned());
    }
    let event = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    *chain = next;
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::event::EventKind;
    use rushhour_core::units::{RunIndex, SessionTime};

    fn lines() -> (Vec<Event>, Vec<u8>) {
        let events: Vec<Event> = (0..3)
            .map(|n| Event {
                at: SessionTime(n),
                kind: EventKind::RoomDeleted { run: RunIndex(n) },
            })
            .collect();
        let mut chain = Chain::START;
        let mut buffer = Vec::new();
        for event in &events {
            write_line(event, &mut chain, &mut buffer).unwrap();
        }
        (events, buffer)
    }

    fn read(text: &[u8]) -> Result<Vec<Event>, String> {
        let mut chain = Chain::START;
        text.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| read_line(line, &mut chain))
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
    fn every_flipped_bit_and_every_lost_line_is_seen() {
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
