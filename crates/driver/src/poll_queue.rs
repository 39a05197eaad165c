//! [`PollQueue`]: which runs to poll next, the longest due first, within a rate.

use std::collections::BTreeSet;

use super::rate_limiter::RateLimiter;
use rushhour_core::units::{Micros, Rate, RunIndex, SessionTime};

/// Runs and the times at which they are due for a poll.
pub(super) struct PollQueue {
    due: BTreeSet<(SessionTime, RunIndex)>,
    rate: Rate,
    limiter: RateLimiter,
    not_before: SessionTime,
    longest_wait: Micros,
}

impl PollQueue {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            due: BTreeSet::new(),
            rate,
            limiter: RateLimiter::new(rate),
            not_before: SessionTime::START,
            longest_wait: Micros::ZERO,
        }
    }

    pub(super) fn insert(&mut self, at: SessionTime, run: RunIndex) {
        self.due.insert((at, run));
    }

    /// When a poll may be sent next.
    pub(super) fn next_due(&self) -> SessionTime {
        self.due.first().map_or(SessionTime::NEVER, |(at, _)| (*at).max(self.not_before))
    }

    /// Admits one request, and removes and returns the runs that it polls: those due at `now`, filled up with those
    /// due by `soon`, at most `limit`. Empty where none is due or the rate does not admit a request yet.
    pub(super) fn take(
        &mut self,
        now: SessionTime,
        soon: SessionTime,
        limit: usize,
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
            self.due.iter().take_while(|(at, _)| *at <= soon).take(limit).copied().collect();
        for key in &taken {
            self.due.remove(key);
        }
        taken.into_iter().map(|(_, run)| run).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// Admits requests at most at this rate from now on, or at its own.
    pub(super) fn limit(&mut self, rate: Option<Rate>) {
        let slower = rate.filter(|rate| *rate < self.rate).unwrap_or(self.rate);
        self.limiter = RateLimiter::new(slower);
        self.limiter.pause(self.not_before);
    }

    /// Admits no request before `until`.
    pub(super) fn pause(&mut self, until: SessionTime) {
        self.limiter.pause(until);
        self.not_before = self.not_before.max(until);
    }

    /// The longest that a due run waited since the last call.
    pub(super) fn take_longest_wait(&mut self) -> Micros {
        std::mem::take(&mut self.longest_wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_due_run_is_polled_first_within_the_rate() {
        let mut queue = PollQueue::new("10/s".parse().unwrap());
        for (at, run) in [(300, 3), (100, 1), (200, 2)] {
            queue.insert(SessionTime(at), RunIndex(run));
        }
        let now = SessionTime(1_000);
        assert_eq!(queue.take(now, now, 1), [RunIndex(1)]);
        assert_eq!(queue.take(now, now, 1), []);
        assert_eq!(queue.next_due(), SessionTime(101_000));
        let now = queue.next_due();
        assert_eq!(queue.take(now, now, 5), [RunIndex(2), RunIndex(3)]);
        assert_eq!(queue.next_due(), SessionTime::NEVER);
        assert_eq!(queue.take_longest_wait(), Micros(100_800));
    }

    #[test]
    fn runs_due_soon_fill_a_request_but_do_not_cause_one() {
        let mut queue = PollQueue::new("10/s".parse().unwrap());
        queue.insert(SessionTime(500), RunIndex(1));
        let soon = SessionTime(1_000);
        assert_eq!(queue.take(SessionTime(100), soon, 9), []);
        queue.insert(SessionTime(50), RunIndex(2));
        assert_eq!(queue.take(SessionTime(100), soon, 9), [RunIndex(2), RunIndex(1)]);
    }
}
