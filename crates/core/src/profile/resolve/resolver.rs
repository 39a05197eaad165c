//! Resolves single settings: the given value or the default, recorded with its origin.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::profile::diagnostic::{
    DiagnosticKind, Diagnostics, Located, Origin, SourceSpan, SourceText,
};

/// A resolved setting and where its value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedSetting {
    /// Its path in the profile, such as `limits.in_flight`.
    pub path: String,
    /// Its value.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
}

/// Resolves settings one by one; collects them and the mistakes in them.
pub(super) struct Resolver<'a> {
    pub(super) diagnostics: &'a mut Diagnostics,
    sources: &'a [SourceText],
    settings: Vec<ResolvedSetting>,
    has_unknown_tables: bool,
}

impl<'a> Resolver<'a> {
    /// `has_unknown_tables`: whether a table of the profile was unknown or could not be read.
    pub(super) const fn new(
        sources: &'a [SourceText],
        has_unknown_tables: bool,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        Self { diagnostics, sources, settings: Vec::new(), has_unknown_tables }
    }

    pub(super) fn into_settings(self) -> Vec<ResolvedSetting> {
        self.settings
    }

    /// The given value or the default; recorded either way.
    pub(super) fn or_default<T: Clone + Display>(
        &mut self,
        path: &str,
        given: Option<&Located<T>>,
        default: T,
    ) -> T {
        self.record(path, given, &default);
        given.map_or(default, |at| at.value.clone())
    }

    /// The given value; recorded only if there is one.
    pub(super) fn optional<T: Clone + Display>(
        &mut self,
        path: &str,
        given: Option<&Located<T>>,
    ) -> Option<T> {
        if given.is_some() {
            self.record(path, given, &"");
        }
        given.map(|at| at.value.clone())
    }

    /// A whole number of at least `least`, or the default.
    pub(super) fn at_least(
        &mut self,
        path: &str,
        given: Option<&Located<u32>>,
        least: u32,
        default: u32,
    ) -> u32 {
        if let Some(at) = given.filter(|at| at.value < least) {
            self.diagnostics.invalid(
                &at.span,
                format!("{} is too small", at.value),
                format!("write at least {least}"),
            );
        }
        self.or_default(path, given, default)
    }

    /// Records the settings that `resolve` resolves under other paths; under none if `rename` returns `None`.
    pub(super) fn recorded_as<T>(
        &mut self,
        rename: impl Fn(&str) -> Option<String>,
        resolve: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.settings.len();
        let resolved = resolve(self);
        let settings = self.settings.split_off(before);
        self.settings.extend(settings.into_iter().filter_map(|setting| {
            let path = rename(&setting.path)?;
            Some(ResolvedSetting { path, ..setting })
        }));
        resolved
    }

    /// Reports a missing table, unless an unknown one may be the same table, misspelt.
    pub(super) fn missing_table(&mut self, message: &str, hint: &str) {
        if !self.has_unknown_tables {
            self.diagnostics.without_span(DiagnosticKind::Missing, message, hint);
        }
    }

    fn record<T: Display>(
        &mut self,
        path: &str,
        given: Option<&Located<T>>,
        default: &dyn Display,
    ) {
        let (value, origin) = match given {
            Some(at) => (at.value.to_string(), self.origin(&at.span)),
            None => (default.to_string(), Origin::Default),
        };
        self.settings.push(ResolvedSetting { path: path.to_owned(), value, origin });
    }

    fn origin(&self, span: &SourceSpan) -> Origin {
        self.sources.get(span.source.0).map_or(Origin::Default, |source| source.origin)
    }
}
