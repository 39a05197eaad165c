//! A refused profile in words: each mistake underlined in its text, with what would be right.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::load::InvalidProfile;
use super::read::WOULD_HOLD_A_SECRET;
use super::redaction::masked;
use crate::units::redact;

/// All mistakes as a text for people, with colours where the output has them.
pub fn explain(refused: &InvalidProfile, colours: bool) -> String {
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
    let texts: Vec<String> = refused
        .sources
        .iter()
        .enumerate()
        .map(|(number, source)| masked(&source.text, &secret_keys(refused, number)))
        .collect();
    let shown: Vec<String> = refused
        .faults
        .iter()
        .map(|fault| {
            // Some mistakes repeat what was written.
            let (what, hint) = (redact(&fault.message, &[]), redact(&fault.hint, &[]));
            let title = Level::ERROR.primary_title(what);
            let help = Level::HELP.message(hint);
            let group = match fault.place.as_ref().and_then(|place| {
                let source = refused.sources.get(place.source.0)?;
                Some((source, texts.get(place.source.0)?, within(&source.text, place.span.clone())))
            }) {
                Some((source, text, span)) => title
                    .element(
                        Snippet::source(text)
                            .path(&source.name)
                            .annotation(AnnotationKind::Primary.span(span)),
                    )
                    .element(help),
                None => Group::with_title(title).element(help),
            };
            renderer.render(&[group])
        })
        .collect();
    shown.join("\n\n")
}

/// Where keys stand whose mistake is that they hold a secret.
fn secret_keys(refused: &InvalidProfile, source: usize) -> Vec<std::ops::Range<usize>> {
    refused
        .faults
        .iter()
        .filter(|fault| fault.message.ends_with(WOULD_HOLD_A_SECRET))
        .filter_map(|fault| fault.place.as_ref())
        .filter(|place| place.source.0 == source)
        .map(|place| place.span.clone())
        .collect()
}

/// The first line of a span, within the text and on character boundaries: a table of forty lines need not be drawn.
fn within(text: &str, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let line = text[start..end].find('\n').map_or(end, |newline| start + newline);
    start..line
}
