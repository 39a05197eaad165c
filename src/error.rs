//! Why a command failed: what happened, what caused it, and what to do about it.

use std::error::Error;
use std::fmt;

use crate::exit::Exit;
use rushhour_core::units::ForeignText;

/// What kind of failure it is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// A bug in Rushhour, or a failure of this machine.
    Internal,
    /// The user has to change the command line, the credentials, a file or a service.
    Usage,
    /// The profile is not valid.
    InvalidProfile,
    /// The user was asked and did not agree.
    Declined,
}

/// A command that failed.
#[derive(Debug)]
pub(crate) struct CliError {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl CliError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// An error whose own message is enough, caused by what the user can change.
    pub(crate) fn from_usage(error: impl Error + Send + Sync + 'static) -> Self {
        Self::usage(error.to_string()).caused_by(error)
    }

    /// An error whose own message is enough, and that the user did not cause.
    pub(crate) fn from_internal(error: impl Error + Send + Sync + 'static) -> Self {
        Self::internal(error.to_string()).caused_by(error)
    }

    /// Adds the error that led to this one.
    pub(crate) fn caused_by(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }

    /// Adds what to do about it: a clause in the imperative.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Puts this error's message behind a description of what was being done.
    pub(crate) fn context(self, doing: impl fmt::Display) -> Self {
        Self { message: format!("{doing}: {}", self.message), ..self }
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self.kind {
            ErrorKind::Internal => Exit::Internal,
            ErrorKind::Usage | ErrorKind::Declined => Exit::Usage,
            ErrorKind::InvalidProfile => Exit::ProfileInvalid,
        }
    }

    pub(crate) const fn is_declined(&self) -> bool {
        matches!(self.kind, ErrorKind::Declined)
    }

    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The messages of the causes, outermost first. Many errors repeat their source in their own message: a cause
    /// that is already part of the message before it is left out.
    pub(crate) fn causes(&self) -> Vec<String> {
        let mut shown = vec![self.message.clone()];
        let mut next = self.source();
        while let Some(cause) = next {
            // A cause may repeat what a server said.
            let message = ForeignText::from(cause.to_string()).to_string();
            if !shown.iter().any(|before| before.contains(&message)) {
                shown.push(message);
            }
            next = cause.source();
        }
        shown.split_off(1)
    }

    /// The message and its causes on one line, for tables and logs.
    pub(crate) fn one_line(&self) -> String {
        let causes = self.causes();
        std::iter::once(&self.message).chain(&causes).cloned().collect::<Vec<_>>().join(": ")
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CliError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn the_kind_decides_the_exit_code() {
        assert_eq!(CliError::usage("a").exit(), Exit::Usage);
        assert_eq!(CliError::new(ErrorKind::Declined, "a").exit(), Exit::Usage);
        assert_eq!(CliError::internal("a").exit(), Exit::Internal);
        assert_eq!(CliError::new(ErrorKind::InvalidProfile, "a").exit(), Exit::ProfileInvalid);
    }

    #[test]
    fn causes_are_listed_once_each() {
        let denied = io::Error::new(io::ErrorKind::PermissionDenied, "permission denied");
        let error = CliError::usage("cannot read x").caused_by(denied).with_hint("check it");
        assert_eq!(error.causes(), ["permission denied"]);
        assert_eq!(error.one_line(), "cannot read x: permission denied");
        assert_eq!(error.hint(), Some("check it"));
        // The message of this one is its source's.
        let same = CliError::from_internal(io::Error::other("no space"));
        assert_eq!((same.to_string().as_str(), same.causes()), ("no space", Vec::new()));
    }
}
