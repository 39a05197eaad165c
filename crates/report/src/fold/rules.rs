//! How often callers followed the rules of their scripts.

use std::collections::BTreeMap;

use super::run_record::RunRecord;

/// Rules of which it is counted how often they were followed, at most; a profile has few.
const MOST_RULES: usize = 4_096;

/// How often rules were followed, in all runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleTally {
    /// By the scenario's position in the profile and the rule's number, from 1.
    followed: BTreeMap<(u32, u32), u64>,
    /// Conversations in which something was said, by scenario.
    conversations: BTreeMap<u32, u64>,
}

impl RuleTally {
    /// Adds a run that has ended.
    pub(super) fn add(&mut self, record: &RunRecord) {
        if record.turns.is_empty() {
            return;
        }
        for rule in record.turns.iter().filter_map(|turn| turn.rule) {
            self.follow(record.scenario, rule);
        }
        if self.conversations.len() < MOST_RULES
            || self.conversations.contains_key(&record.scenario)
        {
            *self.conversations.entry(record.scenario).or_default() += 1;
        }
    }

    /// A rule was followed once.
    pub(super) fn follow(&mut self, scenario: u32, rule: u32) {
        let at = (scenario, rule);
        if self.followed.len() < MOST_RULES || self.followed.contains_key(&at) {
            *self.followed.entry(at).or_default() += 1;
        }
    }

    /// How often a rule was followed.
    pub fn followed(&self, scenario: u32, rule: u32) -> u64 {
        self.followed.get(&(scenario, rule)).copied().unwrap_or_default()
    }

    /// How many conversations of a scenario said anything.
    pub fn conversations(&self, scenario: u32) -> u64 {
        self.conversations.get(&scenario).copied().unwrap_or_default()
    }
}
