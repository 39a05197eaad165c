//! Converts times on the sandbox's clock to wall-clock times.

use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;

use rushhour_core::units::{Micros, SessionTime};

/// The wall-clock time at which the sandbox's clock read zero.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anchor {
    unix_micros: u64,
}

impl Anchor {
    /// An anchor this many microseconds after 1970.
    pub(crate) const fn new(unix_micros: u64) -> Self {
        Self { unix_micros }
    }

    /// Microseconds since 1970.
    pub(crate) const fn unix_micros(self, at: SessionTime) -> u64 {
        self.unix_micros + at.0
    }

    /// Whole seconds since 1970, rounded down.
    pub(crate) const fn unix_seconds(self, at: SessionTime) -> u64 {
        self.unix_micros(at) / 1_000_000
    }

    /// In RFC 3339, to the microsecond.
    pub(crate) fn rfc3339(self, at: SessionTime) -> String {
        let micros = i64::try_from(self.unix_micros(at)).unwrap_or(i64::MAX);
        // Out of jiff's range only beyond the year 9999.
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX).to_string()
    }

    /// An HTTP date (RFC 9110, section 5.6.7), rounded down to the second.
    pub(crate) fn http_date(self, at: SessionTime) -> String {
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(self.unix_seconds(at)))
    }

    /// The HTTP date of the first whole second at least `wait` after `at`, for `Retry-After`.
    pub(crate) fn retry_after_date(self, at: SessionTime, wait: Micros) -> String {
        let seconds = self.unix_micros(at + wait).div_ceil(1_000_000);
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
    }
}

/// Converts a count for LiveKit's signed protobuf fields.
pub(crate) fn to_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_convert_to_wall_clock_times() {
        let anchor = Anchor::new(1_784_000_000_250_000);
        let at = SessionTime(1_500_000);
        assert_eq!(anchor.unix_seconds(at), 1_784_000_001);
        assert_eq!(anchor.rfc3339(at), "2026-07-14T03:33:21.75Z");
        assert_eq!(anchor.http_date(at), "Tue, 14 Jul 2026 03:33:21 GMT");
        assert_eq!(
            anchor.retry_after_date(at, Micros::from_millis(300)),
            "Tue, 14 Jul 2026 03:33:23 GMT"
        );
    }
}
