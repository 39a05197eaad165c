//! [`SessionClock`]: the wall clock read once, and monotonic time since.

use std::time::Duration;

use tokio::time::Instant;

use rushhour_core::units::{Micros, SessionTime};

/// The time since a session began. Setting the machine's wall clock does not change it.
#[derive(Debug, Clone, Copy)]
pub struct SessionClock {
    anchor: Instant,
    /// The session's time at the anchor.
    time_at_anchor: SessionTime,
    /// The wall clock when the session began, in milliseconds of the Unix epoch.
    wall_ms_at_start: i64,
}

impl SessionClock {
    /// Starts a session now, at `wall_ms` milliseconds of the Unix epoch.
    pub fn start(wall_ms: i64) -> Self {
        Self {
            anchor: Instant::now(),
            time_at_anchor: SessionTime::START,
            wall_ms_at_start: wall_ms,
        }
    }

    /// Continues a session whose time is `at` now, at `wall_ms` milliseconds of the Unix epoch.
    pub fn resume(at: SessionTime, wall_ms: i64) -> Self {
        let since_start = i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX);
        let wall_ms = wall_ms.saturating_sub(since_start);
        Self { anchor: Instant::now(), time_at_anchor: at, wall_ms_at_start: wall_ms }
    }

    /// When the session began: on the monotonic clock, and on the wall clock in milliseconds of the Unix epoch.
    pub fn anchor(&self) -> (std::time::Instant, i64) {
        let anchor = self.anchor.into_std();
        let since_start = self.time_at_anchor.since(SessionTime::START).as_duration();
        // An `Instant` may lie before the machine's start on every platform that we know of.
        (anchor.checked_sub(since_start).unwrap_or(anchor), self.wall_ms_at_start)
    }

    /// The session's time now.
    pub fn now(&self) -> SessionTime {
        self.time_at_anchor + Micros::from(self.anchor.elapsed())
    }

    /// How long it is until `time`; zero where that has passed.
    pub fn until(&self, time: SessionTime) -> Duration {
        time.since(self.now()).as_duration()
    }

    /// A time on another machine's wall clock as session time; `None` where it is before the session began.
    pub fn from_wall_ms(&self, wall_ms: i64) -> Option<SessionTime> {
        let since = u64::try_from(wall_ms.checked_sub(self.wall_ms_at_start)?).ok()?;
        Some(SessionTime(since.checked_mul(1_000)?))
    }
}
