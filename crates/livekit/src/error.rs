//! What can go wrong between us and LiveKit, sorted by what it means for a run.

use crate::http::{TransportError, TransportErrorKind};
use rushhour_core::units::redact;

/// What kind of trouble it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveKitErrorKind {
    /// The key, the secret or the token is not the server's: nothing else would succeed either.
    Unauthenticated,
    /// The token lacks a grant.
    Forbidden,
    /// The room or dispatch is not there.
    NotFound,
    /// No connection could be made: nothing was sent.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The connection broke, or something that is not LiveKit answered.
    Transport,
    /// The server answered with an error of its own.
    Server,
    /// It was never asked, through a fault of ours.
    OurFault,
}

/// An error in Twirp's own form.
#[derive(serde::Deserialize)]
struct TwirpErrorBody {
    code: String,
    msg: String,
}

/// A request to LiveKit that did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{words}")]
pub struct LiveKitError {
    /// What kind of trouble it was.
    pub kind: LiveKitErrorKind,
    /// What happened, in words; the server's own where it gave some.
    pub words: String,
}

impl LiveKitError {
    /// An error of that kind, in words.
    pub fn new(kind: LiveKitErrorKind, words: impl Into<String>) -> Self {
        Self { kind, words: words.into() }
    }

    /// What an answer without success means. The open-source server answers a token that it does not accept
    /// with 401 and plain text, which repeats the token; and a missing grant with 401, `unauthenticated`
    /// and the words "permissions denied".
    pub fn of_refusal(status: u16, body: &[u8]) -> Self {
        if let Ok(error) = serde_json::from_slice::<TwirpErrorBody>(body) {
            return Self::twirp(&error.code, &redact(&error.msg, &[]));
        }
        match status {
            401 => Self::new(
                LiveKitErrorKind::Unauthenticated,
                "LiveKit refused the token: the key or the secret is not the server's, or the clocks disagree",
            ),
            status => Self::foreign(status),
        }
    }

    /// Sorts an answer of the Twirp protocol by its code.
    fn twirp(code: &str, message: &str) -> Self {
        let kind = match code {
            "unauthenticated" if message.contains("permission") => LiveKitErrorKind::Forbidden,
            "unauthenticated" => LiveKitErrorKind::Unauthenticated,
            "permission_denied" => LiveKitErrorKind::Forbidden,
            "not_found" => LiveKitErrorKind::NotFound,
            "deadline_exceeded" => LiveKitErrorKind::TimedOut,
            _ => LiveKitErrorKind::Server,
        };
        Self::new(kind, format!("LiveKit answered {code}: {message}"))
    }

    /// Sorts trouble below the protocol.
    pub(super) fn transport(error: &TransportError) -> Self {
        let kind = match error.kind {
            TransportErrorKind::NotSent => LiveKitErrorKind::Unreachable,
            TransportErrorKind::TimedOut => LiveKitErrorKind::TimedOut,
            TransportErrorKind::Broken => LiveKitErrorKind::Transport,
        };
        Self::new(kind, format!("LiveKit: {error}"))
    }

    /// What answered is not LiveKit.
    pub(super) fn foreign(status: u16) -> Self {
        let words = format!("what answered {status} is not LiveKit's API (a proxy's page?)");
        Self::new(LiveKitErrorKind::Transport, words)
    }
}
