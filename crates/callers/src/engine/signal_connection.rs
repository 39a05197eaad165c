//! The signal connection of one participant: a WebSocket, whose messages go to the thread that owns the participant.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use livekit_protocol as proto;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use tracing::debug;

use super::clock::EngineClock;
use super::connect_error::ConnectError;
use super::incoming::{IncomingQueue, Place};
use crate::participant::{
    SignalAttempt, SignalLoss, decode_signal, encode_signal, has_too_many_parts, request_kind,
    response_kind,
};
use rushhour_core::units::Secret;
use rushhour_livekit::http::{CertificateProblem, ProxyServer, TrustStore, connect_stream};

/// How long a server may take to answer the request to connect.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a closing handshake may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the server is pinged until it says how often.
const DEFAULT_PING_INTERVAL: Duration = Duration::from_secs(10);
/// How long the server may send nothing until it says how long, as LiveKit's clients assume.
const DEFAULT_PING_TIMEOUT: Duration = Duration::from_secs(15);
/// The most bytes of a signal message: the participants of a room of some thousand.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// The most bytes that wait for a server which does not read: answers to its pings, and what we send ourselves.
const MAX_UNSENT_BYTES: usize = 256 << 10;

/// A WebSocket to a LiveKit server.
pub type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why a signal connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignalError {
    #[error("the server closed the signal connection")]
    Closed,
    #[error("the server closed the signal connection: {0}")]
    Aborted(CloseCode),
    #[error("the server sent nothing for {} s, not even answers to pings", .0.as_secs())]
    Silent(Duration),
    #[error(transparent)]
    NotOpened(ConnectError),
    #[error("the server sent more than a participant can handle: it was disconnected")]
    Flood,
    #[error("the signal connection broke: {0}")]
    Broken(#[from] tungstenite::Error),
}

impl SignalError {
    /// What it means for the participant.
    pub(super) fn into_loss(self) -> SignalLoss {
        let text = self.to_string().into();
        match self {
            Self::Closed => SignalLoss::Closed(text),
            Self::Aborted(_) | Self::Flood | Self::Broken(_) => SignalLoss::Broken(text),
            Self::Silent(since) => SignalLoss::Silent(since.into()),
            Self::NotOpened(error) if error.is_refused_token() => SignalLoss::Refused(text),
            Self::NotOpened(error) if error.is_nobody_listening() => {
                SignalLoss::NobodyListens(text)
            }
            Self::NotOpened(_) => SignalLoss::NotOpened(text),
        }
    }
}

/// Opens a WebSocket to a LiveKit server at `path` (with its query): a participant's signal connection, or a worker's.
///
/// # Errors
/// If the server cannot be reached, refuses, or does not answer within 10 s.
pub async fn connect(
    url: &str,
    path: &str,
    token: &Secret,
    trust: &TrustStore,
) -> Result<WebSocket, ConnectError> {
    let proxy = ProxyServer::for_service(url);
    open(url, path, token, trust, proxy.as_ref()).await.map_err(|error| error.through(proxy))
}

async fn open(
    url: &str,
    path: &str,
    token: &Secret,
    trust: &TrustStore,
    proxy: Option<&ProxyServer>,
) -> Result<WebSocket, ConnectError> {
    let mut request = format!("{}{path}", url.trim_end_matches('/'))
        .into_client_request()
        .map_err(connect_error)?;
    let bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()))
        .map_err(|_| ConnectError::Token)?;
    request.headers_mut().insert("Authorization", bearer);
    // Every participant has buffers of its own, so they are small.
    let config = WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_UNSENT_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let connecting = async {
        let stream = connect_stream(url, proxy).await.map_err(|error| match error.io_error() {
            Some(io) if is_out_of_files(io) => ConnectError::OutOfFiles(kept(io)),
            _ => ConnectError::Stream(error),
        })?;
        let tls = Some(Connector::Rustls(trust.tls_config()));
        client_async_tls_with_config(request, stream, Some(config), tls)
            .await
            .map_err(connect_error)
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ConnectError::Timeout),
    }
}

fn connect_error(error: tungstenite::Error) -> ConnectError {
    if let Some(problem) = CertificateProblem::find(&error) {
        return ConnectError::Certificate(problem);
    }
    match error {
        tungstenite::Error::Http(answer) => {
            let status = answer.status().as_u16();
            let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            ConnectError::Refused { status, message: body.trim().into() }
        }
        tungstenite::Error::Io(error) if is_out_of_files(&error) => ConnectError::OutOfFiles(error),
        other => ConnectError::WebSocket(Box::new(other)),
    }
}

/// The same error of the system again: one that caused another cannot be taken out of it.
fn kept(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::from(error.kind()), io::Error::from_raw_os_error)
}

