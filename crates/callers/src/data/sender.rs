//! Text and byte streams on their way out, as packets of the reliable channel.
//!
//! A stream is a header, chunks of at most 15 kB and a trailer (LiveKit protocol, `livekit_models.proto`,
//! `DataStream`); its packets are numbered from 1 so that the server could resume a broken channel.

use std::collections::HashMap;

use livekit_protocol as proto;
use prost::Message;
use proto::data_packet::Value;
use proto::data_stream::header::ContentHeader;
use proto::data_stream::{ByteHeader, Chunk, Header, TextHeader, Trailer};

use rushhour_core::units::Identity;

/// The most that one chunk may carry.
const CHUNK: usize = 15_000;

/// Numbers packets and streams of one participant.
#[derive(Debug, Default)]
pub struct DataSender {
    sequence: u32,
    streams: u64,
}

impl DataSender {
    /// A whole text as one stream; `wall_ms` is the Unix time that its header shows.
    pub fn text(
        &mut self,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
        wall_ms: i64,
    ) -> Vec<Vec<u8>> {
        let id = self.next_stream();
        let mut packets = vec![self.header(&id, topic, attributes, Some(text.len()), wall_ms)];
        packets.extend(self.chunks(&id, 0, text));
        packets.push(self.trailer(&id, HashMap::new()));
        packets
    }

    /// A whole text as one stream in somebody else's name, which the server lets agents do alone; what an
    /// agent heard somebody say goes out so.
    pub fn text_of(
        &mut self,
        author: &Identity,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
        wall_ms: i64,
    ) -> Vec<Vec<u8>> {
        let mut packets = self.text(topic, text, attributes, wall_ms);
        // Messages put one after another are one message (protobuf, "Last One Wins").
        let named = proto::DataPacket {
            participant_identity: author.as_str().to_owned(),
            ..proto::DataPacket::default()
        };
        for packet in &mut packets {
            packet.extend(named.encode_to_vec());
        }
        packets
    }

    /// Bytes as one stream.
    pub fn bytes(
        &mut self,
        topic: &str,
        bytes: &[u8],
        attributes: HashMap<String, String>,
        wall_ms: i64,
    ) -> Vec<Vec<u8>> {
        let id = self.next_stream();
        let mut packets = vec![self.packet(Value::StreamHeader(Header {
            stream_id: id.clone(),
            timestamp: wall_ms,
            topic: topic.to_owned(),
            mime_type: "application/octet-stream".to_owned(),
            total_length: Some(bytes.len() as u64),
            attributes,
            content_header: Some(ContentHeader::ByteHeader(ByteHeader::default())),
            ..Header::default()
        }))];
        for (content, chunk_index) in bytes.chunks(CHUNK).zip(0..) {
            packets.push(self.packet(Value::StreamChunk(Chunk {
                stream_id: id.clone(),
                chunk_index,
                content: content.to_vec(),
                ..Chunk::default()
            })));
        }
        packets.push(self.trailer(&id, HashMap::new()));
        packets
    }

    /// A stream's name, unlike any other of this participant.
    pub fn next_stream(&mut self) -> String {
        self.streams += 1;
        format!("stream-{}", self.streams)
    }

    /// The beginning of a text stream.
    pub fn header(
        &mut self,
        id: &str,
        topic: &str,
        attributes: HashMap<String, String>,
        length: Option<usize>,
        wall_ms: i64,
    ) -> Vec<u8> {
        self.packet(Value::StreamHeader(Header {
            stream_id: id.to_owned(),
            timestamp: wall_ms,
            topic: topic.to_owned(),
            mime_type: "text/plain".to_owned(),
            total_length: length.map(|length| length as u64),
            attributes,
            content_header: Some(ContentHeader::TextHeader(TextHeader::default())),
            ..Header::default()
        }))
    }

    /// Parts of a text, cut on character boundaries, the first numbered `from`.
    pub fn chunks(&mut self, id: &str, from: u64, text: &str) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let mut length = rest.len().min(CHUNK);
            while !rest.is_char_boundary(length) {
                length -= 1;
            }
            let (part, after) = rest.split_at(length);
            packets.push(self.packet(Value::StreamChunk(Chunk {
                stream_id: id.to_owned(),
                chunk_index: from + packets.len() as u64,
                content: part.as_bytes().to_vec(),
                ..Chunk::default()
            })));
            rest = after;
        }
        packets
    }

    /// The end of a stream.
    pub fn trailer(&mut self, id: &str, attributes: HashMap<String, String>) -> Vec<u8> {
        self.packet(Value::StreamTrailer(Trailer {
            stream_id: id.to_owned(),
            attributes,
            ..Trailer::default()
        }))
    }

    fn packet(&mut self, value: Value) -> Vec<u8> {
        self.sequence += 1;
        let packet = proto::DataPacket {
            sequence: self.sequence,
            value: Some(value),
            ..proto::DataPacket::default()
        };
        packet.encode_to_vec()
    }
}
