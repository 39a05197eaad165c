//! Incoming packets of the data channels, decoded into events of data streams.

use std::collections::HashMap;

use livekit_protocol as proto;
use prost::Message;
use proto::data_packet::Value;
use proto::data_stream::header::ContentHeader;

use super::data_event::DataEvent;
use super::message::text_of_user_packet;
use super::rpc::RPC_VERSION;
use rushhour_core::units::Identity;

/// Streams of one kind that may be open at once; beyond it the oldest is forgotten.
const MAX_OPEN_STREAMS: usize = 64;
/// The longest id and topic of a stream, in bytes; LiveKit's have 36 and some 20. Other streams are ignored.
const MAX_NAME: usize = 256;
/// The most bytes of all open byte streams that are kept.
const MAX_OPEN_BYTES: usize = 1 << 20;
/// The most bytes of one byte stream that are kept.
const MAX_STREAM_BYTES: usize = 256 * 1024;
/// Segments of one transcription packet that are read, at most.
const MAX_SEGMENTS: usize = 64;

/// Decodes packets and collects byte streams.
#[derive(Debug, Default)]
pub struct DataReceiver {
    text_streams: Vec<TextStream>,
    byte_streams: Vec<ByteStream>,
}

/// An open text stream.
#[derive(Debug)]
struct TextStream {
    id: String,
    next_chunk: u64,
    /// The bytes of its text that have come.
    received: u64,
    /// The bytes of its whole text, where its header says.
    length: Option<u64>,
    is_incomplete: bool,
}

#[derive(Debug)]
struct ByteStream {
    id: String,
    sender: Identity,
    topic: String,
    bytes: Vec<u8>,
}

impl DataReceiver {
    /// Handles a packet. Malformed packets and those that belong to no open stream lead to no events.
    pub fn handle_packet(&mut self, packet: &[u8]) -> Vec<DataEvent> {
        let Ok(packet) = proto::DataPacket::decode(packet) else { return Vec::new() };
        let sender = Identity::new(packet.participant_identity);
        match packet.value {
            Some(Value::StreamHeader(header)) => self.header(header, sender),
            Some(Value::StreamChunk(chunk)) => self.chunk(&chunk),
            Some(Value::StreamTrailer(trailer)) => self.trailer(trailer),
            Some(Value::RpcRequest(call)) => vec![DataEvent::RpcCalled {
                caller: sender,
                request_id: call.id,
                method: call.method,
                is_understood: call.version == RPC_VERSION,
            }],
            Some(Value::SipDtmf(proto::SipDtmf { code, digit })) => {
                vec![DataEvent::DtmfReceived { sender, code, digit }]
            }
            Some(Value::User(packet)) => {
                let text = text_of_user_packet(packet.topic.as_deref(), &packet.payload);
                text.map(|text| DataEvent::TextReceived { sender, text }).into_iter().collect()
            }
            Some(Value::ChatMessage(chat)) if !chat.deleted => {
                vec![DataEvent::TextReceived { sender, text: chat.message }]
            }
            Some(Value::Transcription(packet)) => transcribed(packet, &sender),
            Some(Value::EncryptedPacket(_)) => vec![DataEvent::Encrypted],
            _ => Vec::new(),
        }
    }

    fn header(&mut self, header: proto::data_stream::Header, sender: Identity) -> Vec<DataEvent> {
        let proto::data_stream::Header { stream_id, topic, attributes, .. } = header;
        if stream_id.len() > MAX_NAME || topic.len() > MAX_NAME {
            return Vec::new();
        }
        // A small stream may be complete in its header.
        let inline = header.inline_content;
        if let Some(ContentHeader::ByteHeader(_)) = header.content_header {
            if let Some(bytes) = inline {
                return vec![DataEvent::ByteStreamReceived { sender, topic, bytes }];
            }
            while self.byte_streams.len() >= MAX_OPEN_STREAMS || self.open_bytes() >= MAX_OPEN_BYTES
            {
                self.byte_streams.remove(0);
            }
            self.byte_streams.push(ByteStream { id: stream_id, sender, topic, bytes: Vec::new() });
            return Vec::new();
        }
        let opened = stream_id.clone();
        let mut events =
            vec![DataEvent::TextStreamOpened { stream_id: opened, sender, topic, attributes }];
        if let Some(bytes) = inline {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            events.push(DataEvent::TextChunk { stream_id: stream_id.clone(), text });
            events.push(DataEvent::TextStreamClosed { stream_id, attributes: HashMap::new() });
            return events;
        }
        if self.text_streams.len() >= MAX_OPEN_STREAMS {
            self.text_streams.remove(0);
        }
        self.text_streams.push(TextStream {
            id: stream_id,
            next_chunk: 0,
            received: 0,
            length: header.total_length,
            is_incomplete: false,
        });
        events
    }

