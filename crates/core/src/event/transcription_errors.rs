//! How much of what was said a transcript got wrong: word and character error rates.
//!
//! Both texts are brought to one form first, so that only what was heard counts: lower case; no apostrophes (`o'clock` is
//! `oclock`); every other mark and symbol separates words, as a hyphen does. Numbers stay as they are written: `23` and
//! `twenty-three` differ. In scripts that are written without spaces between words (Chinese, Japanese, Thai, Lao, Khmer,
//! Burmese) every character counts as a word, also within a text of other scripts.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::is_default;

/// The most pairs of units that are compared, some milliseconds' work: 500 words that were said, and as many that were heard.
const MAX_COMPARED: usize = 1 << 18;

/// How a transcript differs from what was said, by an alignment with the fewest errors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptionErrors {
    /// Units that were heard as they were said.
    pub hits: u64,
    /// Units that were heard as others.
    #[serde(default, skip_serializing_if = "is_default")]
    pub substitutions: u64,
    /// Units that were not heard.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deletions: u64,
    /// Units that were heard and not said.
    #[serde(default, skip_serializing_if = "is_default")]
    pub insertions: u64,
}

impl TranscriptionErrors {
    /// By words; by characters in scripts without spaces. `None` where the texts are too long to be compared.
    pub fn by_word(said: &str, heard: &str) -> Option<Self> {
        Self::of(&words(said), &words(heard))
    }

    /// By characters, spaces between words included. `None` where the texts are too long to be compared.
    pub fn by_character(said: &str, heard: &str) -> Option<Self> {
        let characters = |text: &str| words(text).join(" ").chars().collect::<Vec<char>>();
        Self::of(&characters(said), &characters(heard))
    }

    /// Compares two sequences of units. Time is in proportion to their product, and an agent may write anything.
    fn of<T: PartialEq>(said: &[T], heard: &[T]) -> Option<Self> {
        if said.len().saturating_mul(heard.len()) > MAX_COMPARED {
            return None;
        }
        // The errors of aligning the first units of both; one row for each unit that was said.
        let inserted =
            |insertions: usize| Self { insertions: insertions as u64, ..Self::default() };
        let mut row: Vec<Self> = (0..=heard.len()).map(inserted).collect();
        for unit in said {
            let mut diagonal = row[0];
            row[0].deletions += 1;
            for (column, other) in heard.iter().enumerate() {
                let above = row[column + 1];
                let aligned = if unit == other {
                    Self { hits: diagonal.hits + 1, ..diagonal }
                } else {
                    Self { substitutions: diagonal.substitutions + 1, ..diagonal }
                };
                let deleted = Self { deletions: above.deletions + 1, ..above };
                let left = row[column];
                let inserted = Self { insertions: left.insertions + 1, ..left };
                // Among those with the fewest errors the one with the most hits.
                let best = [aligned, deleted, inserted]
                    .into_iter()
                    .min_by_key(|counts| (counts.errors(), Reverse(counts.hits)));
                row[column + 1] = best.unwrap_or(aligned);
                diagonal = above;
            }
        }
        row.pop()
    }

    /// All errors.
    pub const fn errors(&self) -> u64 {
        // A journal may say anything.
        self.substitutions.saturating_add(self.deletions).saturating_add(self.insertions)
    }

    /// How many units were said.
    pub const fn said(&self) -> u64 {
        self.hits.saturating_add(self.substitutions).saturating_add(self.deletions)
    }

    /// Errors for each unit that was said, above 1 where more was heard than said; none where nothing was said.
    pub fn rate(&self) -> Option<f64> {
        (self.said() > 0).then(|| self.errors() as f64 / self.said() as f64)
    }

    /// The errors of both. The rate of many texts is that of their sum.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            hits: self.hits.saturating_add(other.hits),
            substitutions: self.substitutions.saturating_add(other.substitutions),
            deletions: self.deletions.saturating_add(other.deletions),
            insertions: self.insertions.saturating_add(other.insertions),
        }
    }
}

/// The words of a text in their one form.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if is_apostrophe(c) {
            continue;
        }
        let is_whole_word = is_written_without_spaces(c);
        if (is_whole_word || is_separator(c)) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if is_whole_word {
            words.push(c.to_string());
        } else if !is_separator(c) {
            word.push(c);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

const fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{2bc}' | '\u{ff07}')
}

