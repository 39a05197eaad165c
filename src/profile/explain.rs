//! A refused profile in words: each mistake underlined in its text, with what would be right.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::load::Refused;

/// All mistakes as a text for people, with colours where the output has them.
pub fn explain(refused: &Refused, colours: bool) -> String {
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
    let shown: Vec<String> = refused
        .faults
        .iter()
        .map(|fault| {
            let title = Level::ERROR.primary_title(&fault.what);
            let help = Level::HELP.message(&fault.hint);
            let group = match fault.place.as_ref().and_then(|place| {
                let source = refused.sources.get(place.source.0)?;
                Some((source, within(&source.text, place.span.clone())))
            }) {
                Some((source, span)) => title
                    .element(
                        Snippet::source(&source.text)
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