    fn open_bytes(&self) -> usize {
        self.byte_streams.iter().map(|open| open.bytes.len()).sum()
    }

    fn chunk(&mut self, chunk: &proto::data_stream::Chunk) -> Vec<DataEvent> {
        let proto::data_stream::Chunk { stream_id, chunk_index, content, .. } = chunk;
        let kept = self.open_bytes();
        if let Some(open) = self.byte_streams.iter_mut().find(|open| open.id == *stream_id) {
            let free =
                (MAX_STREAM_BYTES - open.bytes.len()).min(MAX_OPEN_BYTES.saturating_sub(kept));
            open.bytes.extend_from_slice(&content[..content.len().min(free)]);
            return Vec::new();
        }
        let Some(open) = self.text_streams.iter_mut().find(|open| open.id == *stream_id) else {
            return Vec::new();
        };
        if *chunk_index < open.next_chunk {
            // It has come before.
            return Vec::new();
        }
        let is_missed = *chunk_index > open.next_chunk;
        open.next_chunk = chunk_index.saturating_add(1);
        open.received += content.len() as u64;
        let mut events: Vec<DataEvent> = open.incomplete_if(is_missed).into_iter().collect();
        let text = String::from_utf8_lossy(content).into_owned();
        events.push(DataEvent::TextChunk { stream_id: stream_id.clone(), text });
        events
    }

    fn trailer(&mut self, trailer: proto::data_stream::Trailer) -> Vec<DataEvent> {
        let proto::data_stream::Trailer { stream_id, attributes, .. } = trailer;
        if let Some(index) = self.byte_streams.iter().position(|open| open.id == stream_id) {
            let ByteStream { sender, topic, bytes, .. } = self.byte_streams.remove(index);
            return vec![DataEvent::ByteStreamReceived { sender, topic, bytes }];
        }
        let Some(index) = self.text_streams.iter().position(|open| open.id == stream_id) else {
            return Vec::new();
        };
        let mut closed = self.text_streams.remove(index);
        let is_short = closed.length.is_some_and(|length| closed.received < length);
        let mut events: Vec<DataEvent> = closed.incomplete_if(is_short).into_iter().collect();
        events.push(DataEvent::TextStreamClosed { stream_id, attributes });
        events
    }
}

impl TextStream {
    /// The event that a part of it is missing, where that was not told before.
    fn incomplete_if(&mut self, is_missed: bool) -> Option<DataEvent> {
        let is_new = is_missed && !self.is_incomplete;
        self.is_incomplete |= is_missed;
        is_new.then(|| DataEvent::TextIncomplete { stream_id: self.id.clone() })
    }
}

