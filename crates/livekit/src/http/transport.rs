//! Trouble below HTTP, sorted by whether the request can have been taken in.

/// What kind of trouble it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// No connection could be made: nothing was sent.
    NotSent,
    /// No whole answer in time: the request may have been taken in.
    TimedOut,
    /// The connection broke: the request may have been taken in.
    Broken,
}

/// A request that was not answered.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{words}")]
pub struct TransportError {
    /// What kind of trouble it was.
    pub kind: TransportErrorKind,
    /// What happened, in words that name no address.
    pub words: String,
}

impl TransportError {
    /// Sorts reqwest's trouble. The address is left out: it is known, and may hold a query.
    pub fn sort(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let (kind, words) = if error.is_connect() || error.is_builder() {
            (TransportErrorKind::NotSent, format!("no connection: {}", innermost(&error)))
        } else if error.is_timeout() {
            (TransportErrorKind::TimedOut, "no answer in time".to_owned())
        } else {
            (TransportErrorKind::Broken, format!("the connection broke: {}", innermost(&error)))
        };
        Self { kind, words }
    }
}

/// The innermost cause, which is the one that says something.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
