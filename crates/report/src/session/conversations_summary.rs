//! How conversations of our own callers ended, as files have it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::fold::{ConversationTally, FoldedSession};

/// What was special about the conversations of our own callers, over all runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConversationsSummary {
    /// How they ended, where it was not the caller that ended them, as in `ended` of a `conversation` in the journal.
    pub ended: BTreeMap<String, u64>,
    /// How often an agent handed over to another participant, or was replaced.
    pub hand_offs: u64,
    /// Conversations with a hidden agent.
    pub hidden: u64,
    /// Conversations with several agents in the room when a turn began.
    pub several_agents: u64,
    /// Turns that were said again because nobody heard them.
    pub unheard_turns: u64,
    /// Interruptions to which the agent did not yield, or after which it went on.
    pub ignored_interruptions: u64,
    /// How often agents said what a rule hears that had been followed as often as it may be.
    pub rules_used_up: u64,
    /// Texts of agents of which a part did not arrive.
    pub incomplete_texts: u64,
    /// Calls of callers that called again, and have ended.
    pub redials: u64,
    /// Those of them that failed.
    pub failed_redials: u64,
}

impl ConversationsSummary {
    /// Of a session; `None` where nothing was special, or its callers are not ours.
    pub(super) fn of(folded: &FoldedSession) -> Option<Self> {
        let tally: &ConversationTally = &folded.conversations;
        let ended = tally.ended.iter().map(|(end, count)| (end.name().to_owned(), *count));
        let summary = Self {
            ended: ended.collect(),
            hand_offs: tally.hand_offs,
            hidden: tally.hidden,
            several_agents: tally.several_agents,
            unheard_turns: tally.unheard_turns,
            ignored_interruptions: tally.ignored_interruptions,
            rules_used_up: tally.rules_used_up,
            incomplete_texts: tally.incomplete_texts,
            redials: tally.redials,
            failed_redials: tally.failed_redials,
        };
        (summary != Self::default()).then_some(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_sessions::taken;
    use rushhour_core::event::{ConversationEnd, ConversationSummary, EventKind};

    #[test]
    fn ends_are_counted_by_the_words_of_the_journal() {
        let mut session = taken(&[(2, 40, 4)]);
        session.tell_of_conversations(|summary| ConversationSummary {
            ended: ConversationEnd::HungUpEarly,
            hand_offs: 2,
            ..summary
        });
        let told = session.events().iter();
        let told = told.filter(|event| matches!(event.kind, EventKind::Conversation { .. }));
        let conversations = told.count() as u64;
        assert!(conversations > 0);
        let summary = ConversationsSummary::of(&session.closed().0).unwrap();
        assert_eq!(summary.ended, [("hung_up_early".to_owned(), conversations)].into());
        assert_eq!(summary.hand_offs, 2 * conversations);
    }
}
