//! A LiveKit server on loopback, in this process, whose rooms hold one caller and one agent: what a caller sends ends here.
//! It speaks as much of the protocol as our callers need to join and to talk, and runs on threads of its own, so that its
//! cost can be told from theirs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use futures_util::{SinkExt, StreamExt};
use livekit_protocol as proto;
use prost::Message as _;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use str0m::RtcError;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep_until;
use tokio_tungstenite::tungstenite::handshake::server as handshake;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};
use url::form_urlencoded;

use super::loopback_peer::{AGENT, LoopbackPeer};
use super::processor_time::LOOPBACK_THREADS;

/// The agent's track.
const AGENT_TRACK: &str = "TR_agent";
/// The largest datagram.
const DATAGRAM: usize = 2_048;

/// The server. It ends when it is dropped.
pub struct LoopbackServer {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl LoopbackServer {
    /// Starts it on a free port, with as many threads as there are cores.
    ///
    /// # Errors
    /// The system has no port or no threads for it.
    pub fn start() -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().thread_name(LOOPBACK_THREADS).enable_all().build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        runtime.spawn(async move {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    if let Err(error) = serve(stream).await {
                        tracing::debug!(%error, "a caller of the loopback server");
                    }
                });
            }
        });
        Ok(Self { address, runtime: Some(runtime) })
    }

    /// Its address, as callers take it.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Drop for LoopbackServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It may be dropped within another runtime, which must not wait.
            runtime.shutdown_background();
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("the signal connection: {0}")]
    Signal(#[from] tungstenite::Error),
    #[error("it asks to join in no way that is known here")]
    Request,
    #[error("its media: {0}")]
    Media(#[from] RtcError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

type Socket = WebSocketStream<TcpStream>;

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Serves one caller until it leaves.
async fn serve(stream: TcpStream) -> Result<(), ServeError> {
    let mut query = None;
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let read = |request: &handshake::Request, response: handshake::Response| {
        query = request.uri().query().map(str::to_owned);
        Ok(response)
    };
    let mut socket = accept_hdr_async(stream, read).await?;
    let request = query.as_deref().and_then(join_request).ok_or(ServeError::Request)?;
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let mut peer = LoopbackPeer::new(udp.local_addr()?, now())?;
    join(&mut socket, &mut peer, &request).await?;
    let mut buffer = [0; DATAGRAM];
    let mut next = now();
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    if answer_signal(&mut socket, &mut peer, &bytes).await?.is_none() {
                        return Ok(());
                    }
                }
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            },
            received = udp.recv_from(&mut buffer) => {
                let (length, from) = received?;
                peer.receive(&buffer[..length], from, now())?;
            }
            () = sleep_until(next.into()) => {}
        }
        next = peer.advance(now(), |to, bytes| {
            // A datagram that the system has no room for is lost, as on any network.
            let _ = udp.try_send_to(bytes, to);
        })?;
    }
}

/// Lets a caller in, who finds the agent there.
async fn join(
    socket: &mut Socket,
    peer: &mut LoopbackPeer,
    request: &proto::JoinRequest,
) -> Result<(), ServeError> {
    let offer = request.publisher_offer.as_ref().ok_or(ServeError::Request)?;
    send(socket, Response::Join(welcome())).await?;
    for track in &request.add_track_requests {
        let info = proto::TrackInfo {
            sid: format!("TR_{}", track.cid),
            r#type: track.r#type,
            source: track.source,
            name: track.name.clone(),
            ..proto::TrackInfo::default()
        };
        let published = proto::TrackPublishedResponse { cid: track.cid.clone(), track: Some(info) };
        send(socket, Response::TrackPublished(published)).await?;
    }
    let (sdp, _) = peer.answer(&offer.sdp, now())?;
    send(socket, Response::Answer(answer(sdp, offer.id, None))).await?;
    if !request.add_track_requests.is_empty() {
        let required = proto::MediaSectionsRequirement { num_audios: 1, num_videos: 0 };
        send(socket, Response::MediaSectionsRequirement(required)).await?;
    }
    Ok(())
}

fn welcome() -> proto::JoinResponse {
    let agent_track = proto::TrackInfo {
        sid: AGENT_TRACK.to_owned(),
        r#type: proto::TrackType::Audio.into(),
        source: proto::TrackSource::Microphone.into(),
        name: "agent".to_owned(),
        ..proto::TrackInfo::default()
    };
    let agent = proto::ParticipantInfo {
        sid: "PA_agent".to_owned(),
        identity: AGENT.to_owned(),
        state: proto::participant_info::State::Active.into(),
        kind: proto::participant_info::Kind::Agent.into(),
        tracks: vec![agent_track],
        attributes: [("lk.agent.state".to_owned(), "listening".to_owned())].into(),
        ..proto::ParticipantInfo::default()
    };
    let caller = proto::ParticipantInfo {
        sid: "PA_caller".to_owned(),
        identity: "caller".to_owned(),
        state: proto::participant_info::State::Active.into(),
        ..proto::ParticipantInfo::default()
    };
    proto::JoinResponse {
        room: Some(proto::Room {
            sid: "RM_measure".to_owned(),
            name: "measure".to_owned(),
            ..proto::Room::default()
        }),
        participant: Some(caller),
        other_participants: vec![agent],
        ping_interval: 10,
        ping_timeout: 30,
        ..proto::JoinResponse::default()
    }
}

/// Answers a message; `None` if the caller leaves.
async fn answer_signal(
    socket: &mut Socket,
    peer: &mut LoopbackPeer,
    bytes: &[u8],
) -> Result<Option<()>, ServeError> {
    let request = proto::SignalRequest::decode(bytes).map_err(|_| ServeError::Request)?;
    match request.message {
        Some(Request::Offer(offer)) => {
            let (sdp, section) = peer.answer(&offer.sdp, now())?;
            send(socket, Response::Answer(answer(sdp, offer.id, section))).await?;
        }
        Some(Request::PingReq(ping)) => {
            #[expect(clippy::disallowed_methods, reason = "the protocol wants the time of day")]
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let timestamp = i64::try_from(wall.as_millis()).unwrap_or(i64::MAX);
            let pong = proto::Pong { last_ping_timestamp: ping.timestamp, timestamp };
            send(socket, Response::PongResp(pong)).await?;
        }
        Some(Request::Leave(_)) => return Ok(None),
        _ => {}
    }
    Ok(Some(()))
}

/// An answer; the agent's track is in this section.
fn answer(sdp: String, id: u32, section: Option<String>) -> proto::SessionDescription {
    let tracks = section.map(|section| (section, AGENT_TRACK.to_owned()));
    proto::SessionDescription {
        r#type: "answer".to_owned(),
        sdp,
        id,
        mid_to_track_id: tracks.into_iter().collect(),
    }
}

async fn send(socket: &mut Socket, message: Response) -> Result<(), ServeError> {
    let bytes = proto::SignalResponse { message: Some(message) }.encode_to_vec();
    Ok(socket.send(Message::Binary(bytes.into())).await?)
}

/// The request to join in the query of `/rtc/v1`.
fn join_request(query: &str) -> Option<proto::JoinRequest> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, wrapped) = pairs.find(|(name, _)| name == "join_request")?;
    let wrapped = URL_SAFE.decode(wrapped.as_bytes()).ok()?;
    let wrapped = proto::WrappedJoinRequest::decode(&*wrapped).ok()?;
    proto::JoinRequest::decode(&*wrapped.join_request).ok()
}
