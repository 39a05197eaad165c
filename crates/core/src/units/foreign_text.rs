//! Words from outside: what servers, rooms, agents and files of others say. All of them pass through one type.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::redact::redact;

/// The longest word from outside that is kept, in bytes.
pub const MAX_FOREIGN_BYTES: usize = 1_000;
/// How much of a word is looked at: what is replaced gets shorter, and a thousand bytes must be left.
const MAX_LOOKED_AT: usize = 64 * 1024;

/// A text that somebody else wrote, made safe to keep and to show: first secrets and tokens are replaced, so that no cut
/// leaves a part of one; then what a terminal or a reader would not see as text is made visible; then it is shortened,
/// and says by how much. There is no other way to make one, so that no step can be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ForeignText(String);

impl ForeignText {
    /// A text of at most `bytes` bytes, and what was cut off, for a sentence that quotes it.
    pub fn at_most(text: &str, bytes: usize) -> Self {
        let looked_at = text.floor_char_boundary(MAX_LOOKED_AT);
        let safe = visible(&redact(&text[..looked_at], &[]));
        let unseen = text.len() - looked_at;
        Self(shortened_of(&safe, bytes.min(MAX_FOREIGN_BYTES), unseen))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ForeignText {
    fn from(text: &str) -> Self {
        Self::at_most(text, MAX_FOREIGN_BYTES)
    }
}

impl From<String> for ForeignText {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for ForeignText {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<ForeignText> for String {
    fn from(text: ForeignText) -> Self {
        text.0
    }
}

impl Deref for ForeignText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for ForeignText {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for ForeignText {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for ForeignText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The text with every character that is not shown as itself replaced: controls, so that no text can colour, clear or
/// retitle a terminal; and those that turn the direction of the text or are invisible, with which a text can pretend to
/// be another. Line breaks and tabs become spaces.
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if is_invisible(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// Whether a character is not shown as itself.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Line and paragraph separators, directions, joiners, zero-width spaces, invisible operators.
            '\u{2028}'..='\u{202e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}'
            | '\u{61c}' | '\u{feff}' | '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180f}'
            // Fillers, annotations, tags.
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The beginning of a text that is longer than `bytes`, with what was cut off.
pub fn shortened(text: &str, bytes: usize) -> String {
    shortened_of(text, bytes, 0)
}

/// The same for a text of which so many bytes were cut off before.
fn shortened_of(text: &str, bytes: usize, unseen: usize) -> String {
    if text.len() <= bytes && unseen == 0 {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes);
    format!("{}… ({} bytes more)", &text[..end], text.len() - end + unseen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Secret, remember_secret};

    #[test]
    fn a_secret_is_replaced_before_the_text_is_shortened_wherever_the_cut_would_be() {
        let secret = "foreign-text-secret-0123456789";
        remember_secret(&Secret::new(secret));
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
        for before in MAX_FOREIGN_BYTES - 60..MAX_FOREIGN_BYTES + 10 {
            for hidden in [secret, token] {
                let text = format!("{} {hidden} end", "x".repeat(before));
                let shown = ForeignText::from(text).to_string();
                assert!(!shown.contains("foreign-text") && !shown.contains("eyJhb"), "{shown}");
            }
        }
        // A service that cuts it itself.
        for cut in 8..secret.len() {
            let shown = ForeignText::from(format!("bad key {}", &secret[..cut])).to_string();
            assert!(shown.ends_with("[redacted]"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_text_is_made_visible() {
        assert_eq!(
            ForeignText::from("a\u{202e}b\u{0}c\u{1b}[31m\nd\u{9b}e"),
            "a\u{fffd}b\u{fffd}c\u{fffd}[31m d\u{fffd}e"
        );
        for hidden in ['\u{2028}', '\u{61c}', '\u{200b}', '\u{e0041}', '\u{feff}', '\u{2066}'] {
            assert_eq!(visible(&hidden.to_string()), "\u{fffd}", "{hidden:?}");
        }
        assert_eq!(visible("Grüße, 元気? 👍 <b>&"), "Grüße, 元気? 👍 <b>&");
    }

    #[test]
    fn what_was_cut_is_told() {
        let long = ForeignText::from("é".repeat(3_000_000));
        assert!(long.len() < MAX_FOREIGN_BYTES + 30);
        assert!(long.ends_with("é… (5999000 bytes more)"), "{long}");
        assert_eq!(ForeignText::at_most("plain\ntext", 7), "plain t… (3 bytes more)");
    }

    #[test]
    fn a_text_that_is_read_back_is_the_same_and_a_forged_one_is_not() {
        let text = ForeignText::from("plain");
        let json = serde_json::to_string(&text).unwrap();
        assert_eq!(json, "\"plain\"");
        assert_eq!(serde_json::from_str::<ForeignText>(&json).unwrap(), text);
        let forged: ForeignText = serde_json::from_str("\"a\\u001b[2J\"").unwrap();
        assert_eq!(forged, "a\u{fffd}[2J");
    }
}
