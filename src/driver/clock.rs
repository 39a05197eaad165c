//! The session's one clock: the wall read once, and a monotonic count since.

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

    /// The time since the anchor.
    pub fn now(&self) -> SessionTime {
        SessionTime(Micros::from(self.anchor.elapsed()).0)
    }

    /// The moment at which tokio's clock shows `time`.
    pub fn instant(&self, time: SessionTime) -> Instant {
        self.anchor + Micros(time.0.min(SessionTime::NEVER.0 / 1_000_000)).as_duration()
    }

    /// A time of another machine's wall clock on ours; none before the anchor.
    pub fn from_wall_ms(&self, wall_ms: i64) -> Option<SessionTime> {
        let since = u64::try_from(wall_ms.checked_sub(self.wall_ms)?).ok()?;
        Some(SessionTime(since.checked_mul(1_000)?))
    }
}
