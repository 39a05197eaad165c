//! Where a setting was written, and what is wrong with it.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The kind of source a setting came from; a later one overrides an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Rushhour's own default.
    Default,
    /// The profile's file, or a file that it names.
    Profile,
    /// An environment variable.
    Environment,
    /// A flag on the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Default => "default",
            Self::Profile => "profile",
            Self::Environment => "environment",
            Self::Flag => "flag",
        })
    }
}

/// A text that settings were read from.
#[derive(Debug, Clone)]
pub struct SourceText {
    /// What kind of source it is.
    pub origin: Origin,
    /// Its name for messages: a path, a variable, a flag.
    pub name: String,
    /// The text itself.
    pub text: String,
}

/// Index of a [`SourceText`] in the sources of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceId(pub(super) usize);

/// A byte range in one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpan {
    /// The source.
    pub source: SourceId,
    /// The bytes in that source.
    pub range: Range<usize>,
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) span: SourceSpan,
}

/// What kind of mistake a [`Diagnostic`] reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiagnosticKind {
    /// A text is not what it should be as a whole: not UTF-8, not TOML, too large, empty.
    Syntax,
    /// A key is not one of the table's.
    UnknownKey,
    /// A key or a value would put a secret into the profile.
    Secret,
    /// A value has the wrong type, cannot be parsed, or is out of range.
    InvalidValue,
    /// A required setting is missing.
    Missing,
    /// Two settings contradict each other.
    Conflict,
    /// A file that the profile names cannot be read.
    UnreadableFile,
}

/// One mistake in a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// What kind of mistake it is.
    pub kind: DiagnosticKind,
    /// What to underline; `None` if the mistake is an absence.
    pub span: Option<SourceSpan>,
    /// What is wrong.
    pub message: String,
    /// How to correct it.
    pub hint: String,
}

/// The mistakes found so far. Reading goes on after each, to report all of them at once.
#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds a mistake at `span`.
    pub(super) fn at(
        &mut self,
        kind: DiagnosticKind,
        span: &SourceSpan,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.list.push(Diagnostic {
            kind,
            span: Some(span.clone()),
            message: message.into(),
            hint: hint.into(),
        });
    }

    /// Adds a mistake that has no place in any source.
    pub(super) fn without_span(
        &mut self,
        kind: DiagnosticKind,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.list.push(Diagnostic { kind, span: None, message: message.into(), hint: hint.into() });
    }

    /// Adds an [`InvalidValue`](DiagnosticKind::InvalidValue).
    pub(super) fn invalid(
        &mut self,
        span: &SourceSpan,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.at(DiagnosticKind::InvalidValue, span, message, hint);
    }

    /// Adds a [`Conflict`](DiagnosticKind::Conflict).
    pub(super) fn conflict(
        &mut self,
        span: &SourceSpan,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.at(DiagnosticKind::Conflict, span, message, hint);
    }

    /// Adds a [`Missing`](DiagnosticKind::Missing) setting of the table or list at `span`.
    pub(super) fn missing_at(
        &mut self,
        span: &SourceSpan,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.at(DiagnosticKind::Missing, span, message, hint);
    }

    /// The line of the first mistake in a text, from 1.
    pub(super) fn first_line(&self, text: &str) -> Option<usize> {
        let starts = self.list.iter().filter_map(|one| Some(one.span.as_ref()?.range.start));
        let at = starts.min()?.min(text.len());
        Some(text.get(..at)?.matches('\n').count() + 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All mistakes: those with a span in the order of the sources, then the others.
    pub(super) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|diagnostic| match &diagnostic.span {
            Some(span) => (0, span.source.0, span.range.start),
            None => (1, 0, 0),
        });
        self.list
    }
}
