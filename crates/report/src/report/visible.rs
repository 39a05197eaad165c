//! Words of others made fit to be shown: what is not seen, or turns the words around it, is replaced.

/// Each control character, direction mark and character that XML forbids as U+FFFD; white space as one
/// blank.
///
/// Escaping is the writer's work; this is about what no escaping helps against.
/// Source of what XML forbids: Extensible Markup Language (XML) 1.0, 5th ed., section 2.2.
pub(crate) fn visible(words: &str) -> String {
    words
        .chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' => ' ',
            '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
            hidden if hidden.is_control() => char::REPLACEMENT_CHARACTER,
            seen => seen,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_or_turns_words_around_is_replaced() {
        assert_eq!(visible("a\u{202e}b\u{0}c\u{1b}[31m\nd"), "a\u{fffd}b\u{fffd}c\u{fffd}[31m d");
        assert_eq!(visible("Grüße, 元気? <b>&"), "Grüße, 元気? <b>&");
    }
}
