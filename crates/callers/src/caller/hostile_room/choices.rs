//! What a hostile server sends: well-formed messages whose every field is chosen by bytes.

use std::collections::HashMap;

use livekit_protocol as proto;
use prost::Message;
use proto::data_packet::Value;
use proto::data_stream::header::ContentHeader;
use proto::signal_response::Message as Response;

use crate::participant::decode_signal;

/// An agent in this state, with a microphone.
pub(super) fn agent(identity: &str, state: &str) -> proto::ParticipantInfo {
    proto::ParticipantInfo {
        identity: identity.to_owned(),
        kind: proto::participant_info::Kind::Agent.into(),
        attributes: HashMap::from([("lk.agent.state".to_owned(), state.to_owned())]),
        tracks: vec![proto::TrackInfo {
            sid: "TR_agent".to_owned(),
            source: proto::TrackSource::Microphone.into(),
            ..proto::TrackInfo::default()
        }],
        ..proto::ParticipantInfo::default()
    }
}

/// Bytes that choose what is sent; after the last one, the first choice is made.
pub(super) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    pub(super) fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most + 1).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken.to_vec()
    }

    fn number(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => i64::MAX.cast_unsigned(),
            3 => u64::from(u32::MAX),
            4 => 1 << self.below(64),
            _ => u64::from(self.byte()),
        }
    }

    fn small(&mut self) -> i32 {
        [0, 1, 2, 3, 4, 7, -1, i32::MAX, i32::MIN][self.below(9)]
    }

    fn text(&mut self) -> String {
        const WORDS: [&str; 24] = [
            "",
            "agent-1",
            "agent-2",
            "caller",
            "TR_agent",
            "TR_other",
            "s1",
            "s2",
            "lk.transcription",
            "lk.chat",
            "lk.agent.session",
            "lk-chat-topic",
            "background_audio",
            "listening",
            "thinking",
            "speaking",
            "initializing",
            "locate",
            "Good morning.",
            "{\"text\": \"Good day.\"}",
            "{\"message\":\"Good morning.\"}",
            "\u{202e}\u{1b}[2J\u{0}",
            "0",
            "NaN",
        ];
        match self.below(32) {
            31 => "x".repeat(100 << self.below(12)),
            30 => String::from_utf8_lossy(&self.bytes(40)).into_owned(),
            word => WORDS[word % WORDS.len()].to_owned(),
        }
    }

    fn attributes(&mut self) -> HashMap<String, String> {
        const NAMES: [&str; 6] = [
            "lk.agent.state",
            "lk.segment_id",
            "lk.transcribed_track_id",
            "lk.transcription_final",
            "lk.publish_on_behalf",
            "x",
        ];
        (0..self.below(4)).map(|_| (NAMES[self.below(6)].to_owned(), self.text())).collect()
    }

    fn track(&mut self) -> proto::TrackInfo {
        proto::TrackInfo {
            sid: self.text(),
            name: self.text(),
            r#type: self.small(),
            source: self.small(),
            encryption: if self.below(8) == 0 { self.small() } else { 0 },
            ..proto::TrackInfo::default()
        }
    }

    fn participant(&mut self) -> proto::ParticipantInfo {
        if self.below(2) == 0 {
            const STATES: [&str; 4] = ["listening", "thinking", "speaking", "listening"];
            return agent("agent-1", STATES[self.below(4)]);
        }
        #[expect(deprecated, reason = "agents still have it")]
        proto::ParticipantInfo {
            sid: self.text(),
            identity: self.text(),
            state: self.small(),
            kind: self.small(),
            tracks: (0..self.below(4)).map(|_| self.track()).collect(),
            attributes: self.attributes(),
            joined_at_ms: self.number().cast_signed(),
            disconnect_reason: self.small(),
            permission: (self.below(4) == 0).then(|| proto::ParticipantPermission {
                agent: true,
                ..proto::ParticipantPermission::default()
            }),
            metadata: self.text(),
            ..proto::ParticipantInfo::default()
        }
    }

    fn participants(&mut self) -> Vec<proto::ParticipantInfo> {
        let count = if self.below(32) == 0 { 200 } else { self.below(4) };
        (0..count).map(|_| self.participant()).collect()
    }

    fn sdp(&mut self) -> String {
        const LINES: [&str; 14] = [
            "v=0\r\n",
            "o=- 1 2 IN IP4 127.0.0.1\r\n",
            "s=-\r\n",
            "t=0 0\r\n",
            "a=group:BUNDLE 0 1\r\n",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
            "c=IN IP4 0.0.0.0\r\n",
            "a=mid:0\r\n",
            "a=rtpmap:111 opus/48000/2\r\n",
            "a=ice-ufrag:abcd\r\n",
            "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n",
            "a=ssrc:4294967295 cname:x\r\n",
            "a=fingerprint:sha-256 00\r\n",
        ];
        (0..self.below(24)).map(|_| LINES[self.below(14)]).collect()
    }

    /// A message on the signal connection.
    pub(super) fn signal(&mut self) -> Response {
        match self.below(20) {
            0 => Response::Join(proto::JoinResponse {
                other_participants: self.participants(),
                ping_interval: self.small(),
                ping_timeout: self.small(),
                ..proto::JoinResponse::default()
            }),
            1 if self.below(64) == 0 => Response::Answer(proto::SessionDescription {
                // One in many is applied, and may end the connection.
                sdp: if self.below(16) == 0 { self.sdp() } else { String::new() },
                mid_to_track_id: (0..self.below(6)).map(|_| (self.text(), self.text())).collect(),
                ..proto::SessionDescription::default()
            }),
            2 => {
                const CANDIDATES: [&str; 6] = [
                    "candidate:1 1 udp 2130706431 127.0.0.1 9 typ host",
                    "candidate:1 1 udp 2130706431 ::1 65535 typ host",
                    "candidate:2 1 tcp 1 127.0.0.1 9 typ host tcptype active",
                    "candidate:3 1 udp 1 10.0.0.1 1 typ relay raddr 0.0.0.0 rport 0",
                    "candidate:x 256 udp 99999999999 example.local 0 typ host",
                    "",
                ];
                let line = CANDIDATES[self.below(6)];
                let candidate_init = match self.below(3) {
                    0 => self.text(),
                    _ => format!("{{\"candidate\":\"{line}\",\"sdpMid\":\"0\"}}"),
                };
                Response::Trickle(proto::TrickleRequest {
                    candidate_init,
                    ..proto::TrickleRequest::default()
                })
            }
            3 => Response::MediaSectionsRequirement(proto::MediaSectionsRequirement {
                num_audios: u32::try_from(self.number() & 0xffff_ffff).unwrap_or(u32::MAX),
                num_videos: 1,
            }),
            4 => Response::TrackPublished(proto::TrackPublishedResponse {
                cid: self.text(),
                track: Some(self.track()),
            }),
            5 if self.below(64) == 0 => Response::Leave(proto::LeaveRequest {
                reason: self.small(),
                ..proto::LeaveRequest::default()
            }),
            6 => Response::RefreshToken(self.text()),
            7 => Response::RoomMoved(proto::RoomMovedResponse {
                other_participants: self.participants(),
                ..proto::RoomMovedResponse::default()
            }),
            8 => Response::SpeakersChanged(proto::SpeakersChanged {
                speakers: vec![proto::SpeakerInfo::default(); self.below(100)],
            }),
            9 => {
                // Whatever bytes there are, as far as they are a message.
                let bytes = self.bytes(60);
                let decoded = decode_signal(&bytes);
                decoded
                    .filter(|message| !matches!(message, Response::Leave(_)))
                    .unwrap_or(Response::Pong(-1))
            }
            _ => Response::Update(proto::ParticipantUpdate { participants: self.participants() }),
        }
    }

    /// A packet of a data channel.
    pub(super) fn packet(&mut self) -> Vec<u8> {
        let value = match self.below(16) {
            0..=2 => Value::StreamHeader(proto::data_stream::Header {
                stream_id: self.text(),
                topic: self.text(),
                attributes: self.attributes(),
                total_length: (self.below(2) == 0).then(|| self.number()),
                inline_content: (self.below(4) == 0).then(|| self.bytes(60)),
                content_header: Some(if self.below(3) == 0 {
                    ContentHeader::ByteHeader(proto::data_stream::ByteHeader::default())
                } else {
                    ContentHeader::TextHeader(proto::data_stream::TextHeader::default())
                }),
                ..proto::data_stream::Header::default()
            }),
            3..=6 => Value::StreamChunk(proto::data_stream::Chunk {
                stream_id: self.text(),
                chunk_index: self.number(),
                content: if self.below(4) == 0 { self.bytes(60) } else { self.text().into_bytes() },
                ..proto::data_stream::Chunk::default()
            }),
            7 | 8 => Value::StreamTrailer(proto::data_stream::Trailer {
                stream_id: self.text(),
                attributes: self.attributes(),
                ..proto::data_stream::Trailer::default()
            }),
            9 => Value::User(proto::UserPacket {
                topic: (self.below(2) == 0).then(|| self.text()),
                payload: self.text().into_bytes(),
                ..proto::UserPacket::default()
            }),
            10 => Value::ChatMessage(proto::ChatMessage {
                message: self.text(),
                deleted: self.below(2) == 0,
                ..proto::ChatMessage::default()
            }),
            11 => Value::RpcRequest(proto::RpcRequest {
                id: self.text(),
                method: self.text(),
                payload: self.text(),
                version: u32::from(self.byte()) % 3,
                ..proto::RpcRequest::default()
            }),
            12 => {
                Value::SipDtmf(proto::SipDtmf { code: u32::from(self.byte()), digit: self.text() })
            }
            13 if self.below(16) == 0 => Value::EncryptedPacket(proto::EncryptedPacket::default()),
            14 => Value::Transcription(proto::Transcription {
                transcribed_participant_identity: self.text(),
                segments: vec![proto::TranscriptionSegment::default(); self.below(100)],
                ..proto::Transcription::default()
            }),
            _ => return self.bytes(60),
        };
        let packet = proto::DataPacket {
            participant_identity: if self.below(4) == 0 {
                self.text()
            } else {
                "agent-1".to_owned()
            },
            sequence: u32::from(self.byte()),
            value: Some(value),
            ..proto::DataPacket::default()
        };
        packet.encode_to_vec()
    }
}
