//! Messages of failures, by class, each with the number of runs that failed with it. Where a service gave a message, it
//! is the service's own.

use std::collections::BTreeMap;

use rushhour_core::event::FailureClass;

/// Distinct messages per class; further ones are only counted.
const MAX_MESSAGES: usize = 40;
/// Characters per message; the remainder is dropped.
const MAX_LENGTH: usize = 300;

/// Messages of failures by class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureMessages {
    by_class: BTreeMap<FailureClass, MessageCounts>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct MessageCounts {
    counted: BTreeMap<String, u64>,
    others: u64,
}

impl FailureMessages {
    /// Counts the message of one failure.
    pub(super) fn add(&mut self, class: FailureClass, message: &str) {
        let message: String = message.chars().take(MAX_LENGTH).collect();
        let counts = self.by_class.entry(class).or_default();
        if let Some(count) = counts.counted.get_mut(&message) {
            *count += 1;
        } else if counts.counted.len() < MAX_MESSAGES {
            counts.counted.insert(message, 1);
        } else {
            counts.others += 1;
        }
    }

    /// The messages of one class with their counts, the most frequent first.
    pub fn of(&self, class: FailureClass) -> Vec<(&str, u64)> {
        let counted = self.by_class.get(&class).map(|counts| &counts.counted);
        let mut listed: Vec<(&str, u64)> = counted
            .into_iter()
            .flatten()
            .map(|(message, count)| (message.as_str(), *count))
            .collect();
        listed.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        listed
    }

    /// How many failures of one class had a message beyond the limit of distinct ones.
    pub fn others(&self, class: FailureClass) -> u64 {
        self.by_class.get(&class).map_or(0, |counts| counts.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_messages_are_counted_and_distinct_ones_are_bounded() {
        let mut messages = FailureMessages::default();
        let class = FailureClass::SubmitRejected;
        for number in 0..1_000 {
            messages.add(class, "Insufficient balance");
            messages.add(class, &format!("{number}"));
        }
        let listed = messages.of(class);
        assert_eq!(listed[0], ("Insufficient balance", 1_000));
        assert_eq!(listed.len(), MAX_MESSAGES);
        assert_eq!(messages.others(class), 1_000 - (MAX_MESSAGES as u64 - 1));
        messages.add(FailureClass::AgentLate, &"é".repeat(10_000));
        assert_eq!(messages.of(FailureClass::AgentLate)[0].0.chars().count(), MAX_LENGTH);
    }
}
