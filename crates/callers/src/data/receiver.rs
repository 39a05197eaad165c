//! Incoming packets of the data channels, decoded into events of data streams.

use std::collections::HashMap;

use livekit_protocol as proto;
use prost::Message;
use proto::data_packet::Value;
use proto::data_stream::header::ContentHeader;

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

/// An event of a data stream, or another message. Texts arrive chunk by chunk, bytes as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataEvent {
    /// The header of a text stream arrived.
    TextStreamOpened {
        /// The stream's id, unique for its sender.
        stream_id: String,
        /// Who sends it.
        sender: Identity,
        /// Its topic.
        topic: String,
        /// The attributes in its header.
        attributes: HashMap<String, String>,
    },
    /// A chunk of a text stream arrived.
    TextChunk {
        /// The stream.
        stream_id: String,
        /// The chunk's text; invalid UTF-8 is replaced.
        text: String,
    },
    /// The trailer of a text stream arrived.
    TextStreamClosed {
        /// The stream.
        stream_id: String,
        /// The attributes in its trailer.
        attributes: HashMap<String, String>,
    },
    /// A text came as a whole, in a packet of its own.
    TextReceived {
        /// Who sent it.
        sender: Identity,
        /// The text.
        text: String,
    },
    /// A packet came that is encrypted end to end.
    Encrypted,
    /// A byte stream is complete.
    ByteStreamReceived {
        /// Who sent it.
        sender: Identity,
        /// Its topic.
        topic: String,
        /// Its first 256 KiB.
        bytes: Vec<u8>,
    },
    /// Another participant calls a method of this one by RPC, and waits for an acknowledgement and a response.
    RpcCalled {
        /// Who calls.
        caller: Identity,
        /// The call's id, which belongs into the response.
        request_id: String,
        /// The method.
        method: String,
        /// Whether the call is of the version that participants understand.
        is_understood: bool,
    },
    /// Another participant pressed a key of its telephone.
    DtmfReceived {
        /// Who.
        sender: Identity,
        /// The key's event code (RFC 4733).
        code: u32,
        /// The key's sign.
        digit: String,
    },
}

/// Decodes packets and collects byte streams.
#[derive(Debug, Default)]
pub struct DataReceiver {
    /// Ids of the open text streams.
    text_streams: Vec<String>,
    byte_streams: Vec<ByteStream>,
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
            Some(Value::StreamChunk(chunk)) => {
                self.chunk(&chunk.stream_id, &chunk.content).into_iter().collect()
            }
            Some(Value::StreamTrailer(trailer)) => self.trailer(trailer).into_iter().collect(),
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
        self.text_streams.push(stream_id);
        events
    }

    fn open_bytes(&self) -> usize {
        self.byte_streams.iter().map(|open| open.bytes.len()).sum()
    }

    fn chunk(&mut self, stream_id: &str, content: &[u8]) -> Option<DataEvent> {
        let kept = self.open_bytes();
        if let Some(open) = self.byte_streams.iter_mut().find(|open| open.id == stream_id) {
            let free =
                (MAX_STREAM_BYTES - open.bytes.len()).min(MAX_OPEN_BYTES.saturating_sub(kept));
            open.bytes.extend_from_slice(&content[..content.len().min(free)]);
            return None;
        }
        self.text_streams.iter().find(|open| *open == stream_id)?;
        let text = String::from_utf8_lossy(content).into_owned();
        Some(DataEvent::TextChunk { stream_id: stream_id.to_owned(), text })
    }

    fn trailer(&mut self, trailer: proto::data_stream::Trailer) -> Option<DataEvent> {
        let proto::data_stream::Trailer { stream_id, attributes, .. } = trailer;
        if let Some(index) = self.byte_streams.iter().position(|open| open.id == stream_id) {
            let ByteStream { sender, topic, bytes, .. } = self.byte_streams.remove(index);
            return Some(DataEvent::ByteStreamReceived { sender, topic, bytes });
        }
        let index = self.text_streams.iter().position(|open| *open == stream_id)?;
        self.text_streams.remove(index);
        Some(DataEvent::TextStreamClosed { stream_id, attributes })
    }
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
