//! The signalling connection of one participant: a WebSocket, its messages passed to the thread that owns the participant.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use livekit_protocol as proto;
use proto::signal_response::Message as Response;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::clock::EngineClock;
use super::handler::LeaveReason;
use crate::participant::{decode_signal, encode_signal};
use rushhour_core::units::{Secret, redact};

/// How long a server may take to answer the request to join.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Most of a refusal's text that is kept.
const LONGEST_WORDS: usize = 300;
/// A signal message of more than this is nobody's.
const LONGEST_MESSAGE: usize = 4 << 20;

/// A WebSocket to a LiveKit server.
pub type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a WebSocket to a LiveKit server, at `path` with its query: the signalling of a join, or a worker's.
///
/// # Errors
/// Where it is refused, or not answered within 10 s; never more than [`LeaveReason::Refused`] and [`LeaveReason::OurFault`].
pub async fn connect(url: &str, path: &str, token: &Secret) -> Result<WebSocket, LeaveReason> {
    let refused = |words: String, status| LeaveReason::Refused { words, status };
    let mut request = format!("{}{path}", url.trim_end_matches('/'))
        .into_client_request()
        .map_err(|error| refused(error.to_string(), None))?;
    let bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()))
        .map_err(|_| refused("the token is no header's value".to_owned(), None))?;
    request.headers_mut().insert("Authorization", bearer);
    // As many buffers as callers: each as small as it may be.
    let config = WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(0)
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE));
    let connecting = connect_async_with_config(request, Some(config), true);
    match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(explain(error)),
        Err(_) => Err(refused(format!("no answer within {} s", CONNECT_WITHIN.as_secs()), None)),
    }
}

fn explain(error: Error) -> LeaveReason {
    match error {
        Error::Http(answer) => {
            let status = answer.status();
            let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            // A server that refuses a token repeats it.
            let body = redact(body.trim(), &[]);
            let said: String = body.chars().take(LONGEST_WORDS).collect();
            let words =
                if said.is_empty() { status.to_string() } else { format!("{status}: {said}") };
            LeaveReason::Refused { words, status: Some(status.as_u16()) }
        }
        Error::Io(error) if out_of_files(&error) => LeaveReason::OurFault(error.to_string()),
        other => LeaveReason::Refused { words: other.to_string(), status: None },
    }
}

/// Whether the process has no more file handles (`EMFILE`, `ENFILE`).
pub(super) fn out_of_files(error: &std::io::Error) -> bool {
    use nix::libc::{EMFILE, ENFILE};
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

/// Passes messages both ways until either side ends: `tell` gets the server's, and last why it ended.
pub(super) async fn carry(
    mut socket: WebSocket,
    mut outgoing: UnboundedReceiver<proto::signal_request::Message>,
    clock: EngineClock,
    mut tell: impl FnMut(Result<Response, String>),
) {
    // Until the server says how often it wants to be pinged.
    let mut ping_every = Duration::from_secs(10);
    let mut ping = tokio::time::interval(ping_every);
    ping.reset();
    let why = loop {
        tokio::select! {
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Binary(bytes))) => {
                    let Some(message) = decode_signal(&bytes) else { continue };
                    if let Response::Join(join) = &message
                        && let Ok(seconds @ 1..=600) = u64::try_from(join.ping_interval)
                    {
                        ping_every = Duration::from_secs(seconds);
                        ping = tokio::time::interval(ping_every);
                        ping.reset();
                    }
                    tell(Ok(message));
                }
                Some(Ok(Message::Close(_))) | None => break "the server closed the signal connection".to_owned(),
                Some(Ok(_)) => {}
                Some(Err(error)) => break format!("the signal connection broke: {error}"),
            },
            message = outgoing.recv() => {
                let Some(message) = message else {
                    // Nobody listens any more; a server that does not answer is not waited for.
                    let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
                    return;
                };
                let message = Message::Binary(encode_signal(message).into());
                if let Err(error) = socket.send(message).await {
                    break format!("the signal connection broke: {error}");
                }
            }
            _ = ping.tick() => {
                let now = proto::Ping { timestamp: clock.wall_ms(clock.now()), rtt: 0 };
                let message = proto::signal_request::Message::PingReq(now);
                if let Err(error) = socket.send(Message::Binary(encode_signal(message).into())).await {
                    break format!("the signal connection broke: {error}");
                }
            }
        }
    };
    tell(Err(why));
}
