//! The mistakes of a profile as text for people: each underlined in its source, with a hint.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::diagnostic::{Diagnostic, DiagnosticKind};
use super::load::ProfileError;
use super::redaction::masked;
use crate::units::redact;

/// All mistakes as text; secrets in the sources are masked.
pub fn explain(error: &ProfileError, colours: bool) -> String {
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
    let masked_texts: Vec<String> = error
        .sources
        .iter()
        .enumerate()
        .map(|(number, source)| masked(&source.text, &secret_keys(error, number)))
        .collect();
    let explain_one = |diagnostic: &Diagnostic| {
        // Some messages repeat a part of the source.
        let shown = |text: &str| redact(&masked(text, &[]), &[]);
        let title = Level::ERROR.primary_title(shown(&diagnostic.message));
        let help = Level::HELP.message(shown(&diagnostic.hint));
        let place = diagnostic.span.as_ref().and_then(|span| {
            let number = span.source.0;
            Some((error.sources.get(number)?, masked_texts.get(number)?, span.range.clone()))
        });
        let group = match place {
            Some((source, text, range)) => title
                .element(
                    Snippet::source(text)
                        .path(&source.name)
                        .annotation(AnnotationKind::Primary.span(first_line(&source.text, range))),
                )
                .element(help),
            None => Group::with_title(title).element(help),
        };
        renderer.render(&[group])
    };
    error.diagnostics.iter().map(explain_one).collect::<Vec<_>>().join("\n\n")
}

/// The keys in a source that hold a secret, and are reported for it.
fn secret_keys(error: &ProfileError, source: usize) -> Vec<Range<usize>> {
    error
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.kind == DiagnosticKind::Secret)
        .filter_map(|diagnostic| diagnostic.span.as_ref())
        .filter(|span| span.source.0 == source)
        .map(|span| span.range.clone())
        .collect()
}

/// The first line of a range, on character boundaries of the text: a table of forty lines need not be shown.
fn first_line(text: &str, range: Range<usize>) -> Range<usize> {
    let mut start = range.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = range.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let line = text[start..end].find('\n').map_or(end, |newline| start + newline);
    start..line
}
