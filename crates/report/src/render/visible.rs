//! Text from outside made safe to show, whatever a journal says.

/// Replaces control characters, invisible and direction marks and characters that XML forbids by U+FFFD, and white
/// space by a blank.
///
/// This covers what escaping, which each writer does itself, does not help against.
/// Characters that XML forbids: Extensible Markup Language (XML) 1.0, 5th ed., section 2.2.
pub(crate) use rushhour_core::units::visible;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_and_reversing_characters_are_replaced() {
        assert_eq!(visible("a\u{202e}b\u{0}c\u{1b}[31m\nd"), "a\u{fffd}b\u{fffd}c\u{fffd}[31m d");
        assert_eq!(visible("Grüße, 元気? <b>&"), "Grüße, 元気? <b>&");
    }
}
