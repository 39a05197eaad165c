//! Updates on their way: numbered, and kept until the coordinator has acknowledged them.

use std::collections::{HashMap, VecDeque};

use crate::protocol::{NumberedUpdate, RESEND_AFTER, UPDATES_PER_BATCH};
use rushhour_core::evaluator::{CallerUpdate, UpdateKind};
use rushhour_core::units::{Micros, RunIndex, SessionTime};

/// The updates of a session that are not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Without gaps, from the first that is not acknowledged.
    kept: VecDeque<NumberedUpdate>,
    /// The number of the last update.
    last: u64,
    /// The number of the last update that was sent.
    sent: u64,
    /// When updates were last sent or acknowledged.
    progress: SessionTime,
    /// What the last acknowledgement expected next, and what had been sent by then.
    asked: Option<(u64, u64)>,
    /// Updates with an event, of each run whose end is not acknowledged.
    of_run: HashMap<RunIndex, u32>,
}

impl Outbox {
    /// Adds an update.
    pub(super) fn push(&mut self, update: CallerUpdate) {
        let CallerUpdate { run, at, kind, .. } = update;
        self.last += 1;
        let count = self.of_run.entry(run).or_default();
        *count += u32::from(kind.is_recorded());
        let update = NumberedUpdate { number: self.last, of_run: *count, run, at, kind };
        self.kept.push_back(update);
    }

    /// The updates up to a number are kept elsewhere, and those from `expected` on did not arrive.
    pub(super) fn acknowledge(&mut self, up_to: u64, expected: u64, now: SessionTime) {
        // Whoever acknowledges what was never sent is mistaken.
        let up_to = up_to.min(self.sent);
        while let Some(update) = self.kept.pop_front_if(|first| first.number <= up_to) {
            self.progress = now;
            if matches!(update.kind, UpdateKind::Ended { .. }) {
                self.of_run.remove(&update.run);
            }
        }
        // What was under way at the last acknowledgement has arrived by the next one, or never will.
        let is_lost =
            self.asked.is_some_and(|(before, sent)| before == expected && sent >= expected);
        if is_lost {
            self.sent = expected.saturating_sub(1).clamp(self.acknowledged(), self.sent);
        }
        self.asked = Some((expected, self.sent));
    }

    /// The next updates to send, if there are any.
    pub(super) fn next_batch(&mut self, now: SessionTime) -> Option<Vec<NumberedUpdate>> {
        if self.is_stuck(now) {
            self.sent = self.acknowledged();
        }
        let from = usize::try_from(self.sent - self.acknowledged()).unwrap_or(usize::MAX);
        let batch: Vec<_> = self.kept.iter().skip(from).take(UPDATES_PER_BATCH).cloned().collect();
        self.sent = batch.last()?.number;
        self.progress = now;
        Some(batch)
    }

    /// Sends everything that is kept again: to another coordinator, which has seen none of it.
    pub(super) fn start_over(&mut self) {
        self.sent = self.acknowledged();
        self.asked = None;
    }

    /// The number of updates that are kept.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// The number of the last update.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// The number of the first update that is not acknowledged.
    pub(super) fn next_expected(&self) -> u64 {
        self.acknowledged() + 1
    }

    /// Runs with updates that are kept.
    pub(super) fn runs(&self) -> impl Iterator<Item = RunIndex> {
        self.kept.iter().map(|update| update.run)
    }

    fn acknowledged(&self) -> u64 {
        self.kept.front().map_or(self.last, |first| first.number - 1)
    }

    /// Whether what was sent was not acknowledged for so long that it may be lost.
    fn is_stuck(&self, now: SessionTime) -> bool {
        self.sent > self.acknowledged() && now.since(self.progress) >= Micros::from(RESEND_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::event::Outcome;

    fn update(run: u64, kind: UpdateKind) -> CallerUpdate {
        let (run, at) = (RunIndex(run), SessionTime(1));
        CallerUpdate { run, at, within: Micros::ZERO, kind }
    }

    fn ended() -> UpdateKind {
        UpdateKind::Ended { outcome: Outcome::Completed { judged: None }, frames: None }
    }

    fn numbers(batch: Option<Vec<NumberedUpdate>>) -> Vec<u64> {
        batch.unwrap_or_default().iter().map(|update| update.number).collect()
    }

    const START: SessionTime = SessionTime(0);
    const LATER: SessionTime = SessionTime(3_000_000);

    #[test]
    fn updates_are_kept_until_they_are_acknowledged_and_sent_again_until_then() {
        let mut outbox = Outbox::default();
        for _ in 0..3 {
            outbox.push(update(1, UpdateKind::AgentReady));
        }
        assert_eq!(numbers(outbox.next_batch(START)), [1, 2, 3]);
        assert_eq!(numbers(outbox.next_batch(START)), [0; 0]);
        outbox.acknowledge(1, 4, START);
        assert_eq!((outbox.len(), outbox.last()), (2, 3));
        assert_eq!(numbers(outbox.next_batch(SessionTime(2_999_999))), [0; 0]);
        assert_eq!(numbers(outbox.next_batch(LATER)), [2, 3]);
        outbox.acknowledge(3, 4, LATER);
        assert_eq!(numbers(outbox.next_batch(SessionTime(9_000_000))), [0; 0]);
        assert_eq!(outbox.len(), 0);
        // Nobody can acknowledge what was not sent.
        outbox.push(update(1, ended()));
        outbox.acknowledge(99, 100, LATER);
        assert_eq!(outbox.len(), 1);
    }

    #[test]
    fn a_gap_is_closed_though_later_updates_keep_coming() {
        let mut outbox = Outbox::default();
        outbox.push(update(1, UpdateKind::Joined));
        assert_eq!(numbers(outbox.next_batch(START)), [1]);
        // The first was lost: the other side still expects it, while others follow.
        for second in 1..=4 {
            outbox.push(update(1, UpdateKind::AgentReady));
            let now = SessionTime(second * 1_000_000);
            let sent = numbers(outbox.next_batch(now));
            let from = if second == 3 { 1 } else { second + 1 };
            assert_eq!(sent.first(), Some(&from), "{second}");
            outbox.acknowledge(0, 1, now);
        }
    }

    #[test]
    fn another_coordinator_gets_everything_that_is_kept() {
        let mut outbox = Outbox::default();
        for run in 0..300 {
            outbox.push(update(run, ended()));
        }
        let first = numbers(outbox.next_batch(START));
        assert_eq!((first.len(), first.last()), (UPDATES_PER_BATCH, Some(&128)));
        outbox.acknowledge(100, 129, START);
        outbox.start_over();
        assert_eq!(numbers(outbox.next_batch(START)).first(), Some(&101));
    }

    #[test]
    fn updates_of_a_run_are_counted_like_its_events() {
        let mut outbox = Outbox::default();
        for kind in [UpdateKind::Joined, UpdateKind::HiddenAgent, UpdateKind::Greeted, ended()] {
            outbox.push(update(7, kind));
        }
        outbox.push(update(8, UpdateKind::Joined));
        let batch = outbox.next_batch(START).unwrap();
        let counts: Vec<u32> = batch.iter().map(|update| update.of_run).collect();
        assert_eq!(counts, [1, 1, 2, 3, 1]);
        outbox.acknowledge(5, 6, START);
        assert_eq!(outbox.of_run.len(), 1, "the end of a run is the last that is known of it");
    }
}
