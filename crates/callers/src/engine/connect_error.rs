//! Why a connection to a LiveKit server could not be made.

use std::io;
use std::net::SocketAddr;

use tokio_tungstenite::tungstenite;

use super::signal_connection::CONNECT_TIMEOUT;
use crate::participant::ParticipantError;
use rushhour_core::units::ForeignText;
use rushhour_livekit::http::{CertificateProblem, ProxyServer, StreamError};

/// Why a connection to a LiveKit server could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The server's URL cannot be parsed.
    #[error("{url} is not a valid URL: {source}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        source: url::ParseError,
    },
    /// The server's name cannot be resolved.
    #[error("cannot resolve {host}: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// The server's name has no address.
    #[error("{host} has no address")]
    NoAddress {
        /// The name.
        host: String,
    },
    /// No UDP socket can be bound to an address that reaches the server.
    #[error("cannot bind a UDP socket to reach {server}: {source}")]
    Socket {
        /// The server.
        server: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The process or the system has no more file descriptors (`EMFILE`, `ENFILE`).
    #[error(transparent)]
    OutOfFiles(io::Error),
    /// The token holds characters that an HTTP header cannot.
    #[error("the token is not a valid header value")]
    Token,
    /// The server answered the request with an HTTP status other than 101.
    #[error("{}", refusal(*status, message))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer's body, without tokens.
        message: ForeignText,
    },
    /// The server knows neither of LiveKit's paths for signalling.
    #[error(
        "the server answers /rtc/v1 and /rtc with 404: is this the address of a LiveKit server, without a path?"
    )]
    NoSignalling,
    /// The server did not answer in time.
    #[error("no answer within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout,
    /// The server's name cannot be resolved, or no connection to it can be made.
    #[error("cannot connect to the server: {0}")]
    Stream(#[source] StreamError),
    /// The server's certificate was not accepted.
    #[error("cannot connect to the server: {0}")]
    Certificate(CertificateProblem),
    /// The connection failed, and a proxy stood between.
    #[error("{source} (through the proxy {proxy})")]
    ThroughProxy {
        /// The proxy.
        proxy: ProxyServer,
        /// What failed.
        source: Box<ConnectError>,
    },
    /// TCP, TLS or the WebSocket handshake failed.
    #[error("cannot connect to the server: {0}")]
    WebSocket(#[source] Box<tungstenite::Error>),
    /// No offer could be made.
    #[error(transparent)]
    Participant(#[from] ParticipantError),
}

fn refusal(status: u16, message: &str) -> String {
    use tungstenite::http::StatusCode;
    let status = StatusCode::from_u16(status)
        .map_or_else(|_| status.to_string(), |with_reason| with_reason.to_string());
    if message.is_empty() { status } else { format!("{status}: {message}") }
}

impl ConnectError {
    /// Whether the server does not know the path. A room that does not exist is answered with 404 too.
    pub(super) fn is_unknown_path(&self) -> bool {
        const NO_ROOM: &str = "requested room does not exist";
        matches!(self, Self::Refused { status: 404, message } if !message.contains(NO_ROOM))
    }

    /// Whether the server refuses the token.
    pub(super) const fn is_refused_token(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403, .. })
    }

    /// Whether nothing listens at the server's own address.
    pub(super) fn is_nobody_listening(&self) -> bool {
        let Self::Stream(error) = self else { return false };
        error.io_error().is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// The same error with the proxy that stood between, where the proxy may have caused it.
    pub(super) fn through(self, proxy: Option<ProxyServer>) -> Self {
        match (self, proxy) {
            (error @ (Self::Timeout | Self::Certificate(_) | Self::WebSocket(_)), Some(proxy)) => {
                Self::ThroughProxy { proxy, source: Box::new(error) }
            }
            (error, _) => error,
        }
    }

    /// Whether the fault is this machine's, not the server's or the network's.
    pub(crate) const fn is_local_fault(&self) -> bool {
        matches!(self, Self::OutOfFiles(_) | Self::Participant(_))
    }
}
