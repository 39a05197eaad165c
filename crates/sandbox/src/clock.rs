//! The wall time that points on the sandbox's clock stand for.

use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;

use rushhour_core::units::{Micros, SessionTime};

/// The wall time at which the sandbox's clock read zero.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anchor {
    unix_micros: u64,
}

impl Anchor {
    /// An anchor at this many microseconds since 1970.
    pub(crate) const fn new(unix_micros: u64) -> Self {
        Self { unix_micros }
    }

    /// Microseconds since 1970.
    pub(crate) const fn unix_micros(self, at: SessionTime) -> u64 {
        self.unix_micros + at.0
    }

    /// Whole seconds since 1970, as tokens count them.
    pub(crate) const fn unix_seconds(self, at: SessionTime) -> u64 {
        self.unix_micros(at) / 1_000_000
    }

    /// The moment as RFC 3339 writes it, to the microsecond.
    pub(crate) fn rfc3339(self, at: SessionTime) -> String {
        let micros = i64::try_from(self.unix_micros(at)).unwrap_or(i64::MAX);
        // Out of jiff's range only beyond the year 9999.
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX).to_string()
    }

    /// The second that it is, as RFC 9110 writes dates in headers.
    pub(crate) fn http_now(self, at: SessionTime) -> String {
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(self.unix_seconds(at)))
    }

    /// The first whole second that is at least `wait` later, as RFC 9110 writes dates in headers.
    pub(crate) fn http_date(self, at: SessionTime, wait: Micros) -> String {
        let seconds = self.unix_micros(at + wait).div_ceil(1_000_000);
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
    }
}

/// A count for LiveKit's signed wire fields.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_read_as_wall_times() {
        let anchor = Anchor::new(1_784_000_000_250_000);
        let at = SessionTime(1_500_000);
        assert_eq!(anchor.unix_seconds(at), 1_784_000_001);
        assert_eq!(anchor.rfc3339(at), "2026-07-14T03:33:21.75Z");
        assert_eq!(anchor.http_now(at), "Tue, 14 Jul 2026 03:33:21 GMT");
        assert_eq!(anchor.http_date(at, Micros::from_millis(300)), "Tue, 14 Jul 2026 03:33:23 GMT");
    }
}
