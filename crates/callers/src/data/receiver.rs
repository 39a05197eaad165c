//! Packets that came in over a data channel, as events: headers, chunks and ends of streams.

use std::collections::HashMap;

use livekit_protocol as proto;
use prost::Message;
use proto::data_packet::Value;
use proto::data_stream::header::ContentHeader;

use rushhour_core::units::Identity;

/// Streams that are open at once; a sender with more has lost count, and its oldest is forgotten.
const MOST_STREAMS: usize = 64;
/// The most of one byte stream that is kept.
const MOST_BYTES: usize = 256 * 1024;

/// Something that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataEvent {
    /// A text stream begins.
    TextBegins {
        /// Its name.
        stream: String,
        /// Who sends it.
        sender: Identity,
        /// Its topic.
        topic: String,
        /// What its header says of it.
        attributes: HashMap<String, String>,
    },
    /// A part of a text stream.
    TextPart {
        /// The stream.
        stream: String,
        /// The part; what is no UTF-8 is replaced.
        text: String,
    },
    /// A text stream ends.
    TextEnds {
        /// The stream.
        stream: String,
        /// What its trailer adds.
        attributes: HashMap<String, String>,
    },
    /// A byte stream is there as a whole.
    Bytes {
        /// Who sent it.
        sender: Identity,
        /// Its topic.
        topic: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

/// Byte streams being put together; text streams are passed on part by part.
#[derive(Debug, Default)]
pub struct DataReceiver {
    texts: Vec<String>,
    bytes: Vec<ByteStream>,
}

#[derive(Debug)]
struct ByteStream {
    id: String,
    sender: Identity,
    topic: String,
    bytes: Vec<u8>,
}

impl DataReceiver {
    /// Takes in a packet; what cannot be read, or concerns nobody here, gives nothing.
    pub fn take(&mut self, packet: &[u8]) -> Vec<DataEvent> {
        let Ok(packet) = proto::DataPacket::decode(packet) else { return Vec::new() };
        let sender = Identity::new(packet.participant_identity);
        match packet.value {
            Some(Value::StreamHeader(header)) => self.header(header, sender),
            Some(Value::StreamChunk(chunk)) => {
                self.chunk(&chunk.stream_id, &chunk.content).into_iter().collect()
            }
            Some(Value::StreamTrailer(trailer)) => self.trailer(trailer).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn header(&mut self, header: proto::data_stream::Header, sender: Identity) -> Vec<DataEvent> {
        let stream = header.stream_id;
        // A small stream may come whole in its header.
        let inline = header.inline_content;
        if let Some(ContentHeader::ByteHeader(_)) = header.content_header {
            if let Some(bytes) = inline {
                return vec![DataEvent::Bytes { sender, topic: header.topic, bytes }];
            }
            if self.bytes.len() >= MOST_STREAMS {
                self.bytes.remove(0);
            }
            let topic = header.topic;
            self.bytes.push(ByteStream { id: stream, sender, topic, bytes: Vec::new() });
            return Vec::new();
        }
        let (topic, attributes) = (header.topic, header.attributes);
        let mut events =
            vec![DataEvent::TextBegins { stream: stream.clone(), sender, topic, attributes }];
        if let Some(bytes) = inline {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            events.push(DataEvent::TextPart { stream: stream.clone(), text });
            events.push(DataEvent::TextEnds { stream, attributes: HashMap::new() });
            return events;
        }
        if self.texts.len() >= MOST_STREAMS {
            self.texts.remove(0);
        }
        self.texts.push(stream);
        events
    }

    fn chunk(&mut self, stream: &str, content: &[u8]) -> Option<DataEvent> {
        if let Some(open) = self.bytes.iter_mut().find(|open| open.id == stream) {
            let room = MOST_BYTES - open.bytes.len();
            open.bytes.extend_from_slice(&content[..content.len().min(room)]);
            return None;
        }
        self.texts.iter().find(|open| *open == stream)?;
        let text = String::from_utf8_lossy(content).into_owned();
        Some(DataEvent::TextPart { stream: stream.to_owned(), text })
    }

    fn trailer(&mut self, trailer: proto::data_stream::Trailer) -> Option<DataEvent> {
        if let Some(at) = self.bytes.iter().position(|open| open.id == trailer.stream_id) {
            let ByteStream { sender, topic, bytes, .. } = self.bytes.remove(at);
            return Some(DataEvent::Bytes { sender, topic, bytes });
        }
        let at = self.texts.iter().position(|open| *open == trailer.stream_id)?;
        let stream = self.texts.remove(at);
        Some(DataEvent::TextEnds { stream, attributes: trailer.attributes })
    }
}

#[cfg(test)]
mod tests {
    use super::super::DataSender;
    use super::*;

    fn read(packets: Vec<Vec<u8>>) -> Vec<DataEvent> {
        let mut incoming = DataReceiver::default();
        packets.into_iter().flat_map(|packet| incoming.take(&packet)).collect()
    }

    #[test]
    fn a_text_goes_out_and_comes_in_whole() {
        let text = "grüße ".repeat(6_000);
        let packets = DataSender::default().text("lk.chat", &text, HashMap::new(), 1);
        assert!(packets.len() > 4, "it takes several chunks");
        let events = read(packets);
        let parts: String = events
            .iter()
            .filter_map(|event| match event {
                DataEvent::TextPart { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(parts, text);
        assert!(matches!(&events[0], DataEvent::TextBegins { topic, .. } if topic == "lk.chat"));
        assert!(matches!(events.last(), Some(DataEvent::TextEnds { .. })));
    }

    #[test]
    fn bytes_go_out_and_come_in_whole() {
        let bytes: Vec<u8> = (0..40_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let packets = DataSender::default().bytes("lk.agent.session", &bytes, HashMap::new(), 1);
        assert_eq!(packets.len(), 5, "a header, three chunks and a trailer");
        let (sender, topic) = (Identity::new(""), "lk.agent.session".to_owned());
        assert_eq!(read(packets), [DataEvent::Bytes { sender, topic, bytes }]);
    }

    #[test]
    fn a_text_can_be_somebody_elses() {
        let caller = Identity::new("caller-1");
        let packets = DataSender::default().text_of(&caller, "t", "hello", HashMap::new(), 1);
        let sequences: Vec<u32> = packets
            .iter()
            .map(|packet| proto::DataPacket::decode(&packet[..]).unwrap().sequence)
            .collect();
        assert_eq!(sequences, [1, 2, 3]);
        let events = read(packets);
        assert!(
            matches!(&events[0], DataEvent::TextBegins { sender, .. } if *sender == caller),
            "{events:?}"
        );
        assert!(matches!(&events[1], DataEvent::TextPart { text, .. } if text == "hello"));
    }

    #[test]
    fn nonsense_is_passed_over() {
        let mut incoming = DataReceiver::default();
        assert_eq!(incoming.take(&[0xff; 40]), []);
        assert_eq!(incoming.take(&[]), []);
        let mut outgoing = DataSender::default();
        let chunks: Vec<_> = outgoing.chunks("unheard-of", 0, "text").into_iter().collect();
        assert!(!chunks.is_empty());
        for chunk in chunks {
            assert_eq!(incoming.take(&chunk), []);
        }
        assert_eq!(incoming.take(&outgoing.trailer("unheard-of", HashMap::new())), []);
    }

    #[test]
    fn a_sender_that_never_ends_its_streams_fills_nothing() {
        let mut incoming = DataReceiver::default();
        let mut outgoing = DataSender::default();
        for n in 0..1_000 {
            let header = outgoing.header(&format!("s{n}"), "t", HashMap::new(), None, 0);
            incoming.take(&header);
        }
        assert!(incoming.texts.len() <= MOST_STREAMS);
        assert_eq!(incoming.take(&outgoing.trailer("s0", HashMap::new())), []);
        assert_eq!(incoming.take(&outgoing.trailer("s999", HashMap::new())).len(), 1);
    }
}
