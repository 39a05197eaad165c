//! LiveKit's signalling as text and bytes: the join request and the protobuf messages.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use livekit_protocol as proto;
use prost::Message;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use rushhour_livekit::has_more_parts;
use url::form_urlencoded;

/// The signalling protocol's version. 16 is the last without negotiated data channels and compressed streams.
const PROTOCOL_VERSION: i32 = 16;

/// The most parts that a message may have: participants, tracks, attributes, texts. A room of a thousand has some 40,000.
const MAX_PARTS: usize = 64 * 1024;

/// The name of a track with background audio, as LiveKit's framework gives it (`BackgroundAudioPlayer`).
const BACKGROUND_TRACK: &str = "background_audio";

/// Which of LiveKit's signalling protocols a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalProtocol {
    /// `/rtc/v1`, of servers from 1.9.11 on: one peer connection, which the client offers.
    V1,
    /// `/rtc`, of all servers: the client offers a peer connection for what it sends, the server one for what it
    /// receives.
    V0,
}

impl SignalProtocol {
    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1 (/rtc/v1, one peer connection)",
            Self::V0 => "v0 (/rtc, two peer connections)",
        }
    }
}

/// What a participant asks to join with.
///
/// A client with a single peer connection joins at `/rtc/v1` with a `WrappedJoinRequest` in the query, which may
/// carry the first offer and the first tracks (livekit-server 1.13, `pkg/service/rtcservice.go`). With two, it joins at
/// `/rtc` and sends them afterwards.
#[derive(Debug, Clone)]
pub struct JoinQuery {
    pub(super) protocol: SignalProtocol,
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
        match self.protocol {
            SignalProtocol::V0 => v0_path(),
            SignalProtocol::V1 => v1_path(&proto::JoinRequest {
                participant_attributes: self.attributes.clone(),
                add_track_requests: self.tracks(),
                publisher_offer: Some(self.session_description()),
                ..join_request()
            }),
        }
    }

    /// The tracks of the first offer.
    pub(super) fn tracks(&self) -> Vec<proto::AddTrackRequest> {
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
        tracks.chain(self.background_track.iter().map(background)).collect()
    }

    /// The first offer.
    pub(super) fn session_description(&self) -> proto::SessionDescription {
        proto::SessionDescription {
            r#type: "offer".to_owned(),
            sdp: self.offer.clone(),
            id: 1,
            ..proto::SessionDescription::default()
        }
    }
}

/// The path and query at which a participant asks for a new signal connection to itself.
pub(super) fn resume_path(
    protocol: SignalProtocol,
    participant_sid: &str,
    reason: proto::ReconnectReason,
) -> String {
    match protocol {
        SignalProtocol::V0 => {
            let sid: String = form_urlencoded::byte_serialize(participant_sid.as_bytes()).collect();
            format!("{}&reconnect=1&sid={sid}&reconnect_reason={}", v0_path(), i32::from(reason))
        }
        SignalProtocol::V1 => v1_path(&proto::JoinRequest {
            reconnect: true,
            reconnect_reason: reason.into(),
            participant_sid: participant_sid.to_owned(),
            ..join_request()
        }),
    }
}

/// The part that all requests share.
fn join_request() -> proto::JoinRequest {
    proto::JoinRequest {
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
        ..proto::JoinRequest::default()
    }
}

fn v1_path(request: &proto::JoinRequest) -> String {
    let wrapped = proto::WrappedJoinRequest {
        compression: proto::wrapped_join_request::Compression::None.into(),
        join_request: request.encode_to_vec(),
    };
    format!("/rtc/v1?join_request={}", URL_SAFE.encode(wrapped.encode_to_vec()))
}

/// The same settings as in [`join_request`], as parameters.
fn v0_path() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("/rtc?sdk=rust&version={version}&protocol={PROTOCOL_VERSION}&auto_subscribe=1")
}

/// Encodes a message to the server.
pub(crate) fn encode_signal(message: Request) -> Vec<u8> {
    proto::SignalRequest { message: Some(message) }.encode_to_vec()
}

/// Decodes a message from the server; `None` if it is malformed, of a kind that the protocol crate does not know, or
/// has more parts than any room needs.
pub fn decode_signal(bytes: &[u8]) -> Option<Response> {
    if has_too_many_parts(bytes) {
        return None;
    }
    proto::SignalResponse::decode(bytes).ok()?.message
}

/// Whether a message would take far more memory than it took on the wire.
pub(crate) fn has_too_many_parts(bytes: &[u8]) -> bool {
    has_more_parts(bytes, MAX_PARTS)
}

