//! LiveKit's signalling as text and bytes: the join request and the protobuf messages.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use livekit_protocol as proto;
use prost::Message;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;

/// The signalling protocol's version. 16 is the last without negotiated data channels and compressed streams.
const PROTOCOL_VERSION: i32 = 16;

/// The name of a track with background audio, as LiveKit's framework gives it (`BackgroundAudioPlayer`).
const BACKGROUND_TRACK: &str = "background_audio";

/// What a participant asks to join with.
///
/// A client with a single peer connection joins at `/rtc/v1` with a `WrappedJoinRequest` in the query, which may
/// carry the first offer and the first tracks (livekit-server 1.13, `pkg/service/rtcservice.go`).
#[derive(Debug, Clone)]
pub struct JoinQuery {
    /// The SDP of the first offer.
    pub(super) offer: String,
    /// The client id (`cid`) of the audio track in that offer.
    pub(super) audio_track: Option<String>,
    /// The client id of a second audio track in that offer, for what is not speech.
    pub(super) background_track: Option<String>,
    pub(super) attributes: HashMap<String, String>,
}

impl JoinQuery {
    /// The path and query of the signal connection's URL.
    pub fn path(&self) -> String {
        let track = |cid: &String, name: &str, source: proto::TrackSource| proto::AddTrackRequest {
            cid: cid.clone(),
            name: name.to_owned(),
            r#type: proto::TrackType::Audio.into(),
            source: source.into(),
            disable_red: true,
            ..proto::AddTrackRequest::default()
        };
        let speech = |cid| track(cid, "rushhour", proto::TrackSource::Microphone);
        let background = |cid| track(cid, BACKGROUND_TRACK, proto::TrackSource::Unknown);
        let tracks = self.audio_track.iter().map(speech);
        let tracks = tracks.chain(self.background_track.iter().map(background));
        let request = proto::JoinRequest {
            client_info: Some(proto::ClientInfo {
                sdk: proto::client_info::Sdk::Rust.into(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                protocol: PROTOCOL_VERSION,
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

/// Encodes a message to the server.
pub(crate) fn encode_signal(message: Request) -> Vec<u8> {
    proto::SignalRequest { message: Some(message) }.encode_to_vec()
}

/// Decodes a message from the server; `None` if it is malformed, or of a kind that the protocol crate does not know.
pub fn decode_signal(bytes: &[u8]) -> Option<Response> {
    proto::SignalResponse::decode(bytes).ok()?.message
}

/// The kind of a message to the server, for logs: its content may hold SDP and attributes.
pub(crate) const fn request_kind(message: &Request) -> &'static str {
    match message {
        Request::Offer(_) => "offer",
        Request::Answer(_) => "answer",
        Request::UpdateMetadata(_) => "update_metadata",
        Request::Leave(_) => "leave",
        Request::Subscription(_) => "subscription",
        Request::PingReq(_) => "ping",
        _ => "other",
    }
}

/// The kind of a message from the server, for logs: its content may hold tokens and SDP.
pub(crate) const fn response_kind(message: &Response) -> &'static str {
    match message {
        Response::Join(_) => "join",
        Response::Answer(_) => "answer",
        Response::Offer(_) => "offer",
        Response::Trickle(_) => "trickle",
        Response::Update(_) => "participant_update",
        Response::TrackPublished(_) => "track_published",
        Response::TrackUnpublished(_) => "track_unpublished",
        Response::TrackSubscribed(_) => "track_subscribed",
        Response::Leave(_) => "leave",
        Response::Mute(_) => "mute",
        Response::SpeakersChanged(_) => "speakers_changed",
        Response::RoomUpdate(_) => "room_update",
        Response::ConnectionQuality(_) => "connection_quality",
        Response::RefreshToken(_) => "refresh_token",
        Response::Pong(_) | Response::PongResp(_) => "pong",
        Response::Reconnect(_) => "reconnect",
        Response::RequestResponse(_) => "request_response",
        Response::RoomMoved(_) => "room_moved",
        Response::MediaSectionsRequirement(_) => "media_sections_requirement",
        _ => "other",
    }
}