/// White space, marks and symbols, of all scripts that have their own.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || c < '\u{300}' && !c.is_alphanumeric()
        || matches!(c,
            // Greek, Armenian, Hebrew, Arabic.
            '\u{37e}' | '\u{387}' | '\u{55a}'..='\u{55f}' | '\u{589}' | '\u{58a}' | '\u{5be}' | '\u{5c0}'
            | '\u{5c3}' | '\u{5c6}' | '\u{5f3}' | '\u{5f4}' | '\u{609}'..='\u{60d}' | '\u{61b}'..='\u{61f}'
            | '\u{66a}'..='\u{66d}' | '\u{6d4}'
            // Devanagari, Thai, Tibetan, Burmese, Georgian, Ethiopic, Khmer.
            | '\u{964}' | '\u{965}' | '\u{970}' | '\u{e2f}' | '\u{e4f}' | '\u{e5a}' | '\u{e5b}'
            | '\u{f04}'..='\u{f14}' | '\u{104a}'..='\u{104f}' | '\u{10fb}' | '\u{1360}'..='\u{1368}'
            | '\u{17d4}'..='\u{17db}'
            // General punctuation, symbols, arrows; those of Chinese, Japanese and Korean; full width.
            | '\u{2000}'..='\u{2bff}' | '\u{2e00}'..='\u{2e7f}' | '\u{3000}'..='\u{3004}' | '\u{3008}'..='\u{3020}'
            | '\u{3030}' | '\u{303d}' | '\u{30a0}' | '\u{30fb}' | '\u{fe10}'..='\u{fe19}' | '\u{fe30}'..='\u{fe6f}'
            | '\u{feff}' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}'
            | '\u{ff5b}'..='\u{ff65}' | '\u{1f000}'..='\u{1faff}')
}

/// Characters of scripts without spaces between words. Korean has spaces.
fn is_written_without_spaces(c: char) -> bool {
    !is_separator(c)
        && matches!(c,
            // Thai and Lao, Burmese, Khmer.
            '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
            // Kana; Chinese characters and their extensions.
            | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{302f}' | '\u{3031}'..='\u{30ff}'
            | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_one_form() {
        for (text, expected) in [
            ("Tomorrow at seven o'clock, please.", "tomorrow|at|seven|oclock|please"),
            ("  Twenty-three; it’s \u{201c}Müller\u{201d}!\n", "twenty|three|its|müller"),
            ("¿Mañana a las ocho?", "mañana|a|las|ocho"),
            ("明日の7時です。", "明|日|の|7|時|で|す"),
            ("我叫Smith，谢谢", "我|叫|smith|谢|谢"),
            ("예약을 하고 싶어요.", "예약을|하고|싶어요"),
            ("مرحبا، كيف؟", "مرحبا|كيف"),
            ("... – !", ""),
            ("İstanbul", "i\u{307}stanbul"),
        ] {
            assert_eq!(words(text).join("|"), expected, "{text}");
        }
    }

    #[test]
    fn a_transcript_in_another_language_has_errors_and_no_more_than_that() {
        let said = "A table for two at seven o'clock, please.";
        for heard in
            ["Ein Tisch für zwei um sieben Uhr, bitte.", "七時に二人でお願いします", "طاولة لشخصين"]
        {
            for errors in [
                TranscriptionErrors::by_word(said, heard),
                TranscriptionErrors::by_character(said, heard),
            ] {
                let errors = errors.expect("both are short");
                assert!(
                    errors.rate().is_some_and(|rate| (0.5..=2.0).contains(&rate)),
                    "{errors:?}"
                );
            }
        }
        // One that repeats itself, as some do in a language that they do not know.
        let rate = TranscriptionErrors::by_word(said, &"you ".repeat(40)).unwrap().rate();
        assert_eq!(rate, Some(40.0 / 8.0));
        assert_eq!(TranscriptionErrors::by_word(said, &"you ".repeat(1 << 17)), None, "too long");
    }

    #[test]
    fn errors_are_counted_by_the_best_alignment() {
        let of = |said, heard| TranscriptionErrors::by_word(said, heard).unwrap();
        let errors = |hits, substitutions, deletions, insertions| TranscriptionErrors {
            hits,
            substitutions,
            deletions,
            insertions,
        };
        assert_eq!(of("a table for two", "A table, for two!"), errors(4, 0, 0, 0));
        assert_eq!(of("a table for two", "the table two please"), errors(2, 1, 1, 1));
        assert_eq!(of("a table for two", ""), errors(0, 0, 4, 0));
        assert_eq!(of("", "hello there").rate(), None);
        assert_eq!(of("yes", "yes yes yes").rate(), Some(2.0));
        assert_eq!(of("私は学生です", "私が学生です").rate(), Some(1.0 / 6.0));
        let by_character = TranscriptionErrors::by_character("seven", "eleven").unwrap();
        assert_eq!(by_character.errors(), 2);
        assert_eq!(TranscriptionErrors::by_word(&"a ".repeat(9_000), &"b ".repeat(9_000)), None);
        let sum = of("one two", "one").plus(&of("three", "three"));
        assert_eq!(sum.rate(), Some(1.0 / 3.0), "counts are summed, rates are not averaged");
    }
}
