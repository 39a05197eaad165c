//! Packets in a TCP stream, each after its length in two bytes (RFC 4571).

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

#[cfg(test)]
mod tests {
    use super::*;

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
