//! How many parts a protobuf message has, before it is decoded.

use prost::encoding::decode_varint;

/// How deep messages are within each other: an attribute of a codec of a track of a participant of a room.
const MAX_DEPTH: u8 = 8;
/// How deep groups are within each other, as prost decodes them.
const MAX_GROUPS: usize = 100;

/// Whether a message in protobuf's wire format has more than `most` parts: texts, messages, entries of maps. Each may take
/// two bytes on the wire and hundreds in memory, so they are counted before anything is decoded.
pub fn has_more_parts(bytes: &[u8], most: usize) -> bool {
    // A part has two bytes or more.
    bytes.len() / 2 > most && count_parts(bytes, MAX_DEPTH, most).is_none()
}

/// How many of `left` parts are left after those of a message; `None` if there are more. A text is looked into like a
/// message, up to where it is none.
fn count_parts(mut bytes: &[u8], depth: u8, mut left: usize) -> Option<usize> {
    // The fields of the groups that are open. Nothing in them is kept when it is decoded.
    let mut groups = Vec::new();
    while let Ok(tag) = decode_varint(&mut bytes) {
        let length = match tag & 7 {
            0 if decode_varint(&mut bytes).is_ok() => 0,
            1 => 8,
            2 => match decode_varint(&mut bytes).map(usize::try_from) {
                Ok(Ok(length)) => {
                    let part = bytes.get(..length).unwrap_or(bytes);
                    if groups.is_empty() {
                        left = left.checked_sub(1)?;
                        if depth > 0 {
                            left = count_parts(part, depth - 1, left)?;
                        }
                    }
                    length
                }
                _ => break,
            },
            3 if groups.len() < MAX_GROUPS => {
                groups.push(tag >> 3);
                0
            }
            4 if groups.pop() == Some(tag >> 3) => 0,
            5 => 4,
            _ => break,
        };
        let Some(rest) = bytes.get(length..) else { break };
        bytes = rest;
    }
    Some(left)
}

#[cfg(test)]
mod tests {
    use livekit_protocol as proto;
    use prost::Message;

    use super::*;

    fn rooms(count: usize) -> Vec<u8> {
        proto::ListRoomsResponse { rooms: vec![proto::Room::default(); count] }.encode_to_vec()
    }

    #[test]
    fn parts_are_counted_in_messages_within_messages() {
        assert!(!has_more_parts(&rooms(1_000), 1_000) && has_more_parts(&rooms(1_001), 1_000));
        let codec = proto::Codec { mime: "audio/opus".to_owned(), ..proto::Codec::default() };
        let room = proto::Room { enabled_codecs: vec![codec; 100], ..proto::Room::default() };
        let nested = proto::ListRoomsResponse { rooms: vec![room; 10] }.encode_to_vec();
        // Each room, its codecs and their names.
        assert!(!has_more_parts(&nested, 2_010) && has_more_parts(&nested, 2_009));
        let text = proto::ListRoomsResponse {
            rooms: vec![proto::Room {
                metadata: "{\"tenant\":\"a\",\"kind\":{\"of\":\"room\"}}".repeat(1_000),
                ..proto::Room::default()
            }],
        };
        assert!(!has_more_parts(&text.encode_to_vec(), 1_000), "a long text is few parts");
    }

    #[test]
    fn a_group_hides_no_parts_behind_it() {
        // Field 100, a group of earlier versions of protobuf, which decoders skip: its start, its content, its end.
        let group = [&[0xa3, 0x06][..], &[0x08, 0x01], &[0xa4, 0x06]].concat();
        let hidden = [group, rooms(2_000)].concat();
        let decoded = proto::ListRoomsResponse::decode(&*hidden).expect("groups are skipped");
        assert_eq!(decoded.rooms.len(), 2_000);
        assert!(has_more_parts(&hidden, 1_000));
    }
}
