//! Times of the session on the wall clock.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use rushhour_core::units::SessionTime;

/// The wall clock at a session's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WallClock {
    /// None where the journal's anchor is not a time.
    anchor: Option<Timestamp>,
}

impl WallClock {
    /// The clock of a session with this anchor, in RFC 3339.
    pub(super) fn of(anchor: &str) -> Self {
        Self { anchor: anchor.parse().ok() }
    }

    fn at(self, time: SessionTime) -> Option<Timestamp> {
        let since = SignedDuration::from_micros(i64::try_from(time.0).ok()?);
        self.anchor?.checked_add(since).ok()
    }

    /// Hours and minutes, such as `02:10 UTC`; with seconds in a session's first hour, with the date from its second day
    /// on.
    pub(super) fn short(self, time: SessionTime) -> String {
        let Some(at) = self.at(time) else {
            return format!("{} after the start", time.since(SessionTime::START));
        };
        let form = match time.0 / 3_600_000_000 {
            0 => "%H:%M:%S UTC",
            1..24 => "%H:%M UTC",
            _ => "%d %b %H:%M UTC",
        };
        at.to_zoned(TimeZone::UTC).strftime(form).to_string()
    }

    /// RFC 3339 in UTC, to the second; empty where the journal's anchor is not a time.
    pub(super) fn full(self, time: SessionTime) -> String {
        self.at(time)
            .map(|at| at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::units::Micros;

    #[test]
    fn times_are_formatted_for_the_length_of_the_session() {
        let wall = WallClock::of("2026-11-22T21:30:15Z");
        let hours = |hours: f64| SessionTime::START + Micros::from_secs_f64(hours * 3_600.0);
        assert_eq!(wall.short(hours(4.667)), "02:10 UTC");
        assert_eq!(wall.short(hours(0.5)), "22:00:15 UTC");
        assert_eq!(wall.short(hours(30.0)), "24 Nov 03:30 UTC");
        assert_eq!(wall.full(hours(4.0)), "2026-11-23T01:30:15Z");
        let none = WallClock::of("tonight");
        assert_eq!(none.short(hours(1.0)), "60m00s after the start");
        assert_eq!(none.full(hours(1.0)), "");
    }
}
