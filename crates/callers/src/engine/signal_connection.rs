//! The signal connection of one participant: a WebSocket, whose messages go to the thread that owns the participant.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use livekit_protocol as proto;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tracing::debug;

use super::clock::EngineClock;
use super::connect_error::ConnectError;
use super::incoming::{IncomingQueue, Place};
use crate::participant::{
    decode_signal, encode_signal, has_too_many_parts, request_kind, response_kind,
};
use rushhour_core::units::Secret;

/// How long a server may take to answer the request to connect.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a closing handshake may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the server is pinged until it says how often.
const DEFAULT_PING_INTERVAL: Duration = Duration::from_secs(10);
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
    #[error("the server sent more than a participant can handle: it was disconnected")]
    Flood,
    #[error("the signal connection broke: {0}")]
    Broken(#[from] tungstenite::Error),
}

/// Opens a WebSocket to a LiveKit server at `path` (with its query): a participant's signal connection, or a worker's.
///
/// # Errors
/// If the server cannot be reached, refuses, or does not answer within 10 s.
pub async fn connect(url: &str, path: &str, token: &Secret) -> Result<WebSocket, ConnectError> {
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
    let connecting = connect_async_with_config(request, Some(config), true);
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(connect_error(error)),
        Err(_) => Err(ConnectError::Timeout),
    }
}

fn connect_error(error: tungstenite::Error) -> ConnectError {
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

/// Whether the process or the system has no more file descriptors.
pub(super) fn is_out_of_files(error: &io::Error) -> bool {
    use nix::libc::{EMFILE, ENFILE};
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

/// Relays messages in both directions and pings the server. Ends after passing an error to `receive`, or once
/// `outgoing` is closed.
pub(super) async fn relay(
    mut socket: WebSocket,
    mut outgoing: UnboundedReceiver<Request>,
    clock: EngineClock,
    mut receive: impl FnMut(Result<(Response, Place), SignalError>),
) {
    let queue = IncomingQueue::default();
    let mut ping = ping_timer(DEFAULT_PING_INTERVAL);
    let error = loop {
        let result = tokio::select! {
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Binary(bytes))) if has_too_many_parts(&bytes) => {
                    break SignalError::Flood;
                }
                Some(Ok(Message::Binary(bytes))) => {
                    let Some(message) = decode_signal(&bytes) else { continue };
                    debug!(kind = response_kind(&message), "signal message received");
                    if let Response::Join(join) = &message
                        && let Ok(seconds @ 1..=600) = u64::try_from(join.ping_interval)
                    {
                        ping = ping_timer(Duration::from_secs(seconds));
                    }
                    let Some(place) = queue.enter(&message, bytes.len()) else {
                        break SignalError::Flood;
                    };
                    receive(Ok((message, place)));
                    Ok(())
                }
                Some(Ok(Message::Close(_))) | None => break SignalError::Closed,
                Some(Ok(_)) => Ok(()),
                Some(Err(error)) => Err(error),
            },
            message = outgoing.recv() => {
                let Some(message) = message else {
                    // The participant is gone; a server that does not answer is not waited for.
                    let _ = tokio::time::timeout(CLOSE_TIMEOUT, socket.close(None)).await;
                    return;
                };
                send(&mut socket, message).await
            }
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
