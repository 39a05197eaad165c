//! The session's one clock: the wall read once, and a monotonic count since.

use std::time::Duration;

use tokio::time::Instant;

use crate::units::{Micros, SessionTime};

/// An anchor on both clocks. A wall clock that is set afterwards changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct SessionClock {
    anchor: Instant,
    wall_ms: i64,
}

impl SessionClock {
    /// Anchors the session now, at `wall_ms` milliseconds of the Unix epoch.
    pub fn anchored(wall_ms: i64) -> Self {
        Self { anchor: Instant::now(), wall_ms }
    }

    /// The anchor on both clocks: the monotonic one's, and the wall's in milliseconds of the Unix epoch.
    pub fn anchor(&self) -> (std::time::Instant, i64) {
        (self.anchor.into_std(), self.wall_ms)
    }

    /// The time since the anchor.
    pub fn now(&self) -> SessionTime {
        SessionTime(Micros::from(self.anchor.elapsed()).0)
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
