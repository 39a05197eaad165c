//! [`LiveKitThrottle`]: waits out LiveKit's "too many requests". While it lasts nothing is sent; afterwards requests go
//! out one by one for a while, and rooms are polled less often.

use std::collections::VecDeque;

use super::rate_limiter::RateLimiter;
use super::session_effect::SessionEffect;
use rushhour_core::units::{Micros, Rate, RunIndex, SessionTime};

/// The wait after a refusal, where the server does not say; it doubles with each refusal in a row,
const FIRST_WAIT: Micros = Micros::from_secs(1);
/// up to this.
const MAX_WAIT: Micros = Micros::from_secs(30);
/// A longer wait is not waited out: the request fails.
pub(super) const MAX_RETRY_AFTER: Micros = Micros::from_secs(600);
/// How often one request is sent, retries included. With the waits above, LiveKit Cloud's window of a minute passes.
pub(super) const MAX_ATTEMPTS: u32 = 8;
/// The rate of requests per second for a while after a refusal: half of what LiveKit Cloud allows a project (1,000 a
/// minute), because others may use the same project.
const CAREFUL_RATE: f64 = 8.0;
/// Rooms are polled at most at that rate too after a refusal, at half of it after the next one, down to this part of it.
const LEAST_POLLS: u32 = 4;
/// The time without a refusal after which everything is as before.
const CAREFUL_FOR: Micros = Micros::from_secs(60);

/// Holds back requests to LiveKit while it refuses them.
pub(super) struct LiveKitThrottle {
    paused_until: SessionTime,
    careful_until: SessionTime,
    refusals_in_a_row: u32,
    /// Rooms are polled at this part of [`CAREFUL_RATE`]; 0 while they are polled as the profile says.
    poll_part: u32,
    limiter: RateLimiter,
    not_before: SessionTime,
    /// Requests that wait; deletions after all others.
    waiting: VecDeque<SessionEffect>,
    deletions: VecDeque<SessionEffect>,
}

impl LiveKitThrottle {
    pub(super) fn new() -> Self {
        let rate = Rate::new(CAREFUL_RATE).expect("the constant is between 0 and 100,000");
        Self {
            paused_until: SessionTime::START,
            careful_until: SessionTime::START,
            refusals_in_a_row: 0,
            poll_part: 0,
            limiter: RateLimiter::new(rate),
            not_before: SessionTime::START,
            waiting: VecDeque::new(),
            deletions: VecDeque::new(),
        }
    }

    /// LiveKit refused a request. Returns until when nothing is sent, unless that is already known: requests that were
    /// under way together are refused together.
    pub(super) fn refused(
        &mut self,
        retry_after: Option<Micros>,
        now: SessionTime,
    ) -> Option<SessionTime> {
        let known = now < self.paused_until;
        let doubled = Micros(FIRST_WAIT.0 << self.refusals_in_a_row.min(5)).min(MAX_WAIT);
        let wait = match retry_after {
            Some(wait) => wait.clamp(Micros::from_millis(100), MAX_RETRY_AFTER),
            None if known => Micros::ZERO,
            None => doubled,
        };
        if !known {
            self.refusals_in_a_row += 1;
            self.poll_part = (self.poll_part * 2).clamp(1, LEAST_POLLS);
        }
        let until = now + wait;
        if until <= self.paused_until {
            return None;
        }
        self.paused_until = until;
        self.careful_until = until + CAREFUL_FOR;
        self.limiter.pause(until);
        self.not_before = self.not_before.max(until);
        Some(until)
    }

    /// LiveKit answered a request, or failed for another reason.
    pub(super) const fn answered(&mut self) {
        self.refusals_in_a_row = 0;
    }

    /// Takes a request that is due: returns it if it may be sent now, and keeps it otherwise.
    pub(super) fn admit(
        &mut self,
        request: SessionEffect,
        now: SessionTime,
    ) -> Option<SessionEffect> {
        if self.is_empty() {
            if now >= self.careful_until {
                return Some(request);
            }
            match self.limiter.admit(now) {
                Ok(()) => return Some(request),
                Err(later) => self.not_before = later,
            }
        }
        match request {
            SessionEffect::DeleteRoom(_) => self.deletions.push_back(request),
            _ => self.waiting.push_back(request),
        }
        None
    }

    /// The next request that waited and may be sent now.
    pub(super) fn take(&mut self, now: SessionTime) -> Option<SessionEffect> {
        if self.is_empty() {
            return None;
        }
        if let Err(later) = self.limiter.admit(now) {
            self.not_before = later;
            return None;
        }
        self.waiting.pop_front().or_else(|| self.deletions.pop_front())
    }

