//! The words of LiveKit's signalling: how a join is asked for, and messages as bytes.
//!
//! A join with one peer connection is asked for at `/rtc/v1` with a `WrappedJoinRequest` in the address,
//! which may carry the first offer and the first tracks (livekit-server 1.13, `pkg/service/rtcservice.go`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use livekit_protocol as proto;
use prost::Message;

/// The protocol's version whose words are spoken here: without negotiated channels and compressed streams.
const PROTOCOL: i32 = 16;

/// What a join is asked for with.
#[derive(Debug, Clone)]
pub struct JoinQuery {
    /// The first offer.
    pub offer: String,
    /// The audio track that it holds, by its client id.
    pub audio_track: Option<String>,
    /// Attributes that the participant has from its first moment.
    pub attributes: std::collections::HashMap<String, String>,
}

impl JoinQuery {
    /// The path and query of the WebSocket's address.
    pub fn path(&self) -> String {
        let tracks = self.audio_track.iter().map(|cid| proto::AddTrackRequest {
            cid: cid.clone(),
            name: "rushhour".to_owned(),
            r#type: proto::TrackType::Audio.into(),
            source: proto::TrackSource::Microphone.into(),
            disable_red: true,
            ..proto::AddTrackRequest::default()
        });
        let request = proto::JoinRequest {
            client_info: Some(proto::ClientInfo {
                sdk: proto::client_info::Sdk::Rust.into(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                protocol: PROTOCOL,
                ..proto::ClientInfo::default()
            }),
            connection_settings: Some(proto::ConnectionSettings {
                auto_subscribe: true,
                ..proto::ConnectionSettings::default()
            }),
            participant_attributes: self.attributes.clone(),
            add_track_requests: tracks.collect(),
            publisher_offer: Some(proto::SessionDescription {
                r#type: "offer".to_owned(),
                sdp: self.offer.clone(),
                id: 1,
                ..proto::SessionDescription::default()
            }),
            ..proto::JoinRequest::default()
        };
        let wrapped = proto::WrappedJoinRequest {
            compression: proto::wrapped_join_request::Compression::None.into(),
            join_request: request.encode_to_vec(),
        };
        format!("/rtc/v1?join_request={}", URL_SAFE.encode(wrapped.encode_to_vec()))
    }
}

/// A message to the server, as bytes.
pub fn encode_signal(message: proto::signal_request::Message) -> Vec<u8> {
    proto::SignalRequest { message: Some(message) }.encode_to_vec()
}

/// A message of the server; nothing where the bytes are none, or of a kind that is not known.
pub fn decode_signal(bytes: &[u8]) -> Option<proto::signal_response::Message> {
    proto::SignalResponse::decode(bytes).ok()?.message
}
