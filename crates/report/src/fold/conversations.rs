//! What our own callers had to say about their conversations, summed over all runs.

use std::collections::BTreeMap;

use rushhour_core::event::{ConversationEnd, ConversationSummary, MediaPath, Outcome};

/// What was special about the conversations of our own callers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationTally {
    /// How they ended, where it was not the caller that ended them.
    pub ended: BTreeMap<ConversationEnd, u64>,
    /// How often an agent handed over to another participant, or was replaced.
    pub hand_offs: u64,
    /// Conversations with a hidden agent.
    pub hidden: u64,
    /// Conversations with several agents in the room.
    pub several_agents: u64,
    /// Turns that were said again because nobody heard them: before a session began, in a greeting, or in a hand-off.
    pub unheard_turns: u64,
    /// Interruptions to which the agent did not yield.
    pub ignored_interruptions: u64,
    /// How often callers showed that they listen, while the agent spoke.
    pub backchannels: u64,
    /// How often the agent stopped for it.
    pub false_interruptions: u64,
    /// How often agents said what a rule hears that had been followed as often as it may be.
    pub rules_used_up: u64,
    /// Texts of agents of which a part did not arrive.
    pub incomplete_texts: u64,
    /// Calls of callers that called again, and have ended.
    pub redials: u64,
    /// How many of them failed.
    pub failed_redials: u64,
    /// The ways of media and data, with the number of callers; of a caller that changed its way, the last.
    pub media_paths: BTreeMap<MediaPath, u64>,
    /// How often a caller changed its way.
    pub path_changes: u64,
}

impl ConversationTally {
    /// A caller's media goes over `path`, and went over `before`, if it went at all.
    pub(super) fn add_path(&mut self, before: Option<MediaPath>, path: MediaPath) {
        if let Some(count) = before.and_then(|before| self.media_paths.get_mut(&before)) {
            *count = count.saturating_sub(1);
            self.path_changes += 1;
        }
        *self.media_paths.entry(path).or_default() += 1;
        self.media_paths.retain(|_, count| *count > 0);
    }

    /// A caller that called again has ended that call.
    pub(super) fn add_redial(&mut self, outcome: &Outcome) {
        self.redials += 1;
        self.failed_redials += u64::from(outcome.class().is_some());
    }

    pub(super) fn add(&mut self, summary: &ConversationSummary) {
        if summary.ended != ConversationEnd::Caller {
            *self.ended.entry(summary.ended).or_default() += 1;
        }
        self.hand_offs += u64::from(summary.hand_offs);
        self.hidden += u64::from(summary.hidden);
        self.several_agents += u64::from(summary.several_agents);
        self.unheard_turns += u64::from(summary.unheard_turns);
        self.ignored_interruptions += u64::from(summary.ignored_interruptions);
        self.backchannels += u64::from(summary.backchannels);
        self.false_interruptions += u64::from(summary.false_interruptions);
        self.rules_used_up += u64::from(summary.rules_used_up);
        self.incomplete_texts += u64::from(summary.incomplete_texts);
    }
}
