//! Whether an agent heard the words of a turn that matter.

use serde::{Deserialize, Serialize};

use super::is_default;
use super::transcription_errors::words;

/// The key words of a turn, and which of them were not heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyWords {
    /// How many the turn has, at most [`KeyWords::MOST`].
    pub of: u32,
    /// The bit of each that was not heard, by its place in the script.
    #[serde(default, skip_serializing_if = "is_default")]
    pub missed: u32,
}

impl KeyWords {
    /// The most key words of one turn.
    pub const MOST: usize = u32::BITS as usize;

    /// Looks for each key word in what was heard; one with spellings, such as `eight|8`, is found in any of them.
    pub fn of<'a>(key_words: impl IntoIterator<Item = &'a str>, heard: &str) -> Self {
        let heard = words(heard);
        let mut found = Self::default();
        for key_word in key_words.into_iter().take(Self::MOST) {
            let is_heard = spellings(key_word)
                .any(|spelling| heard.windows(spelling.len().max(1)).any(|part| part == spelling));
            found.missed |= u32::from(!is_heard) << found.of;
            found.of += 1;
        }
        found
    }

    /// Whether a key word has a word in each of its spellings: nothing else can be heard.
    pub fn can_be_heard(key_word: &str) -> bool {
        spellings(key_word).all(|spelling| !spelling.is_empty())
    }

    /// How many were not heard.
    pub const fn missed(self) -> u32 {
        // A journal may say anything.
        let missed = self.missed.count_ones();
        if missed < self.of { missed } else { self.of }
    }

    /// How many were heard.
    pub const fn heard(self) -> u32 {
        self.of - self.missed()
    }

    /// The places of those that were not heard, from 0.
    pub fn missed_places(self) -> impl Iterator<Item = u32> {
        (0..u32::BITS.min(self.of)).filter(move |place| self.missed >> place & 1 == 1)
    }
}

fn spellings(key_word: &str) -> impl Iterator<Item = Vec<String>> {
    key_word.split('|').map(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_word_is_heard_as_whole_words_in_one_of_its_spellings() {
        let missed = |key_words: &[&str], heard| {
            let found = KeyWords::of(key_words.iter().copied(), heard);
            assert_eq!(found.of as usize, key_words.len());
            assert_eq!(found.missed() as usize, found.missed_places().count());
            found.missed_places().collect::<Vec<u32>>()
        };
        let none: [u32; 0] = [];
        assert_eq!(missed(&["eight", "Smith"], "At eight, for SMITH."), none);
        assert_eq!(missed(&["eight", "Smith"], "At eighty, for Smythe."), [0, 1]);
        assert_eq!(missed(&["eight|8|eight o'clock", "New York"], "8 in new, york"), none);
        assert_eq!(missed(&["New York", "eight"], "York, new, eight"), [0]);
        assert_eq!(missed(&["七時"], "明日の七時です。"), none);
        assert_eq!(missed(&["eight"], ""), [0]);
    }

    #[test]
    fn what_has_no_word_cannot_be_heard() {
        assert!(KeyWords::can_be_heard("eight|8"));
        for nothing in ["", "...", "eight|", "|"] {
            assert!(!KeyWords::can_be_heard(nothing), "{nothing}");
        }
    }

    #[test]
    fn a_forged_journal_has_no_more_missed_than_all() {
        let forged = KeyWords { of: 2, missed: u32::MAX };
        assert_eq!((forged.missed(), forged.missed_places().count()), (2, 2));
        let many = KeyWords { of: u32::MAX, missed: 1 };
        assert_eq!(many.missed_places().count(), 1);
    }
}
