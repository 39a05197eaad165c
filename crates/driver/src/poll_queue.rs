//! Whose turn it is to be looked at: the longest due first, no faster than a rate.

use std::collections::BTreeSet;

use super::rate_limiter::RateLimiter;
use rushhour_core::units::{Micros, Rate, RunIndex, SessionTime};

/// Runs that are due for a look, or for a question, at their times; served within a rate.
pub(super) struct PollQueue {
    due: BTreeSet<(SessionTime, RunIndex)>,
    limiter: RateLimiter,
    not_before: SessionTime,
    longest_wait: Micros,
}

impl PollQueue {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            due: BTreeSet::new(),
            limiter: RateLimiter::new(rate),
            not_before: SessionTime::START,
            longest_wait: Micros::ZERO,
        }
    }

    pub(super) fn insert(&mut self, at: SessionTime, run: RunIndex) {
        self.due.insert((at, run));
    }

    /// When something may be taken next.
    pub(super) fn next(&self) -> SessionTime {
        self.due.first().map_or(SessionTime::NEVER, |(at, _)| (*at).max(self.not_before))
    }

    /// Admits one request and takes the runs it is about: those due at `now`, filled up with those due
    /// by `soon`, at most `most`. Nothing where none is due or the rate does not allow it yet.
    pub(super) fn take(
        &mut self,
        now: SessionTime,
        soon: SessionTime,
        most: usize,
    ) -> Vec<RunIndex> {
        let Some((first, _)) = self.due.first().copied().filter(|(at, _)| *at <= now) else {
            return Vec::new();
        };
        if let Err(later) = self.limiter.admit(now) {
            self.not_before = later;
            return Vec::new();
        }
        self.longest_wait = self.longest_wait.max(now.since(first));
        let taken: Vec<(SessionTime, RunIndex)> =
            self.due.iter().take_while(|(at, _)| *at <= soon).take(most).copied().collect();
        for key in &taken {
            self.due.remove(key);
        }
        taken.into_iter().map(|(_, run)| run).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// Takes nothing before `until`.
    pub(super) fn pause(&mut self, until: SessionTime) {
        self.limiter.pause(until);
        self.not_before = self.not_before.max(until);
    }

    /// The longest that something due had to wait since this was last asked.
    pub(super) fn take_longest_wait(&mut self) -> Micros {
        std::mem::take(&mut self.longest_wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_due_comes_first_and_the_rate_is_kept() {
        let mut queue = PollQueue::new("10/s".parse().unwrap());
        for (at, run) in [(300, 3), (100, 1), (200, 2)] {
            queue.insert(SessionTime(at), RunIndex(run));
        }
        let now = SessionTime(1_000);
        assert_eq!(queue.take(now, now, 1), [RunIndex(1)]);
        assert_eq!(queue.take(now, now, 1), []);
        assert_eq!(queue.next(), SessionTime(101_000));
        let now = queue.next();
        assert_eq!(queue.take(now, now, 5), [RunIndex(2), RunIndex(3)]);
        assert_eq!(queue.next(), SessionTime::NEVER);
        assert_eq!(queue.take_longest_wait(), Micros(100_800));
    }

    #[test]
    fn what_is_due_soon_fills_a_question_up_but_does_not_cause_one() {
        let mut queue = PollQueue::new("10/s".parse().unwrap());
        queue.insert(SessionTime(500), RunIndex(1));
        let soon = SessionTime(1_000);
        assert_eq!(queue.take(SessionTime(100), soon, 9), []);
        queue.insert(SessionTime(50), RunIndex(2));
        assert_eq!(queue.take(SessionTime(100), soon, 9), [RunIndex(2), RunIndex(1)]);
    }
}
