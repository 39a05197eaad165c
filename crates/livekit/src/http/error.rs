//! Errors below HTTP, classified by whether the server may have received the request.

use std::sync::Arc;

use super::certificate::CertificateProblem;
use super::proxy::ProxyServer;
use super::trust::TrustError;
use rushhour_core::ErrorSource;
use rushhour_core::units::ForeignText;

/// Whether the server may have received the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// No connection could be made: nothing was sent.
    NotSent,
    /// No complete response in time: the server may have received the request.
    TimedOut,
    /// The connection broke: the server may have received the request.
    Broken,
}

impl TransportErrorKind {
    /// A name for logs.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
        }
    }
}

/// A request without a response.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// Whether the server may have received the request.
    pub kind: TransportErrorKind,
    /// What happened, the innermost cause included. It names no address.
    pub message: ForeignText,
    /// The HTTP library's error, without the address.
    #[source]
    pub source: ErrorSource,
}

impl From<reqwest::Error> for TransportError {
    /// The address is left out: the caller knows it, and its query may hold a secret.
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let certificate = CertificateProblem::find(&error);
        let (kind, message) = if let Some(problem) = certificate {
            (TransportErrorKind::NotSent, format!("no connection: {problem}"))
        } else if error.is_connect() || error.is_builder() {
            (TransportErrorKind::NotSent, format!("no connection: {}", innermost_cause(&error)))
        } else if error.is_timeout() {
            (TransportErrorKind::TimedOut, "no answer in time".to_owned())
        } else {
            let message = format!("the connection broke: {}", innermost_cause(&error));
            (TransportErrorKind::Broken, message)
        };
        Self { kind, message: message.into(), source: Arc::new(error) }
    }
}

impl TransportError {
    /// The same error, with the proxy that stood between.
    #[must_use]
    pub(super) fn through(self, proxy: &ProxyServer) -> Self {
        let message = format!("{} (through the proxy {proxy})", self.message).into();
        Self { message, ..self }
    }
}

impl From<TrustError> for TransportError {
    fn from(error: TrustError) -> Self {
        let message = error.to_string().into();
        Self { kind: TransportErrorKind::NotSent, message, source: Arc::new(error) }
    }
}

/// The outer errors of the chain only say that a request failed.
pub(super) fn innermost_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
