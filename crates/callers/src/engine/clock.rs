//! The session's clock, as the engine's threads read it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rushhour_core::units::{Micros, SessionTime};

/// A clock that counts from an anchor: one moment, read from the monotonic clock and the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct EngineClock {
    anchor: Instant,
    anchor_wall_ms: i64,
}

impl EngineClock {
    /// A clock whose time 0 is `anchor`, when the wall clock showed `wall_ms` milliseconds since the Unix epoch.
    pub const fn new(anchor: Instant, wall_ms: i64) -> Self {
        Self { anchor, anchor_wall_ms: wall_ms }
    }

    /// A clock whose time 0 is now.
    pub fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this anchors the clock")]
        let (anchor, wall) = (Instant::now(), SystemTime::now());
        let since_epoch = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::new(anchor, i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    pub(super) const fn anchor(&self) -> Instant {
        self.anchor
    }

    /// The time since the anchor.
    pub fn now(&self) -> SessionTime {
        SessionTime(Micros::from(self.anchor.elapsed()).0)
    }

    /// The wall clock's time at `time`, in milliseconds since the Unix epoch.
    pub(super) fn wall_ms(&self, time: SessionTime) -> i64 {
        self.anchor_wall_ms.saturating_add(i64::try_from(time.0 / 1_000).unwrap_or(i64::MAX))
    }

    /// `time` on the monotonic clock.
    pub fn instant(&self, time: SessionTime) -> Instant {
        self.anchor + time.since(SessionTime::START).as_duration()
    }

    /// Reads both clocks, to convert timestamps of the kernel, which are on the wall clock.
    pub(super) fn read_both(&self) -> ClockReading {
        #[expect(
            clippy::disallowed_methods,
            reason = "the kernel timestamps datagrams on the wall clock"
        )]
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        ClockReading { now: self.now(), wall: Micros::from(wall) }
    }
}

/// The same moment on the session's clock and on the wall clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockReading {
    now: SessionTime,
    wall: Micros,
}

/// A kernel timestamp older than this is from before the wall clock was set.
const MAX_TIMESTAMP_AGE: Micros = Micros::from_secs(2);

impl ClockReading {
    pub(super) const fn now(&self) -> SessionTime {
        self.now
    }

    /// Converts a moment shortly before this reading, given as time since the Unix epoch.
    pub(super) fn session_time(&self, wall: Micros) -> SessionTime {
        let age = self.wall.saturating_sub(wall);
        if age > MAX_TIMESTAMP_AGE { self.now } else { self.now - age }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_timestamps_are_converted_by_their_age() {
        let reading = ClockReading { now: SessionTime(5_000_000), wall: Micros(1_000_000_000) };
        let converted = |wall| reading.session_time(Micros(wall));
        assert_eq!(converted(999_999_000), SessionTime(4_999_000));
        assert_eq!(converted(1_000_000_500), SessionTime(5_000_000), "never in the future");
        assert_eq!(converted(1_000), SessionTime(5_000_000), "the wall clock was set");
    }
}
