//! Errors of requests to LiveKit, classified by what they mean for a run.

use std::sync::Arc;

use rushhour_core::ErrorSource;
use rushhour_core::units::{ForeignText, Micros};

use crate::http::{HttpResponse, ProxyServer, TransportError, TransportErrorKind};
use crate::token::TokenError;

/// What a failed request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveKitErrorKind {
    /// The server does not accept the key, the secret or the token: no other request would succeed either.
    Unauthenticated,
    /// The token lacks a grant.
    Forbidden,
    /// The room or dispatch does not exist.
    NotFound,
    /// Certainly not executed, because of too many requests: safe to repeat after a pause.
    RateLimited {
        /// How long the server, or the proxy before it, asks us to wait.
        retry_after: Option<Micros>,
    },
    /// No connection could be made: nothing was sent.
    Unreachable,
    /// No response in time.
    TimedOut,
    /// The connection broke, or something that is not LiveKit answered.
    Transport,
    /// The server answered with an error.
    Server,
    /// The request was never sent, through a fault of Rushhour or of this machine.
    Internal,
}

impl LiveKitErrorKind {
    /// What the reader can do about it.
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            Self::Unauthenticated => Some("check LIVEKIT_API_KEY and LIVEKIT_API_SECRET"),
            Self::Forbidden => Some("use a key that may create, list and administer rooms"),
            Self::RateLimited { .. } => Some(
                "lower the rates of the stages and limits.looks, or ask for a higher quota of requests",
            ),
            Self::Unreachable | Self::TimedOut | Self::Transport => {
                Some("check livekit.url, or LIVEKIT_URL")
            }
            Self::NotFound | Self::Server | Self::Internal => None,
        }
    }
}

/// A request to LiveKit that did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct LiveKitError {
    /// What it means.
    pub kind: LiveKitErrorKind,
    /// What happened, the innermost cause included; the server's own message where it sent one.
    pub message: ForeignText,
    /// What caused it, where that is an error of its own.
    #[source]
    pub source: Option<ErrorSource>,
}

/// The body of an error in Twirp's protocol: <https://twitchtv.github.io/twirp/docs/errors.html>.
#[derive(serde::Deserialize)]
struct TwirpErrorBody {
    code: String,
    msg: String,
}

impl LiveKitError {
    /// An error without a cause of its own.
    pub fn new(kind: LiveKitErrorKind, message: impl Into<ForeignText>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// What the reader can do about it.
    pub const fn hint(&self) -> Option<&'static str> {
        self.kind.hint()
    }

    /// Classifies a response whose status is not a success, with how long it asks us to wait.
    pub fn from_http(response: &HttpResponse) -> Self {
        let mut error = Self::from_response(response.status, &response.body);
        if let LiveKitErrorKind::RateLimited { retry_after } = &mut error.kind {
            *retry_after = response.retry_after;
        }
        error
    }

    /// Whether the request was refused because of too many requests.
    pub const fn is_rate_limited(&self) -> bool {
        matches!(self.kind, LiveKitErrorKind::RateLimited { .. })
    }

    /// Classifies a status that is not a success and its body. The open-source server answers a token that it does
    /// not accept with 401 and plain text, which repeats the token; and a missing grant with 401,
    /// `unauthenticated` and the message "permissions denied".
    pub fn from_response(status: u16, body: &[u8]) -> Self {
        if let Ok(error) = serde_json::from_slice::<TwirpErrorBody>(body) {
            return Self::from_twirp(&error.code, &error.msg);
        }
        match status {
            401 => Self::new(
                LiveKitErrorKind::Unauthenticated,
                "LiveKit refused the token: the key or the secret is not the server's, or the clocks disagree",
            ),
            // Whoever limits requests in front of a server answers in words of its own.
            429 => Self::new(
                LiveKitErrorKind::RateLimited { retry_after: None },
                "LiveKit, or a proxy before it, answered 429: too many requests",
            ),
            status => Self::not_livekit(status),
        }
    }

    fn from_twirp(code: &str, message: &str) -> Self {
        let kind = match code {
            "unauthenticated" if message.contains("permission") => LiveKitErrorKind::Forbidden,
            "unauthenticated" => LiveKitErrorKind::Unauthenticated,
            "permission_denied" => LiveKitErrorKind::Forbidden,
            "not_found" => LiveKitErrorKind::NotFound,
            "resource_exhausted" => LiveKitErrorKind::RateLimited { retry_after: None },
            "deadline_exceeded" => LiveKitErrorKind::TimedOut,
            _ => LiveKitErrorKind::Server,
        };
        Self::new(kind, format!("LiveKit answered {code}: {message}"))
    }

    /// The same error; where something else than LiveKit may have answered, with the proxy that stood between.
    #[must_use]
    pub(super) fn through(self, proxy: Option<&ProxyServer>) -> Self {
        match (self.kind, proxy) {
            (LiveKitErrorKind::Transport, Some(proxy)) => {
                let message = format!("{}; the proxy {proxy} stands between", self.message).into();
                Self { message, ..self }
            }
            _ => self,
        }
    }

    /// Something else than LiveKit answered.
    pub(super) fn not_livekit(status: u16) -> Self {
        let message =
            format!("what answered with status {status} is not LiveKit's API (a proxy's page?)");
        Self::new(LiveKitErrorKind::Transport, message)
    }
}

impl From<TransportError> for LiveKitError {
    fn from(error: TransportError) -> Self {
        let kind = match error.kind {
            TransportErrorKind::NotSent => LiveKitErrorKind::Unreachable,
            TransportErrorKind::TimedOut => LiveKitErrorKind::TimedOut,
            TransportErrorKind::Broken => LiveKitErrorKind::Transport,
        };
        Self::new(kind, format!("LiveKit: {error}")).with_source(error)
    }
}

impl From<TokenError> for LiveKitError {
    fn from(error: TokenError) -> Self {
        Self::new(LiveKitErrorKind::Unauthenticated, error.to_string()).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, retry_after: Option<Micros>, body: &str) -> HttpResponse {
        let body = body.as_bytes().to_vec();
        HttpResponse { status, retry_after, date: None, body, truncated: false }
    }

    #[test]
    fn too_many_requests_are_recognised_from_twirp_and_from_a_proxy() {
        let wait = Some(Micros::from_secs(7));
        let limited = LiveKitErrorKind::RateLimited { retry_after: wait };
        for body in [
            r#"{"code":"resource_exhausted","msg":"too many requests"}"#,
            "<html><title>429 Too Many Requests</title></html>",
            "",
        ] {
            let error = LiveKitError::from_http(&response(429, wait, body));
            assert_eq!(error.kind, limited, "{body}");
            assert!(error.is_rate_limited() && error.hint().is_some());
        }
        let exhausted = r#"{"code":"resource_exhausted","msg":"node has exceeded its limit"}"#;
        let error = LiveKitError::from_http(&response(503, None, exhausted));
        assert_eq!(error.kind, LiveKitErrorKind::RateLimited { retry_after: None });
        assert_eq!(
            error.message,
            "LiveKit answered resource_exhausted: node has exceeded its limit"
        );
        let other = LiveKitError::from_http(&response(503, wait, "busy"));
        assert_eq!(other.kind, LiveKitErrorKind::Transport);
    }
}
