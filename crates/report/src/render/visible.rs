//! Text from outside made safe to show: invisible characters, and those that reverse text, are replaced.

/// Replaces control characters, direction marks and characters that XML forbids by U+FFFD, and white space by a blank.
///
/// This covers what escaping, which each writer does itself, does not help against.
/// Characters that XML forbids: Extensible Markup Language (XML) 1.0, 5th ed., section 2.2.
pub(crate) fn visible(text: &str) -> String {
    text.chars()
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
            plain => plain,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_and_reversing_characters_are_replaced() {
        assert_eq!(visible("a\u{202e}b\u{0}c\u{1b}[31m\nd"), "a\u{fffd}b\u{fffd}c\u{fffd}[31m d");
        assert_eq!(visible("Grüße, 元気? <b>&"), "Grüße, 元気? <b>&");
    }
}
