//! Outgoing data streams and messages, encoded as packets of the reliable data channel.
//!
//! A stream is a header, chunks of at most 15 kB and a trailer (LiveKit protocol, `livekit_models.proto`,
//! `DataStream`). Packets are numbered from 1, so that the server could resume a broken channel.

use std::collections::HashMap;

use livekit_protocol as proto;
use prost::Message;
use proto::data_packet::Value;
use proto::data_stream::header::ContentHeader;
use proto::data_stream::{ByteHeader, Chunk, Header, TextHeader, Trailer};

use super::rpc::RpcFailure;
use rushhour_core::units::{DtmfKey, Identity};

/// The most bytes that one chunk carries.
const MAX_CHUNK_BYTES: usize = 15_000;

/// Encodes the data streams of one participant, and numbers its packets and streams.
#[derive(Debug, Default)]
pub(crate) struct DataSender {
    sequence: u32,
    streams: u64,
}

impl DataSender {
    /// Numbers packets from 1 again, as a participant that joins anew must; streams keep their numbers.
    pub(crate) const fn restart(&mut self) {
        self.sequence = 0;
    }

    /// Encodes a text as one stream. `wall_ms` is the time in its header, in milliseconds since the Unix epoch.
    pub(crate) fn text(
        &mut self,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
        wall_ms: i64,
    ) -> Vec<Vec<u8>> {
        let id = self.next_stream_id();
        let mut packets = vec![self.text_header(&id, topic, attributes, Some(text.len()), wall_ms)];
        packets.extend(self.text_chunks(&id, 0, text));
        packets.push(self.trailer(&id, HashMap::new()));
        packets
    }

    /// Encodes a text as one stream in the name of `author`. The server lets only agents send these, for
    /// transcriptions of what they hear.
    pub(crate) fn text_as(
        &mut self,
        author: &Identity,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
        wall_ms: i64,
    ) -> Vec<Vec<u8>> {
        let mut packets = self.text(topic, text, attributes, wall_ms);
        // Concatenated protobuf messages merge into one (protobuf encoding, "Last One Wins").
        let author = proto::DataPacket {
            participant_identity: author.as_str().to_owned(),
            ..proto::DataPacket::default()
        };
        for packet in &mut packets {
            packet.extend(author.encode_to_vec());
        }
        packets
    }

    /// Encodes bytes as one stream.
    pub(crate) fn bytes(
        &mut self,
        topic: &str,
        bytes: &[u8],
        attributes: HashMap<String, String>,
        wall_ms: i64,
    ) -> Vec<Vec<u8>> {
        let id = self.next_stream_id();
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
        for (chunk, index) in bytes.chunks(MAX_CHUNK_BYTES).zip(0..) {
            packets.push(self.chunk(&id, index, chunk));
        }
        packets.push(self.trailer(&id, HashMap::new()));
        packets
    }

    /// A new stream id, unique for this participant.
    pub(crate) fn next_stream_id(&mut self) -> String {
        self.streams += 1;
        format!("stream-{}", self.streams)
    }

    /// Encodes the header of a text stream; `length` is the whole text's in bytes, if known.
    pub(crate) fn text_header(
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

    /// Encodes chunks of a text stream, cut at character boundaries, the first with the index `first_index`.
    pub(crate) fn text_chunks(&mut self, id: &str, first_index: u64, text: &str) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rest.floor_char_boundary(MAX_CHUNK_BYTES));
            packets.push(self.chunk(id, first_index + packets.len() as u64, chunk.as_bytes()));
            rest = after;
        }
        packets
    }

    fn chunk(&mut self, id: &str, chunk_index: u64, content: &[u8]) -> Vec<u8> {
        self.packet(Value::StreamChunk(Chunk {
            stream_id: id.to_owned(),
            chunk_index,
            content: content.to_vec(),
            ..Chunk::default()
        }))
    }

    /// Encodes the trailer that ends a stream.
    pub(crate) fn trailer(&mut self, id: &str, attributes: HashMap<String, String>) -> Vec<u8> {
        self.packet(Value::StreamTrailer(Trailer {
            stream_id: id.to_owned(),
            attributes,
            ..Trailer::default()
        }))
    }

    /// Encodes the acknowledgement of a call by RPC and the response to it, for its caller alone.
    pub(crate) fn rpc_answer(
        &mut self,
        caller: &Identity,
        request_id: &str,
        answer: Result<&str, RpcFailure>,
    ) -> Vec<Vec<u8>> {
        let request_id = request_id.to_owned();
        let value = match answer {
            Ok(payload) => proto::rpc_response::Value::Payload(payload.to_owned()),
            Err(failure) => proto::rpc_response::Value::Error(proto::RpcError {
                code: failure.code(),
                message: failure.message().to_owned(),
                ..proto::RpcError::default()
            }),
        };
        let ack = Value::RpcAck(proto::RpcAck { request_id: request_id.clone() });
        let response = Value::RpcResponse(proto::RpcResponse { request_id, value: Some(value) });
        vec![self.packet_to(Some(caller), ack), self.packet_to(Some(caller), response)]
    }

    /// Encodes that a key of a telephone was pressed.
    pub(crate) fn dtmf(&mut self, key: DtmfKey) -> Vec<u8> {
        let digit = key.sign().to_string();
        self.packet(Value::SipDtmf(proto::SipDtmf { code: key.code(), digit }))
    }

    fn packet(&mut self, value: Value) -> Vec<u8> {
        self.packet_to(None, value)
    }

    /// A packet for one participant, or for all.
    fn packet_to(&mut self, destination: Option<&Identity>, value: Value) -> Vec<u8> {
        self.sequence += 1;
        let packet = proto::DataPacket {
            sequence: self.sequence,
            destination_identities: destination
                .map(|one| one.as_str().to_owned())
                .into_iter()
                .collect(),
            value: Some(value),
            ..proto::DataPacket::default()
        };
        packet.encode_to_vec()
    }
}
