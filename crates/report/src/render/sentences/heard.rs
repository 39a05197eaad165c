//! How well agents heard the callers, in sentences.

use super::counted;
use crate::fold::FoldedSession;
use crate::session::KeyWordSummary;

/// Missed key words that are named.
const MOST_NAMED: usize = 3;
/// From this word error rate on, what was heard has little to do with what was said.
const UNRELATED: f64 = 0.9;

/// How well agents heard the callers; nothing where nothing is known of it.
pub(crate) fn heard_notes(folded: &FoldedSession) -> Vec<String> {
    word_note(folded).into_iter().chain(key_word_note(folded)).collect()
}

fn word_note(folded: &FoldedSession) -> Option<String> {
    let words = &folded.heard.words;
    let rate = words.rate()?;
    let characters = folded.heard.characters.rate();
    let characters =
        characters.map_or(String::new(), |rate| format!(", {:.1} % by characters", 100.0 * rate));
    let unrelated = if rate >= UNRELATED {
        " They heard next to nothing: check that the agent transcribes in the language of the scripts, and that `say` is what the clips say."
    } else {
        ""
    };
    Some(format!(
        "Agents misheard {:.1} % of what callers said{characters}: of {} in {}, {} were heard as others and {} not at all, and {} were heard that nobody said.{unrelated}",
        100.0 * rate,
        counted(words.said(), "word"),
        counted(folded.heard.turns, "turn"),
        words.substitutions,
        words.deletions,
        words.insertions,
    ))
}

fn key_word_note(folded: &FoldedSession) -> Option<String> {
    let found = KeyWordSummary::of(folded)?;
    let heard = format!(
        "Agents heard {:.1} % of key words: {} of {} in {}",
        100.0 * found.share,
        found.heard,
        found.said,
        counted(found.turns, "turn"),
    );
    let named =
        found.missed.iter().take(MOST_NAMED).map(|one| {
            format!("\u{201c}{}\u{201d} {} of {} times", one.word, one.missed, one.said)
        });
    let named: Vec<String> = named.collect();
    Some(if named.is_empty() {
        format!("{heard}.")
    } else {
        format!("{heard}; missed most often: {}.", named.join(", "))
    })
}
