//! How well agents heard our own callers, as files have it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::fold::{FoldedSession, KeyWordPlace};

/// Key words that are listed as missed, at most: those that were missed most often.
const MOST_LISTED: usize = 20;

/// How well agents heard our own callers: their transcripts against the words of the script, in measured runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct HeardSummary {
    /// Turns in voice whose words the script has, and whose transcript the agent wrote.
    pub turns: u64,
    /// Words of these turns; characters in scripts without spaces.
    pub words: u64,
    /// The word error rate: words that were heard as others, not heard, or not said, for each word that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wer: Option<f64>,
    /// Words that were heard as others.
    pub substitutions: u64,
    /// Words that were not heard.
    pub deletions: u64,
    /// Words that were heard and not said.
    pub insertions: u64,
    /// The character error rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cer: Option<f64>,
    /// The key words of turns; absent where the scripts have none, or no transcript was written of their turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_words: Option<KeyWordSummary>,
}

/// How many of the key words were heard.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KeyWordSummary {
    /// Turns with key words whose transcript the agent wrote.
    pub turns: u64,
    /// The key words that were said in them, each as often as it was.
    pub said: u64,
    /// Those that were heard.
    pub heard: u64,
    /// Heard, of those that were said.
    pub share: f64,
    /// Those that were missed most often.
    pub missed: Vec<MissedKeyWord>,
}

/// A key word that was not heard every time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MissedKeyWord {
    /// The scenario's name.
    pub scenario: String,
    /// The number of the turn, from 1.
    pub turn: u32,
    /// The key word as the script has it.
    pub word: String,
    /// How often it was said.
    pub said: u64,
    /// How often it was not heard.
    pub missed: u64,
}

impl HeardSummary {
    /// `None` where nothing is known.
    pub(super) fn of(folded: &FoldedSession) -> Option<Self> {
        let heard = &folded.heard;
        let (words, key_words) = (&heard.words, KeyWordSummary::of(folded));
        let wer = words.rate();
        if wer.is_none() && key_words.is_none() {
            return None;
        }
        Some(Self {
            turns: heard.turns,
            words: words.said(),
            wer,
            substitutions: words.substitutions,
            deletions: words.deletions,
            insertions: words.insertions,
            cer: heard.characters.rate(),
            key_words,
        })
    }
}

impl KeyWordSummary {
    /// `None` where nothing is known.
    pub(crate) fn of(folded: &FoldedSession) -> Option<Self> {
        let heard = &folded.heard;
        if heard.key_words == 0 {
            return None;
        }
        let mut missed: Vec<MissedKeyWord> = heard
            .by_key_word
            .iter()
            .filter(|(_, count)| count.missed > 0)
            .filter_map(|(place, count)| {
                let (scenario, word) = names(folded, *place)?;
                let (said, missed) = (count.said, count.missed);
                Some(MissedKeyWord { scenario, turn: place.turn, word, said, missed })
            })
            .collect();
        // The order of the profile, where they were missed equally often.
        missed.sort_by_key(|one| std::cmp::Reverse(one.missed));
        missed.truncate(MOST_LISTED);
        Some(Self {
            turns: heard.key_turns,
            said: heard.key_words,
            heard: heard.key_words_heard,
            share: heard.key_words_heard as f64 / heard.key_words as f64,
            missed,
        })
    }
}

/// The scenario's name and the key word; `None` where the profile has no such word.
fn names(folded: &FoldedSession, place: KeyWordPlace) -> Option<(String, String)> {
    let scenarios = folded.opening.profile.mix.scenarios();
    let scenario = scenarios.get(place.scenario as usize)?;
    let turn = place.turn.checked_sub(1)? as usize;
    let word = scenario.script.as_ref()?.turns.get(turn)?.hears.get(place.place as usize)?;
    Some((scenario.name.clone(), word.clone()))
}