/// The segments of a transcription packet.
fn transcribed(packet: proto::Transcription, sender: &Identity) -> Vec<DataEvent> {
    let proto::Transcription { transcribed_participant_identity, track_id, segments } = packet;
    let speaker = Identity::new(transcribed_participant_identity);
    let event = |segment: proto::TranscriptionSegment| DataEvent::SegmentTranscribed {
        sender: sender.clone(),
        speaker: speaker.clone(),
        track_sid: track_id.clone(),
        segment: segment.id,
        text: segment.text,
        is_final: segment.r#final,
    };
    segments.into_iter().take(MAX_SEGMENTS).map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{DataSender, RpcFailure};
    use super::*;
    use rushhour_core::units::DtmfKey;

    fn receive(packets: Vec<Vec<u8>>) -> Vec<DataEvent> {
        let mut receiver = DataReceiver::default();
        packets.into_iter().flat_map(|packet| receiver.handle_packet(&packet)).collect()
    }

    #[test]
    fn a_text_stream_survives_the_round_trip() {
        let text = "grüße ".repeat(6_000);
        let packets = DataSender::default().text("lk.chat", &text, HashMap::new(), 1);
        assert!(packets.len() > 4, "several chunks");
        let events = receive(packets);
        let text_received: String = events
            .iter()
            .filter_map(|event| match event {
                DataEvent::TextChunk { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(text_received, text);
        assert!(
            matches!(&events[0], DataEvent::TextStreamOpened { topic, .. } if topic == "lk.chat")
        );
        assert!(matches!(events.last(), Some(DataEvent::TextStreamClosed { .. })));
    }

    #[test]
    fn a_byte_stream_survives_the_round_trip() {
        let bytes: Vec<u8> = (0..40_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let packets = DataSender::default().bytes("lk.agent.session", &bytes, HashMap::new(), 1);
        assert_eq!(packets.len(), 5, "a header, three chunks and a trailer");
        let (sender, topic) = (Identity::new(""), "lk.agent.session".to_owned());
        assert_eq!(receive(packets), [DataEvent::ByteStreamReceived { sender, topic, bytes }]);
    }

    fn decoded(packet: &[u8]) -> proto::DataPacket {
        proto::DataPacket::decode(packet).unwrap()
    }

    #[test]
    fn a_call_is_received_and_answered_to_its_caller_alone() {
        let call = |version| {
            let request = proto::RpcRequest {
                id: "r1".to_owned(),
                method: "locate".to_owned(),
                payload: "{}".to_owned(),
                version,
                ..proto::RpcRequest::default()
            };
            let packet = proto::DataPacket {
                participant_identity: "agent-1".to_owned(),
                value: Some(Value::RpcRequest(request)),
                ..proto::DataPacket::default()
            };
            receive(vec![packet.encode_to_vec()])
        };
        let caller = Identity::new("agent-1");
        let called = |is_understood| DataEvent::RpcCalled {
            caller: caller.clone(),
            request_id: "r1".to_owned(),
            method: "locate".to_owned(),
            is_understood,
        };
        assert_eq!((call(1), call(2)), (vec![called(true)], vec![called(false)]));

        let mut sender = DataSender::default();
        let packets = [Ok("Berlin"), Err(RpcFailure::UnsupportedMethod)]
            .map(|answer| sender.rpc_answer(&caller, "r1", answer));
        for (index, packet) in packets.iter().flatten().enumerate() {
            let packet = decoded(packet);
            assert_eq!(packet.destination_identities, ["agent-1"]);
            assert_eq!(packet.sequence as usize, index + 1);
        }
        let values = |packets: &[Vec<u8>]| {
            packets.iter().map(|packet| decoded(packet).value.unwrap()).collect::<Vec<_>>()
        };
        let ack = Value::RpcAck(proto::RpcAck { request_id: "r1".to_owned() });
        let response = |value| {
            let request_id = "r1".to_owned();
            Value::RpcResponse(proto::RpcResponse { request_id, value: Some(value) })
        };
        let payload = proto::rpc_response::Value::Payload("Berlin".to_owned());
        assert_eq!(values(&packets[0]), [ack.clone(), response(payload)]);
        let error = proto::rpc_response::Value::Error(proto::RpcError {
            code: 1400,
            message: "Method not supported at destination".to_owned(),
            data: String::new(),
        });
        assert_eq!(values(&packets[1]), [ack, response(error)]);
    }

    #[test]
    fn keys_of_a_telephone_survive_the_round_trip() {
        let mut sender = DataSender::default();
        let packets = ['7', '#'].map(|sign| sender.dtmf(DtmfKey::new(sign).unwrap()));
        let pressed = |code, digit: &str| {
            let (sender, digit) = (Identity::new(""), digit.to_owned());
            DataEvent::DtmfReceived { sender, code, digit }
        };
        assert_eq!(receive(packets.to_vec()), [pressed(7, "7"), pressed(11, "#")]);
    }

    #[test]
    fn a_text_can_be_sent_in_the_name_of_another_participant() {
        let caller = Identity::new("caller-1");
        let packets = DataSender::default().text_as(&caller, "t", "hello", HashMap::new(), 1);
        let sequences: Vec<u32> = packets
            .iter()
            .map(|packet| proto::DataPacket::decode(&packet[..]).unwrap().sequence)
            .collect();
        assert_eq!(sequences, [1, 2, 3]);
        let events = receive(packets);
        assert!(
            matches!(&events[0], DataEvent::TextStreamOpened { sender, .. } if *sender == caller),
            "{events:?}"
        );
        assert!(matches!(&events[1], DataEvent::TextChunk { text, .. } if text == "hello"));
    }

    #[test]
    fn a_text_may_come_in_a_packet_of_its_own() {
        let packet = |value| {
            let participant_identity = "agent".to_owned();
            proto::DataPacket { participant_identity, value: Some(value), ..Default::default() }
                .encode_to_vec()
        };
        let payload = br#"{"message": "One."}"#.to_vec();
        let topic = Some("lk-chat-topic".to_owned());
        let user = proto::UserPacket { payload, topic, ..Default::default() };
        let message = "Two.".to_owned();
        let chat = proto::ChatMessage { message, ..Default::default() };
        let packets = vec![packet(Value::User(user)), packet(Value::ChatMessage(chat))];
        let text = |text: &str| {
            let (sender, text) = (Identity::new("agent"), text.to_owned());
            DataEvent::TextReceived { sender, text }
        };
        assert_eq!(receive(packets), [text("One."), text("Two.")]);
    }

    /// A text stream of four chunks, without its packets `left_out`.
    fn received_without(left_out: &[usize]) -> (String, usize) {
        let packets = DataSender::default().text("t", &"x".repeat(50_000), HashMap::new(), 1);
        assert_eq!(packets.len(), 6, "a header, four chunks and a trailer");
        let kept = (0..).zip(packets).filter(|(index, _)| !left_out.contains(index));
        let (mut text, mut told) = (String::new(), 0);
        for event in receive(kept.map(|(_, packet)| packet).collect()) {
            match event {
                DataEvent::TextChunk { text: chunk, .. } => text.push_str(&chunk),
                DataEvent::TextIncomplete { .. } => told += 1,
                _ => {}
            }
        }
        (text, told)
    }

    #[test]
    fn a_text_of_which_a_part_is_missing_is_told_once() {
        assert_eq!(received_without(&[]).1, 0);
        assert_eq!(received_without(&[2]).1, 1, "its index is left out");
        assert_eq!(received_without(&[1, 3]).1, 1, "once for the stream");
        assert_eq!(received_without(&[4]).1, 1, "the header says how long it is");
        assert_eq!(received_without(&[4, 5]).1, 0, "it may still come");
    }

    #[test]
    fn a_chunk_that_comes_twice_is_read_once() {
        let mut packets = DataSender::default().text("t", "hello", HashMap::new(), 1);
        packets.insert(2, packets[1].clone());
        let chunks = receive(packets)
            .into_iter()
            .filter(|event| matches!(event, DataEvent::TextChunk { .. }))
            .count();
        assert_eq!(chunks, 1);
    }

    #[test]
    fn segments_of_transcription_packets_have_their_speaker() {
        let segment = |id: &str, text: &str, r#final| proto::TranscriptionSegment {
            id: id.to_owned(),
            text: text.to_owned(),
            r#final,
            ..proto::TranscriptionSegment::default()
        };
        let packet = proto::DataPacket {
            participant_identity: "agent".to_owned(),
            value: Some(Value::Transcription(proto::Transcription {
                transcribed_participant_identity: "caller".to_owned(),
                track_id: "TR_1".to_owned(),
                segments: vec![segment("a", "Two", false), segment("b", "Please.", true)],
            })),
            ..proto::DataPacket::default()
        };
        let event = |segment: &str, text: &str, is_final| DataEvent::SegmentTranscribed {
            sender: Identity::new("agent"),
            speaker: Identity::new("caller"),
            track_sid: "TR_1".to_owned(),
            segment: segment.to_owned(),
            text: text.to_owned(),
            is_final,
        };
        assert_eq!(
            receive(vec![packet.encode_to_vec()]),
            [event("a", "Two", false), event("b", "Please.", true)]
        );
    }

    #[test]
    fn malformed_packets_and_unknown_streams_are_ignored() {
        let mut receiver = DataReceiver::default();
        assert_eq!(receiver.handle_packet(&[0xff; 40]), []);
        assert_eq!(receiver.handle_packet(&[]), []);
        let mut sender = DataSender::default();
        let chunks: Vec<_> = sender.text_chunks("unknown", 0, "text").into_iter().collect();
        assert!(!chunks.is_empty());
        for chunk in chunks {
            assert_eq!(receiver.handle_packet(&chunk), []);
        }
        assert_eq!(receiver.handle_packet(&sender.trailer("unknown", HashMap::new())), []);
    }

    #[test]
    fn streams_that_are_never_closed_use_bounded_memory() {
        let mut receiver = DataReceiver::default();
        let mut sender = DataSender::default();
        for n in 0..1_000 {
            let header = sender.text_header(&format!("s{n}"), "t", HashMap::new(), None, 0);
            receiver.handle_packet(&header);
        }
        assert!(receiver.text_streams.len() <= MAX_OPEN_STREAMS);
        for n in 0..100 {
            let name = format!("b{n}");
            let packets = sender.bytes("t", &vec![0; 300_000], HashMap::new(), 1);
            // Without its trailer, each under a name of its own.
            for packet in &packets[..packets.len() - 1] {
                let mut packet = proto::DataPacket::decode(&packet[..]).unwrap();
                match packet.value.as_mut().unwrap() {
                    Value::StreamHeader(header) => header.stream_id.clone_from(&name),
                    Value::StreamChunk(chunk) => chunk.stream_id.clone_from(&name),
                    _ => {}
                }
                receiver.handle_packet(&packet.encode_to_vec());
            }
        }
        assert!(receiver.open_bytes() <= MAX_OPEN_BYTES, "{}", receiver.open_bytes());
        let long = sender.text_header(&"s".repeat(100_000), "t", HashMap::new(), None, 0);
        assert_eq!(receiver.handle_packet(&long), []);
        assert_eq!(receiver.handle_packet(&sender.trailer("s0", HashMap::new())), []);
        assert_eq!(receiver.handle_packet(&sender.trailer("s999", HashMap::new())).len(), 1);
    }
}
