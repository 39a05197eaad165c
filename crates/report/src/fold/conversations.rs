//! What our own callers had to say about their conversations, summed over all runs.

use std::collections::BTreeMap;

use super::run_record::RunRecord;
use rushhour_core::event::{ConversationEnd, ConversationSummary, MediaPath, Outcome};
use rushhour_core::units::SessionTime;

/// How callers cut in while the agent spoke, and what it made of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InterruptionCounts {
    /// Interruptions to which the agent yielded.
    pub yielded: u64,
    /// Interruptions to which it did not, or after which it went on.
    pub ignored: u64,
    /// How often callers showed that they listen.
    pub backchannels: u64,
    /// How often the agent stopped for it.
    pub stopped_for: u64,
}

impl InterruptionCounts {
    /// The caller never cut in.
    pub(super) const NONE: Self = Self { yielded: 0, ignored: 0, backchannels: 0, stopped_for: 0 };

    /// What a conversation's end tells; its turns tell to which interruptions the agent yielded.
    pub(super) fn at_end(summary: &ConversationSummary) -> Self {
        Self {
            yielded: 0,
            ignored: summary.ignored_interruptions.into(),
            backchannels: summary.backchannels.into(),
            stopped_for: summary.false_interruptions.into(),
        }
    }

    /// Of a run.
    pub(super) fn of(record: &RunRecord) -> Self {
        let yielded = record.turns.iter().filter(|turn| turn.yielded.is_some()).count() as u64;
        Self { yielded, ..record.interruptions }
    }

    /// How often callers interrupted the agent.
    pub const fn interruptions(&self) -> u64 {
        self.yielded + self.ignored
    }

    /// Interruptions that the agent ignored, of all.
    pub fn ignored_share(&self) -> Option<f64> {
        let all = self.interruptions();
        (all > 0).then(|| self.ignored as f64 / all as f64)
    }

    /// Back-channels that the agent stopped for, of all.
    pub fn stopped_for_share(&self) -> Option<f64> {
        (self.backchannels > 0).then(|| self.stopped_for as f64 / self.backchannels as f64)
    }

    /// The sums of both.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            yielded: self.yielded + other.yielded,
            ignored: self.ignored + other.ignored,
            backchannels: self.backchannels + other.backchannels,
            stopped_for: self.stopped_for + other.stopped_for,
        }
    }
}

/// How a conversation of one of our own callers ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndOfConversation {
    /// How.
    pub ended: ConversationEnd,
    /// When the agent was last active, as far as the caller saw.
    pub agent_last_active: Option<SessionTime>,
    /// How often the agent handed over to another participant, or was replaced.
    pub hand_offs: u32,
}

impl EndOfConversation {
    pub(super) const fn of(summary: &ConversationSummary) -> Self {
        let ConversationSummary { ended, last_active, hand_offs, .. } = *summary;
        Self { ended, agent_last_active: last_active, hand_offs }
    }
}

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