/// Whether the process or the system has no more file descriptors.
pub(super) fn is_out_of_files(error: &io::Error) -> bool {
    use nix::libc::{EMFILE, ENFILE};
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

/// What a participant asks of its signal connection.
#[derive(Debug)]
pub(super) enum SignalCommand {
    /// To send a message.
    Send(Box<Request>),
    /// To be replaced by a new one.
    Open(SignalAttempt),
}

/// How often a server wants to be pinged, and after which silence it is gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct PingTimes {
    interval: Duration,
    timeout: Duration,
}

impl Default for PingTimes {
    fn default() -> Self {
        Self { interval: DEFAULT_PING_INTERVAL, timeout: DEFAULT_PING_TIMEOUT }
    }
}

impl PingTimes {
    fn of(join: &proto::JoinResponse) -> Self {
        let seconds = |given: i32, default| match u64::try_from(given) {
            Ok(seconds @ 1..=600) => Duration::from_secs(seconds),
            _ => default,
        };
        Self {
            interval: seconds(join.ping_interval, DEFAULT_PING_INTERVAL),
            timeout: seconds(join.ping_timeout, DEFAULT_PING_TIMEOUT),
        }
    }
}

/// How a signal connection ended.
#[derive(Debug)]
pub(super) enum RelayEnd {
    /// The participant is gone.
    Left,
    /// The connection is lost; `receive` was told.
    Lost,
    /// The participant wants another one.
    Replaced(SignalAttempt),
}

/// Relays messages in both directions and pings the server, as often as it asks to. `pings` outlives the connection: a
/// server does not repeat its wishes when it resumes a participant.
pub(super) async fn relay(
    mut socket: Box<WebSocket>,
    outgoing: &mut UnboundedReceiver<SignalCommand>,
    clock: EngineClock,
    pings: &mut PingTimes,
    mut receive: impl FnMut(Result<(Response, Place), SignalError>),
) -> RelayEnd {
    let queue = IncomingQueue::default();
    let mut ping = ping_timer(pings.interval);
    let mut silent_at = Instant::now() + pings.timeout;
    let error = loop {
        let result = tokio::select! {
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Binary(bytes))) if has_too_many_parts(&bytes) => {
                    break SignalError::Flood;
                }
                Some(Ok(Message::Binary(bytes))) => {
                    silent_at = Instant::now() + pings.timeout;
                    let Some(message) = decode_signal(&bytes) else { continue };
                    debug!(kind = response_kind(&message), "signal message received");
                    if let Response::Join(join) = &message {
                        *pings = PingTimes::of(join);
                        ping = ping_timer(pings.interval);
                        silent_at = Instant::now() + pings.timeout;
                    }
                    let Some(place) = queue.enter(&message, bytes.len()) else {
                        break SignalError::Flood;
                    };
                    receive(Ok((message, place)));
                    Ok(())
                }
                Some(Ok(Message::Close(frame))) => break closing_error(frame),
                None => break SignalError::Closed,
                Some(Ok(_)) => Ok(()),
                Some(Err(error)) => Err(error),
            },
            command = outgoing.recv() => match command {
                Some(SignalCommand::Send(message)) => send(&mut socket, *message).await,
                Some(SignalCommand::Open(attempt)) => return RelayEnd::Replaced(attempt),
                None => {
                    // The participant is gone; a server that does not answer is not waited for.
                    let _ = tokio::time::timeout(CLOSE_TIMEOUT, (*socket).close(None)).await;
                    return RelayEnd::Left;
                }
            },
            () = tokio::time::sleep_until(silent_at) => break SignalError::Silent(pings.timeout),
            _ = ping.tick() => {
                let timestamp = clock.wall_ms(clock.now());
                send(&mut socket, Request::PingReq(proto::Ping { timestamp, rtt: 0 })).await
            }
        };
        if let Err(error) = result {
            break SignalError::Broken(error);
        }
    };
    receive(Err(error));
    RelayEnd::Lost
}

/// What a close frame means: LiveKit's servers close in due form when they mean it; whoever is in between does not.
fn closing_error(frame: Option<CloseFrame>) -> SignalError {
    match frame.map(|frame| frame.code) {
        None | Some(CloseCode::Normal | CloseCode::Status) => SignalError::Closed,
        Some(code) => SignalError::Aborted(code),
    }
}

async fn send(socket: &mut WebSocket, message: Request) -> Result<(), tungstenite::Error> {
    debug!(kind = request_kind(&message), "signal message sent");
    socket.send(Message::Binary(encode_signal(message).into())).await
}

/// A timer whose first tick is one interval from now.
fn ping_timer(interval: Duration) -> tokio::time::Interval {
    let mut timer = tokio::time::interval(interval);
    timer.reset();
    timer
}
