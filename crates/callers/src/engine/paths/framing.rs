//! Packets in a TCP stream: of ICE, each after its length in two bytes (RFC 4571), and of TURN (RFC 8656, section 12.5).

/// Appends a packet and its length. Returns whether it was short enough.
pub(super) fn append(stream: &mut Vec<u8>, packet: &[u8]) -> bool {
    let Ok(length) = u16::try_from(packet.len()) else { return false };
    stream.extend_from_slice(&length.to_be_bytes());
    stream.extend_from_slice(packet);
    true
}

/// Takes the complete packets from the front of what arrived.
pub(super) fn take(stream: &mut Vec<u8>, mut packet: impl FnMut(&[u8])) {
    let mut taken = 0;
    while let Some([high, low, rest @ ..]) = stream.get(taken..) {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(contents) = rest.get(..length) else { break };
        packet(contents);
        taken += 2 + length;
    }
    stream.drain(..taken);
}

/// The header of TURN's channel data, whose first two bits are 01, and of a STUN message, whose first two are 00.
const CHANNEL_HEADER: usize = 4;
const STUN_HEADER: usize = 20;

/// Appends a message to a TURN server. In a stream, channel data is padded to a multiple of four bytes, which
/// `turn-client-proto` leaves to its user.
pub(super) fn append_turn(stream: &mut Vec<u8>, message: &[u8]) {
    stream.extend_from_slice(message);
    stream.resize(stream.len() + message.len().next_multiple_of(4) - message.len(), 0);
}

/// Takes the complete messages of a TURN server from the front of what arrived, without padding.
pub(super) fn take_turn(stream: &mut Vec<u8>, mut message: impl FnMut(&[u8])) {
    let mut taken = 0;
    while let Some([first, _, high, low, ..]) = stream.get(taken..) {
        let header = if first >> 6 == 1 { CHANNEL_HEADER } else { STUN_HEADER };
        let length = header + usize::from(u16::from_be_bytes([*high, *low]));
        let padded = length.next_multiple_of(4);
        if stream.len() < taken + padded {
            break;
        }
        message(&stream[taken..taken + length]);
        taken += padded;
    }
    stream.drain(..taken);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_turn_survive_any_division_of_the_stream() {
        let stun = [&[0, 1, 0, 8][..], &[9; 24]].concat();
        let channel = [&[0x40, 1, 0, 5][..], b"hello"].concat();
        let messages = [stun.clone(), channel.clone(), channel, stun];
        let mut sent = Vec::new();
        for message in &messages {
            append_turn(&mut sent, message);
        }
        assert_eq!(sent.len(), 28 + 12 + 12 + 28);
        for size in [1, 2, 3, 29, 500] {
            let (mut stream, mut received) = (Vec::new(), Vec::new());
            for part in sent.chunks(size) {
                stream.extend_from_slice(part);
                take_turn(&mut stream, |message| received.push(message.to_vec()));
            }
            assert_eq!(received, messages, "in parts of {size}");
            assert!(stream.is_empty());
        }
    }

    #[test]
    fn packets_survive_any_division_of_the_stream() {
        let packets: [&[u8]; 4] = [b"one", b"", &[7; 1_200], b"last"];
        let mut sent = Vec::new();
        for packet in packets {
            assert!(append(&mut sent, packet));
        }
        assert!(!append(&mut sent, &vec![0; 65_536]));
        for size in [1, 2, 3, 700, 5_000] {
            let (mut stream, mut received) = (Vec::new(), Vec::new());
            for part in sent.chunks(size) {
                stream.extend_from_slice(part);
                take(&mut stream, |packet| received.push(packet.to_vec()));
            }
            assert_eq!(received, packets, "in parts of {size}");
            assert!(stream.is_empty());
        }
    }
}
