//! How callers followed the rules of their scripts, in sentences.

use super::counted;
use crate::fold::FoldedSession;

/// Rules that are named in one sentence.
const MOST_NAMED: usize = 5;

/// How often rules were followed, and those that never were: an agent may never say what they hear, or never write it.
pub(crate) fn rule_notes(folded: &FoldedSession) -> Vec<String> {
    let (mut followed, mut times, mut unheard) = (0, 0, Vec::new());
    for (at, scenario) in (0..).zip(folded.opening.profile.mix.scenarios()) {
        let rules = scenario.script.iter().flat_map(|script| &script.rules);
        for (number, rule) in (1..).zip(rules) {
            match folded.rules.followed(at, number) {
                0 if folded.rules.conversations(at) > 0 => {
                    let (name, hears) = (&scenario.name, &rule.hears);
                    unheard.push(format!("rule {number} of {name}, which hears `{hears}`"));
                }
                0 => {}
                count => {
                    followed += 1;
                    times += count;
                }
            }
        }
    }
    let mut notes = Vec::new();
    if followed > 0 {
        notes.push(format!(
            "Callers followed {} of their scripts, {}.",
            counted(followed, "rule"),
            counted(times, "time")
        ));
    }
    if !unheard.is_empty() {
        let more = unheard.len().saturating_sub(MOST_NAMED);
        unheard.truncate(MOST_NAMED);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        notes.push(format!(
            "No agent said, or wrote, what some rules hear: {}{more}.",
            unheard.join("; ")
        ));
    }
    notes
}
