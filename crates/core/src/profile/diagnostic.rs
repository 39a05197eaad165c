//! Where a setting was written, so that a mistake can be underlined and its origin told.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The kind of place a setting came from; a later one wins over an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nobody said so; Rushhour's own choice.
    Default,
    /// The profile's file.
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

/// One text that settings were read from.
#[derive(Debug, Clone)]
pub struct SourceText {
    /// What kind of text it is.
    pub origin: Origin,
    /// How to name it to the reader: a path, a variable, a flag.
    pub name: String,
    /// The text itself.
    pub text: String,
}

/// Which of a profile's sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceId(pub(super) usize);

/// A stretch of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpan {
    /// The source it is in.
    pub source: SourceId,
    /// Its bytes in that source.
    pub span: Range<usize>,
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: SourceSpan,
}

/// One mistake in a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// What to underline; nothing where something is missing altogether.
    pub place: Option<SourceSpan>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

/// The mistakes found so far: reading goes on after each, so that all are told at once.
#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Notes a mistake at a place.
    pub(super) fn at(
        &mut self,
        place: &SourceSpan,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.list.push(Diagnostic {
            place: Some(place.clone()),
            message: what.into(),
            hint: hint.into(),
        });
    }

    /// Notes that something is missing, or wrong as a whole.
    pub(super) fn missing(&mut self, what: impl Into<String>, hint: impl Into<String>) {
        self.list.push(Diagnostic { place: None, message: what.into(), hint: hint.into() });
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All mistakes, those with a place first and in the order of the text.
    pub(super) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|fault| match &fault.place {
            Some(place) => (0, place.source.0, place.span.start),
            None => (1, 0, 0),
        });
        self.list
    }
}