/// The kind of a message to the server, for logs: its content may hold SDP and attributes.
pub(crate) const fn request_kind(message: &Request) -> &'static str {
    match message {
        Request::Offer(_) => "offer",
        Request::Answer(_) => "answer",
        Request::UpdateMetadata(_) => "update_metadata",
        Request::AddTrack(_) => "add_track",
        Request::SyncState(_) => "sync_state",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn query(protocol: SignalProtocol) -> JoinQuery {
        let attributes = HashMap::from([("mood".to_owned(), "good".to_owned())]);
        JoinQuery {
            protocol,
            offer: "v=0".to_owned(),
            audio_track: Some("voice".to_owned()),
            background_track: None,
            attributes,
        }
    }

    fn decoded(path: &str) -> proto::JoinRequest {
        let encoded = path.strip_prefix("/rtc/v1?join_request=").expect("the newer path");
        let wrapped = URL_SAFE.decode(encoded).expect("base64");
        let wrapped = proto::WrappedJoinRequest::decode(&*wrapped).expect("protobuf");
        proto::JoinRequest::decode(&*wrapped.join_request).expect("protobuf")
    }

    #[test]
    fn a_single_connection_is_offered_with_the_request_and_two_are_not() {
        let request = decoded(&query(SignalProtocol::V1).path());
        assert_eq!(request.publisher_offer.expect("it has one").sdp, "v=0");
        assert_eq!(request.add_track_requests[0].cid, "voice");
        assert_eq!(request.participant_attributes["mood"], "good");
        let path = query(SignalProtocol::V0).path();
        assert!(path.starts_with("/rtc?sdk=rust&") && path.contains("auto_subscribe=1"), "{path}");
    }

    #[test]
    fn a_participant_that_resumes_says_who_it_is_and_why() {
        let reason = proto::ReconnectReason::RrSignalDisconnected;
        let request = decoded(&resume_path(SignalProtocol::V1, "PA_1", reason));
        assert!(request.reconnect && request.publisher_offer.is_none());
        assert_eq!((&*request.participant_sid, request.reconnect_reason()), ("PA_1", reason));
        let path = resume_path(SignalProtocol::V0, "PA_1&x", reason);
        assert!(path.ends_with("&reconnect=1&sid=PA_1%26x&reconnect_reason=1"), "{path}");
    }

    fn update(participant: &proto::ParticipantInfo, count: usize) -> Vec<u8> {
        let participants = vec![participant.clone(); count];
        let message = Response::Update(proto::ParticipantUpdate { participants });
        proto::SignalResponse { message: Some(message) }.encode_to_vec()
    }

    #[test]
    fn a_message_that_is_small_on_the_wire_and_large_in_memory_is_not_decoded() {
        let empty = proto::ParticipantInfo::default();
        // A megabyte, two bytes each.
        let bomb = update(&empty, 500_000);
        assert!(bomb.len() < 1_100_000 && has_too_many_parts(&bomb));
        assert!(decode_signal(&bomb).is_none());
        let nested =
            proto::ParticipantInfo { tracks: vec![proto::TrackInfo::default(); 200_000], ..empty };
        assert!(decode_signal(&update(&nested, 1)).is_none());
        let track = proto::TrackInfo {
            sid: "TR_AMabcdefghijkl".to_owned(),
            name: "microphone".to_owned(),
            mime_type: "audio/opus".to_owned(),
            codecs: vec![proto::SimulcastCodecInfo::default()],
            ..proto::TrackInfo::default()
        };
        let real = proto::ParticipantInfo {
            sid: "PA_abcdefghijkl".to_owned(),
            identity: "participant-0123456789".to_owned(),
            name: "A participant with a name".to_owned(),
            metadata: "{\"role\":\"guest\",\"room\":\"one of many\"}".repeat(4),
            tracks: vec![track; 2],
            attributes: HashMap::from([("lk.agent.state".to_owned(), "listening".to_owned())]),
            permission: Some(proto::ParticipantPermission::default()),
            ..proto::ParticipantInfo::default()
        };
        let crowd = update(&real, 1_500);
        assert!(crowd.len() > 2 * MAX_PARTS, "it is counted: {}", crowd.len());
        assert!(decode_signal(&crowd).is_some(), "a room of more than a thousand");
        let text = proto::SignalResponse {
            message: Some(Response::Answer(proto::SessionDescription {
                sdp: "a=candidate:1 1 udp 2130706431 10.0.0.1 7882 typ host\r\n".repeat(15_000),
                ..proto::SessionDescription::default()
            })),
        };
        assert!(decode_signal(&text.encode_to_vec()).is_some(), "a long text is one part");
    }
}
