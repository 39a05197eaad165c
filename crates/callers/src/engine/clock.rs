//! The session's clock as the callers' threads read it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rushhour_core::units::{Micros, SessionTime};

/// An anchor on both clocks: the monotonic one, and the wall's at the same moment.
#[derive(Debug, Clone, Copy)]
pub struct EngineClock {
    anchor: Instant,
    wall_ms: i64,
}

impl EngineClock {
    /// The clock of a session that began at `anchor`, when the wall showed `wall_ms` of the Unix epoch.
    pub const fn new(anchor: Instant, wall_ms: i64) -> Self {
        Self { anchor, wall_ms }
    }

    /// The anchor on the monotonic clock.
    pub const fn anchor(&self) -> Instant {
        self.anchor
    }

    /// The time since the anchor.
    pub fn now(&self) -> SessionTime {
        SessionTime(Micros::from(self.anchor.elapsed()).0)
    }

    /// What the wall showed at `time`, in milliseconds of the Unix epoch.
    pub fn wall_ms(&self, time: SessionTime) -> i64 {
        self.wall_ms.saturating_add(i64::try_from(time.0 / 1_000).unwrap_or(i64::MAX))
    }

    /// The instant of a time.
    pub fn instant(&self, time: SessionTime) -> Instant {
        self.anchor + time.since(SessionTime::START).as_duration()
    }

    /// Both clocks now, so that stamps of the kernel's, which are on the wall's, can be placed on ours.
    pub fn both(&self) -> BothClocks {
        #[expect(
            clippy::disallowed_methods,
            reason = "the kernel stamps datagrams on the wall clock"
        )]
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        BothClocks { now: self.now(), wall: Micros::from(wall) }
    }
}

/// The same moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct BothClocks {
    now: SessionTime,
    wall: Micros,
}

/// A stamp that claims to be older than this was put on by a wall clock that has been set since.
const OLDEST_STAMP: Micros = Micros::from_secs(2);

impl BothClocks {
    /// The moment itself.
    pub const fn now(&self) -> SessionTime {
        self.now
    }

    /// A moment shortly before, which the wall clock showed as `wall` since the Unix epoch.
    pub fn place(&self, wall: Micros) -> SessionTime {
        let age = self.wall.saturating_sub(wall);
        if age > OLDEST_STAMP { self.now } else { self.now - age }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_placed_by_their_age() {
        let both = BothClocks { now: SessionTime(5_000_000), wall: Micros(1_000_000_000) };
        assert_eq!(both.place(Micros(999_999_000)), SessionTime(4_999_000));
        assert_eq!(both.place(Micros(1_000_000_500)), SessionTime(5_000_000), "none is from later");
        assert_eq!(both.place(Micros(1_000)), SessionTime(5_000_000), "the wall was set");
    }
}
