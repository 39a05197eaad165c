//! [`Quantile`]: a quantile such as `p95` or `p99.9`.

use std::fmt;
use std::str::FromStr;

const MILLION: u32 = 1_000_000;
const HINT: &str = "write a percentile such as \"p95\" or \"p99.9\", between p0 and p100, with at most four decimals";

/// A quantile strictly between 0 and 1, in whole millionths so that ranks are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantile(u32);

impl Quantile {
    /// The median.
    pub const P50: Self = Self(500_000);
    /// Three quarters lie at or below it.
    pub const P75: Self = Self(750_000);
    /// Nine in ten lie at or below it.
    pub const P90: Self = Self(900_000);
    /// 19 in 20 lie at or below it.
    pub const P95: Self = Self(950_000);
    /// 99 in 100 lie at or below it.
    pub const P99: Self = Self(990_000);
    /// 999 in 1,000 lie at or below it.
    pub const P99_9: Self = Self(999_000);

    /// The quantile nearest to a fraction; `None` unless it rounds to a millionth inside (0, 1).
    pub fn from_fraction(fraction: f64) -> Option<Self> {
        let millionths = (fraction * f64::from(MILLION)).round();
        (1.0..f64::from(MILLION)).contains(&millionths).then(|| Self(to_millionths(millionths)))
    }

    /// The quantile as a fraction inside (0, 1).
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(MILLION)
    }

    /// The nearest rank among `n` ordered values, `ceil(q n)`, counted from 1; `None` when `n` is 0.
    ///
    /// This is the rank that `HdrHistogram` reports in `value_at_quantile`; here the product is
    /// exact, so that no rounding error can lift it by one.
    pub fn rank(self, n: u64) -> Option<u64> {
        let product = u128::from(self.0) * u128::from(n);
        let rank = product.div_ceil(u128::from(MILLION));
        (n > 0).then(|| u64::try_from(rank).unwrap_or(n))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the caller has checked that it is a whole number between 1 and 1,000,000"
)]
fn to_millionths(value: f64) -> u32 {
    value as u32
}

/// Why a text is not a quantile or a confidence level: what was wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ParseLevelError {
    /// What is wrong with the text.
    pub what: String,
    /// What would be accepted, with an example.
    pub hint: String,
}

impl ParseLevelError {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl FromStr for Quantile {
    type Err = ParseLevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |what: String| ParseLevelError::new(what, HINT);
        let trimmed = text.trim();
        let number = trimmed
            .strip_prefix(['p', 'P'])
            .ok_or_else(|| wrong(format!("`{trimmed}` does not begin with `p`")))?;
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let percent: f64 = number
            .parse()
            .ok()
            .filter(|_| plain)
            .ok_or_else(|| wrong(format!("`{number}` is not a number")))?;
        if number.split_once('.').is_some_and(|(_, decimals)| decimals.len() > 4) {
            return Err(wrong(format!("`{trimmed}` has more than four decimals")));
        }
        Self::from_fraction(percent / 100.0)
            .ok_or_else(|| wrong(format!("`{trimmed}` is not between p0 and p100")))
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("p{}", f64::from(self.0) / 10_000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_and_write_back() {
        for (text, quantile) in [
            ("p50", Quantile::P50),
            ("p75", Quantile::P75),
            ("p90", Quantile::P90),
            ("p95", Quantile::P95),
            ("p99", Quantile::P99),
            ("p99.9", Quantile::P99_9),
            ("p99.9999", Quantile(999_999)),
            ("p0.0001", Quantile(1)),
        ] {
            assert_eq!(text.parse::<Quantile>().unwrap(), quantile, "{text}");
            assert_eq!(quantile.to_string(), text);
        }
        assert_eq!(" P95 ".parse::<Quantile>().unwrap(), Quantile::P95);
        assert_eq!(format!("{:>6}|", Quantile::P50), "   p50|");
    }

    #[test]
    fn the_message_names_the_mistake() {
        let wrong = |text: &str| text.parse::<Quantile>().unwrap_err().what;
        assert_eq!(wrong("95"), "`95` does not begin with `p`");
        assert_eq!(wrong("p"), "`` is not a number");
        assert_eq!(wrong("p9x"), "`9x` is not a number");
        assert_eq!(wrong("p1e1"), "`1e1` is not a number");
        assert_eq!(wrong("p-5"), "`-5` is not a number");
        assert_eq!(wrong("pNaN"), "`NaN` is not a number");
        assert_eq!(wrong("p0"), "`p0` is not between p0 and p100");
        assert_eq!(wrong("p100"), "`p100` is not between p0 and p100");
        assert_eq!(wrong("p99.12345"), "`p99.12345` has more than four decimals");
    }

    #[test]
    fn fractions_outside_the_open_unit_interval_are_refused() {
        for fraction in [0.0, 1.0, -0.1, 1.1, 1e-9, f64::NAN, f64::INFINITY] {
            assert_eq!(Quantile::from_fraction(fraction), None, "{fraction}");
        }
        assert_eq!(Quantile::from_fraction(0.999), Some(Quantile::P99_9));
    }

    #[test]
    fn the_nearest_rank_is_the_ceiling_of_the_product() {
        assert_eq!(Quantile::P95.rank(0), None);
        assert_eq!(Quantile::P50.rank(1), Some(1));
        assert_eq!(Quantile::P50.rank(4), Some(2));
        assert_eq!(Quantile::P50.rank(5), Some(3));
        assert_eq!(Quantile::P95.rank(100), Some(95));
        assert_eq!(Quantile::P95.rank(101), Some(96));
        // 0.07 * 100.0 is 7.000000000000001 in binary: a naive ceiling says 8.
        let p7: Quantile = "p7".parse().unwrap();
        assert_eq!(p7.rank(100), Some(7));
        assert_eq!(Quantile::P99_9.rank(u64::MAX).map(|rank| rank < u64::MAX), Some(true));
    }
}
