//! How well agents heard our own callers, summed over the turns of measured runs.

use std::collections::BTreeMap;

use super::run_record::RunRecord;
use rushhour_core::event::{TranscriptionErrors, Turn};
use rushhour_core::profile::HeardShare;
use rushhour_stats::ClusteredRatio;

/// Key words of which it is counted how often they were missed, at most; a profile has few.
const MOST_KEY_WORDS: usize = 4_096;

/// A key word of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyWordPlace {
    /// Its scenario's position in the profile.
    pub scenario: u32,
    /// The number of its turn, from 1.
    pub turn: u32,
    /// Its place in the turn, from 0.
    pub place: u32,
}

/// How often a key word was said, and not heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyWordCount {
    /// How often it was said in turns of which the agent wrote a transcript.
    pub said: u64,
    /// How often the transcript did not have it.
    pub missed: u64,
}

/// What agents heard of what callers said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeardTally {
    /// Turns whose words are known, and what was heard of them.
    pub turns: u64,
    /// Words that were heard as they were said, and the others.
    pub words: TranscriptionErrors,
    /// The same by characters.
    pub characters: TranscriptionErrors,
    /// Turns with key words of which the agent wrote a transcript.
    pub key_turns: u64,
    /// Key words that were said in them, each as often as it was.
    pub key_words: u64,
    /// Those that were heard.
    pub key_words_heard: u64,
    /// The key words that were said, by their place.
    pub by_key_word: BTreeMap<KeyWordPlace, KeyWordCount>,
    word_errors: ClusteredRatio,
    character_errors: ClusteredRatio,
    key_word_hits: ClusteredRatio,
}

impl HeardTally {
    /// Adds the turns of a run.
    pub(super) fn add(&mut self, record: &RunRecord) {
        let heard = HeardOfRun::of(record);
        self.turns += heard.turns;
        self.words = self.words.plus(&heard.words);
        self.characters = self.characters.plus(&heard.characters);
        self.key_words += heard.key_words;
        self.key_words_heard += heard.key_words_heard;
        self.word_errors.add(heard.words.errors(), heard.words.said());
        self.character_errors.add(heard.characters.errors(), heard.characters.said());
        self.key_word_hits.add(heard.key_words_heard, heard.key_words);
        for turn in heard_turns(record) {
            let Some(key_words) = turn.key_words else { continue };
            self.key_turns += 1;
            let missed: Vec<u32> = key_words.missed_places().collect();
            for place in 0..key_words.of.min(u32::BITS) {
                let at = KeyWordPlace { scenario: record.scenario, turn: turn.number, place };
                if self.by_key_word.len() >= MOST_KEY_WORDS && !self.by_key_word.contains_key(&at) {
                    break;
                }
                let count = self.by_key_word.entry(at).or_default();
                count.said += 1;
                count.missed += u64::from(missed.contains(&place));
            }
        }
    }

    /// A share over conversations.
    pub const fn ratio(&self, share: HeardShare) -> &ClusteredRatio {
        match share {
            HeardShare::WordErrors => &self.word_errors,
            HeardShare::CharacterErrors => &self.character_errors,
            HeardShare::KeyWords => &self.key_word_hits,
        }
    }

    /// How many words, characters or key words were said.
    pub const fn units(&self, share: HeardShare) -> u64 {
        match share {
            HeardShare::WordErrors => self.words.said(),
            HeardShare::CharacterErrors => self.characters.said(),
            HeardShare::KeyWords => self.key_words,
        }
    }
}

/// The turns that say something of the agent's hearing: what is lost with the caller's own connection is none of its.
fn heard_turns(record: &RunRecord) -> impl Iterator<Item = &Turn> {
    record.turns.iter().filter(|turn| !turn.away)
}

/// What the agent heard in one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeardOfRun {
    /// Turns whose words are known, and of which the agent wrote a transcript.
    pub turns: u64,
    /// By words.
    pub words: TranscriptionErrors,
    /// By characters.
    pub characters: TranscriptionErrors,
    /// Key words in turns of which the agent wrote a transcript.
    pub key_words: u64,
    /// Those that were heard.
    pub key_words_heard: u64,
}

impl HeardOfRun {
    /// Key words that were heard, of those that were said.
    pub fn key_word_share(&self) -> Option<f64> {
        (self.key_words > 0).then(|| self.key_words_heard as f64 / self.key_words as f64)
    }

