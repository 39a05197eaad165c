//! Durations, and points in time on the session's clock.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest time that is read: some 30 years. Whoever wrote a journal may have written any number, and sums of times,
/// and times in nanoseconds, must stay numbers.
const LONGEST_READ: u64 = 1_000_000_000_000_000;

/// A time in a file is longer than any session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} us is longer than any session lasts")]
pub struct TimeOutOfRange(u64);

const fn in_range(micros: u64) -> Result<u64, TimeOutOfRange> {
    if micros > LONGEST_READ { Err(TimeOutOfRange(micros)) } else { Ok(micros) }
}

/// A duration in whole microseconds, never negative.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u64")]
pub struct Micros(pub u64);

impl Micros {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// From whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// From whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// From seconds with a fraction; negative values and NaN become zero.
    pub fn from_secs_f64(seconds: f64) -> Self {
        // `as` saturates beyond 584,000 years.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        Self((seconds * 1e6).round() as u64)
    }

    /// The duration in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The duration as the standard library's type.
    pub const fn as_duration(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// The difference, at least zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl TryFrom<u64> for Micros {
    type Error = TimeOutOfRange;

    fn try_from(micros: u64) -> Result<Self, TimeOutOfRange> {
        in_range(micros).map(Self)
    }
}

impl TryFrom<u64> for SessionTime {
    type Error = TimeOutOfRange;

    fn try_from(micros: u64) -> Result<Self, TimeOutOfRange> {
        in_range(micros).map(Self)
    }
}

impl From<Duration> for Micros {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
}

impl Add for Micros {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Micros {
    /// About three significant digits, in the largest fitting unit: `950us`, `12.3ms`, `4.56s`, `3m20s`, `2h05m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0 as f64;
        let three = |value: f64, unit: &str, f: &mut fmt::Formatter<'_>| {
            let decimals = match value {
                v if v < 9.995 => 2,
                v if v < 99.95 => 1,
                _ => 0,
            };
            f.pad(&format!("{value:.decimals$}{unit}"))
        };
        if self.0 < 1_000 {
            f.pad(&format!("{}us", self.0))
        } else if micros < 999.5e3 {
            three(micros / 1e3, "ms", f)
        } else if micros < 119.95e6 {
            three(micros / 1e6, "s", f)
        } else {
            let seconds = (self.0 + 500_000) / 1_000_000;
            if seconds < 2 * 3600 {
                f.pad(&format!("{}m{:02}s", seconds / 60, seconds % 60))
            } else {
                let minutes = (seconds + 30) / 60;
                f.pad(&format!("{}h{:02}m", minutes / 60, minutes % 60))
            }
        }
    }
}

/// A point on the session's clock: microseconds since its anchor.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u64")]
pub struct SessionTime(pub u64);

impl SessionTime {
    /// The anchor.
    pub const START: Self = Self(0);
    /// Later than any session lasts.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time since `earlier`, at least zero.
    pub const fn since(self, earlier: Self) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }

    /// Seconds since the anchor.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Add<Micros> for SessionTime {
    type Output = Self;
    fn add(self, duration: Micros) -> Self {
        Self(self.0.saturating_add(duration.0))
    }
}

impl AddAssign<Micros> for SessionTime {
    fn add_assign(&mut self, duration: Micros) {
        *self = *self + duration;
    }
}

impl Sub<Micros> for SessionTime {
    type Output = Self;
    fn sub(self, duration: Micros) -> Self {
        Self(self.0.saturating_sub(duration.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_with_three_digits() {
        let shown = |us: u64| Micros(us).to_string();
        assert_eq!(shown(0), "0us");
        assert_eq!(shown(950), "950us");
        assert_eq!(shown(12_345), "12.3ms");
        assert_eq!(shown(999_400), "999ms");
        assert_eq!(shown(999_600), "1.00s");
        assert_eq!(shown(4_560_000), "4.56s");
        assert_eq!(shown(200_000_000), "3m20s");
        assert_eq!(shown(7_500_000_000), "2h05m");
    }

    #[test]
    fn times_saturate() {
        assert_eq!(SessionTime(5).since(SessionTime(9)), Micros::ZERO);
        assert_eq!(SessionTime(5) - Micros(9), SessionTime::START);
        assert_eq!(SessionTime::NEVER + Micros(1), SessionTime::NEVER);
    }

    #[test]
    fn a_time_that_no_session_has_is_not_read() {
        let read = |text: &str| serde_json::from_str::<SessionTime>(text);
        assert_eq!(read("1000000000000000").unwrap(), SessionTime(LONGEST_READ));
        for text in ["1000000000000001", "18446744073709551615", "-1", "1.5", "null"] {
            assert!(read(text).is_err() && serde_json::from_str::<Micros>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::to_string(&SessionTime(7)).unwrap(), "7");
    }

    #[test]
    fn seconds_are_rounded_and_negative_ones_are_zero() {
        assert_eq!(Micros::from_secs_f64(0.000_001_4), Micros(1));
        assert_eq!(Micros::from_secs_f64(-3.0), Micros::ZERO);
        assert_eq!(Micros::from_secs_f64(f64::NAN), Micros::ZERO);
    }
}
