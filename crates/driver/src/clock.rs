//! The session's one clock: the wall read once, and a monotonic count since.

use std::time::Duration;

use tokio::time::Instant;

use rushhour_core::units::{Micros, SessionTime};

/// An anchor on both clocks. A wall clock that is set afterwards changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct SessionClock {
    anchor: Instant,
    /// What the session's clock showed at the anchor.
    begun_at: SessionTime,
    /// The wall's milliseconds when the session's clock showed nothing.
    wall_ms: i64,
}

impl SessionClock {
    /// Anchors the session now, at `wall_ms` milliseconds of the Unix epoch.
    pub fn anchored(wall_ms: i64) -> Self {
        Self { anchor: Instant::now(), begun_at: SessionTime::START, wall_ms }
    }

    /// Goes on with a session's clock, which shows `at` now, when the wall is at `wall_ms` milliseconds.
    pub fn going_on(at: SessionTime, wall_ms: i64) -> Self {
        let since_start = i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX);
        let wall_ms = wall_ms.saturating_sub(since_start);
        Self { anchor: Instant::now(), begun_at: at, wall_ms }
    }

    /// The anchor on both clocks: the monotonic one's, and the wall's in milliseconds of the Unix epoch.
    pub fn anchor(&self) -> (std::time::Instant, i64) {
        let anchor = self.anchor.into_std();
        let begun = self.begun_at.since(SessionTime::START).as_duration();
        // Every monotonic clock there is can count to before the machine's own start.
        (anchor.checked_sub(begun).unwrap_or(anchor), self.wall_ms)
    }

    /// The time since the anchor.
    pub fn now(&self) -> SessionTime {
        self.begun_at + Micros::from(self.anchor.elapsed())
    }

    /// How long it is until `time`; nothing where that is past.
    pub fn until(&self, time: SessionTime) -> Duration {
        time.since(self.now()).as_duration()
    }

    /// A time of another machine's wall clock on ours; none before the anchor.
    pub fn from_wall_ms(&self, wall_ms: i64) -> Option<SessionTime> {
        let since = u64::try_from(wall_ms.checked_sub(self.wall_ms)?).ok()?;
        Some(SessionTime(since.checked_mul(1_000)?))
    }
}