    /// Key words that were not heard, of those that were said.
    pub fn missed_share(&self) -> Option<f64> {
        self.key_word_share().map(|heard| 1.0 - heard)
    }

    /// The sums of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            turns: self.turns + other.turns,
            words: self.words.plus(&other.words),
            characters: self.characters.plus(&other.characters),
            key_words: self.key_words + other.key_words,
            key_words_heard: self.key_words_heard + other.key_words_heard,
        }
    }

    /// The sums over its turns.
    pub fn of(record: &RunRecord) -> Self {
        let mut sum = Self::default();
        for turn in heard_turns(record) {
            if let Some(words) = &turn.heard {
                sum.turns += 1;
                sum.words = sum.words.plus(words);
            }
            if let Some(characters) = &turn.heard_characters {
                sum.characters = sum.characters.plus(characters);
            }
            if let Some(key_words) = &turn.key_words {
                let of = key_words.of.min(u32::BITS);
                sum.key_words += u64::from(of);
                sum.key_words_heard += u64::from(of - key_words.missed().min(of));
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_record::tests::completed;
    use super::*;
    use rushhour_core::event::{KeyWords, TurnEnding, TurnParts};
    use rushhour_core::units::SessionTime;
    use rushhour_stats::Confidence;

    /// A turn of ten words, of which so many were heard as others, and two key words, one of which was missed.
    fn turn(number: u32, wrong: u64) -> Turn {
        let words =
            TranscriptionErrors { hits: 10 - wrong, substitutions: wrong, ..Default::default() };
        Turn {
            number,
            said: SessionTime(5_000),
            first_any: None,
            first: Some(SessionTime(6_000)),
            last: None,
            done: None,
            ending: TurnEnding::Answered,
            yielded: None,
            parts: TurnParts::default(),
            heard: Some(words),
            heard_characters: Some(words.plus(&words)),
            key_words: Some(KeyWords { of: 2, missed: 0b10 }),
            rule: None,
            sound: None,
            taking: None,
            away: false,
        }
    }

    #[test]
    fn errors_are_summed_before_they_are_divided_and_belong_to_conversations() {
        let mut tally = HeardTally::default();
        for wrong in [0, 3] {
            let turns = vec![turn(1, wrong), turn(2, 0)];
            tally.add(&RunRecord { turns, ..completed() });
        }
        tally.add(&completed());
        assert_eq!((tally.turns, tally.words.rate()), (4, Some(3.0 / 40.0)));
        assert_eq!((tally.key_turns, tally.key_words, tally.key_words_heard), (4, 8, 4));
        let missed = KeyWordPlace { scenario: 0, turn: 2, place: 1 };
        assert_eq!(tally.by_key_word[&missed], KeyWordCount { said: 2, missed: 2 });
        assert_eq!(tally.by_key_word.len(), 4);
        let words = tally.ratio(HeardShare::WordErrors);
        assert_eq!((words.clusters(), tally.units(HeardShare::CharacterErrors)), (2, 80));
        let interval = words.interval(Confidence::default()).unwrap();
        assert!(interval.high() > 0.3, "two conversations that differ say little: {interval:?}");
    }

    #[test]
    fn what_was_lost_with_the_callers_own_connection_is_no_error_of_the_agents() {
        let away = Turn { away: true, ..turn(2, 9) };
        let record = RunRecord { turns: vec![turn(1, 1), away], ..completed() };
        let mut tally = HeardTally::default();
        tally.add(&record);
        assert_eq!((tally.turns, tally.words.errors(), tally.characters.errors()), (1, 1, 2));
        assert_eq!((tally.key_turns, tally.key_words, tally.by_key_word.len()), (1, 2, 2));
        let words = tally.ratio(HeardShare::WordErrors);
        assert_eq!((words.clusters(), tally.units(HeardShare::WordErrors)), (1, 10));
        let of_run = HeardOfRun::of(&record);
        assert_eq!((of_run.turns, of_run.words.said(), of_run.key_words), (1, 10, 2));
    }

    #[test]
    fn key_words_of_a_forged_journal_take_little_memory() {
        let mut tally = HeardTally::default();
        for scenario in 0..1_000 {
            let turns = (1..=8).map(|number| turn(number, 0)).collect();
            tally.add(&RunRecord { scenario, turns, ..completed() });
        }
        assert_eq!(tally.by_key_word.len(), MOST_KEY_WORDS);
    }
}