    /// Removes and returns the waiting requests of runs that need them no more.
    pub(super) fn withdraw(&mut self, is_needed: impl Fn(RunIndex) -> bool) -> Vec<SessionEffect> {
        let unneeded = |request: &SessionEffect| match request {
            SessionEffect::CreateRoom(planned) | SessionEffect::Dispatch(planned) => {
                !is_needed(planned.index)
            }
            SessionEffect::CheckDispatch(run) => !is_needed(*run),
            _ => false,
        };
        let (withdrawn, kept) = std::mem::take(&mut self.waiting).into_iter().partition(unneeded);
        self.waiting = kept;
        Vec::from(withdrawn as VecDeque<SessionEffect>)
    }

    /// When something that waits may be sent, or everything is as before.
    pub(super) fn next_due(&self) -> SessionTime {
        let waiting = if self.is_empty() { SessionTime::NEVER } else { self.not_before };
        let recovers = if self.poll_part == 0 { SessionTime::NEVER } else { self.careful_until };
        waiting.min(recovers)
    }

    /// Whether everything is as before from now on.
    pub(super) fn recover(&mut self, now: SessionTime) -> bool {
        let recovers = self.poll_part > 0 && now >= self.careful_until;
        if recovers {
            self.poll_part = 0;
        }
        recovers
    }

    /// The most polls of rooms, where they are limited.
    pub(super) fn poll_rate(&self) -> Option<Rate> {
        (self.poll_part > 0).then(|| Rate::new(CAREFUL_RATE / f64::from(self.poll_part))).flatten()
    }

    /// Until when nothing is sent.
    pub(super) const fn paused_until(&self) -> SessionTime {
        self.paused_until
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.deletions.len()
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.deletions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> SessionTime {
        SessionTime(millis * 1_000)
    }

    fn delete(run: u64) -> SessionEffect {
        SessionEffect::DeleteRoom(RunIndex(run))
    }

    fn check(run: u64) -> SessionEffect {
        SessionEffect::CheckDispatch(RunIndex(run))
    }

    #[test]
    fn nothing_waits_until_the_server_refuses() {
        let mut throttle = LiveKitThrottle::new();
        assert_eq!(throttle.admit(delete(1), at(0)), Some(delete(1)));
        assert_eq!(throttle.next_due(), SessionTime::NEVER);
    }

    #[test]
    fn a_refusal_is_waited_out_and_deletions_come_last() {
        let mut throttle = LiveKitThrottle::new();
        assert_eq!(throttle.refused(Some(Micros::from_secs(3)), at(0)), Some(at(3_000)));
        for request in [delete(1), check(2), check(3)] {
            assert_eq!(throttle.admit(request, at(10)), None);
        }
        assert_eq!(throttle.take(at(2_999)), None);
        assert_eq!(throttle.next_due(), at(3_000));
        assert_eq!(throttle.take(at(3_000)), Some(check(2)));
        assert_eq!(throttle.take(at(3_000)), None, "they go out one by one");
        assert_eq!(throttle.next_due(), at(3_125));
        assert_eq!(throttle.take(at(3_125)), Some(check(3)));
        assert_eq!(throttle.take(at(3_250)), Some(delete(1)));
        assert_eq!(throttle.poll_rate(), Rate::new(8.0));
        assert_eq!(throttle.next_due(), at(63_000));
        assert!(!throttle.recover(at(62_999)));
        assert!(throttle.recover(at(63_000)));
        assert_eq!(throttle.poll_rate(), None);
        assert_eq!(throttle.admit(delete(4), at(63_000)), Some(delete(4)));
    }

    #[test]
    fn refusals_of_requests_that_were_under_way_together_count_once() {
        let mut throttle = LiveKitThrottle::new();
        assert_eq!(throttle.refused(None, at(0)), Some(at(1_000)));
        assert_eq!(throttle.refused(None, at(5)), None);
        assert_eq!(throttle.refused(None, at(1_000)), Some(at(3_000)), "the wait doubles");
        assert_eq!(throttle.refused(Some(Micros::from_secs(9)), at(1_100)), Some(at(10_100)));
        assert_eq!(throttle.poll_rate(), Rate::new(4.0));
        throttle.answered();
        assert_eq!(throttle.refused(None, at(20_000)), Some(at(21_000)));
        let longest = throttle.refused(Some(Micros::from_secs(100_000)), at(30_000));
        assert_eq!(longest, Some(at(30_000) + MAX_RETRY_AFTER));
        assert_eq!(throttle.poll_rate(), Rate::new(2.0), "and no less");
    }

    #[test]
    fn requests_of_runs_that_have_ended_are_withdrawn() {
        let mut throttle = LiveKitThrottle::new();
        throttle.refused(None, at(0));
        for request in [check(1), delete(1), check(2)] {
            throttle.admit(request, at(0));
        }
        assert_eq!(throttle.withdraw(|run| run == RunIndex(2)), [check(1)]);
        assert_eq!(throttle.len(), 2);
    }
}
