//! What was said of failures, in the other side's own words where it has some, each counted once for all
//! that are alike.

use std::collections::BTreeMap;

use rushhour_core::event::FailureClass;

/// Different words kept of one class; what differs from all of them is counted together.
const MOST: usize = 40;
/// Characters kept of one.
const LONGEST: usize = 300;

/// What was said of failures.
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
    /// Counts what was said of one failure.
    pub(super) fn add(&mut self, class: FailureClass, words: &str) {
        let kept: String = words.chars().take(LONGEST).collect();
        let of_class = self.by_class.entry(class).or_default();
        if let Some(count) = of_class.counted.get_mut(&kept) {
            *count += 1;
        } else if of_class.counted.len() < MOST {
            of_class.counted.insert(kept, 1);
        } else {
            of_class.others += 1;
        }
    }

    /// What was said of one class, the most frequent first.
    pub fn of(&self, class: FailureClass) -> Vec<(&str, u64)> {
        let counted = self.by_class.get(&class).map(|words| &words.counted);
        let mut listed: Vec<(&str, u64)> =
            counted.into_iter().flatten().map(|(words, count)| (words.as_str(), *count)).collect();
        listed.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        listed
    }

    /// How many failures of one class had words beyond those that are kept.
    pub fn others(&self, class: FailureClass) -> u64 {
        self.by_class.get(&class).map_or(0, |words| words.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_is_counted_and_what_differs_without_end_is_bounded() {
        let mut words = FailureMessages::default();
        let class = FailureClass::SubmitRejected;
        for number in 0..1_000 {
            words.add(class, "Insufficient balance");
            words.add(class, &format!("{number}"));
        }
        let listed = words.of(class);
        assert_eq!(listed[0], ("Insufficient balance", 1_000));
        assert_eq!(listed.len(), MOST);
        assert_eq!(words.others(class), 1_000 - (MOST as u64 - 1));
        words.add(FailureClass::AgentLate, &"é".repeat(10_000));
        assert_eq!(words.of(FailureClass::AgentLate)[0].0.chars().count(), LONGEST);
    }
}
