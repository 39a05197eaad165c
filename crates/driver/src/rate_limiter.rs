//! [`RateLimiter`]: a token bucket without burst, on the session's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::Quota;
use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};

use rushhour_core::units::{Rate, SessionTime};

/// A clock for governor that is set by hand.
#[derive(Debug, Clone, Default)]
struct SettableClock(Arc<AtomicU64>);

impl Clock for SettableClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.load(Ordering::Relaxed).into()
    }
}

/// Admits requests at most at a rate, never two at once. The order is the caller's.
pub(super) struct RateLimiter {
    clock: SettableClock,
    governor: governor::RateLimiter<NotKeyed, InMemoryState, SettableClock, NoOpMiddleware<Nanos>>,
    paused_until: SessionTime,
}

impl RateLimiter {
    pub(super) fn new(rate: Rate) -> Self {
        let clock = SettableClock::default();
        // governor counts in nanoseconds.
        let period = std::time::Duration::from_secs_f64(1.0 / rate.per_second());
        let quota = Quota::with_period(period)
            .expect("a rate is at most 100,000 a second, so its period is not zero")
            .allow_burst(std::num::NonZeroU32::MIN);
        let governor = governor::RateLimiter::direct_with_clock(quota, clock.clone());
        Self { clock, governor, paused_until: SessionTime::START }
    }

    /// Admits a request at `now`, or returns when to ask again.
    pub(super) fn admit(&mut self, now: SessionTime) -> Result<(), SessionTime> {
        if now < self.paused_until {
            return Err(self.paused_until);
        }
        let nanos = now.0.saturating_mul(1_000);
        self.clock.0.store(nanos, Ordering::Relaxed);
        self.governor.check().map_err(|not_until| {
            let earliest = not_until.earliest_possible();
            let wait = earliest.duration_since(nanos.into()).as_u64();
            SessionTime(now.0 + wait.div_ceil(1_000).max(1))
        })
    }

    /// Admits nothing before `until`.
    pub(super) fn pause(&mut self, until: SessionTime) {
        self.paused_until = self.paused_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_per_minute_admits_sixty_in_a_minute() {
        let mut limiter = RateLimiter::new("60/min".parse().unwrap());
        let mut admitted = 0;
        let mut now = SessionTime::START;
        while now < SessionTime(60_000_000) {
            match limiter.admit(now) {
                Ok(()) => admitted += 1,
                Err(next) => {
                    assert!(next > now);
                    now = next;
                }
            }
        }
        assert_eq!(admitted, 60);
    }

    #[test]
    fn idle_time_allows_no_burst() {
        let mut limiter = RateLimiter::new("2/s".parse().unwrap());
        let later = SessionTime(10_000_000);
        assert_eq!(limiter.admit(later), Ok(()));
        assert_eq!(limiter.admit(later), Err(SessionTime(10_500_000)));
    }

    #[test]
    fn a_pause_admits_nothing() {
        let mut limiter = RateLimiter::new("100/s".parse().unwrap());
        limiter.pause(SessionTime(3_000_000));
        assert_eq!(limiter.admit(SessionTime::START), Err(SessionTime(3_000_000)));
        assert_eq!(limiter.admit(SessionTime(3_000_000)), Ok(()));
    }
}
