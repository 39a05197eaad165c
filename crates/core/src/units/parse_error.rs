//! The error of parsing a quantity.

/// A text that cannot be parsed as a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseUnitError {
    /// What is wrong with the text.
    pub message: String,
    /// How to write it, with an example.
    pub hint: String,
}

impl ParseUnitError {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: what.into(), hint: hint.into() }
    }
}
