//! [`Confidence`]: the confidence level of intervals, 95 % by default.

use std::fmt;
use std::str::FromStr;

use super::normal;
use super::quantile::ParseLevelError;

const HINT: &str = "write a confidence level such as \"95%\" or \"99%\", between 50% and 99.9999%";

/// The share of intervals, over many repetitions, that hold the true value; between 0.5 and 0.999999.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Confidence(f64);

impl Confidence {
    /// The usual level.
    pub const PERCENT_95: Self = Self(0.95);
    /// A stricter level.
    pub const PERCENT_99: Self = Self(0.99);

    /// A level from a fraction; `None` outside 0.5 to 0.999999.
    pub fn from_fraction(fraction: f64) -> Option<Self> {
        (0.5..=0.999_999).contains(&fraction).then_some(Self(fraction))
    }

    /// The level as a fraction, such as 0.95.
    pub const fn fraction(self) -> f64 {
        self.0
    }

    /// The probability in each tail: 0.025 at 95 %.
    pub fn tail(self) -> f64 {
        (1.0 - self.0) / 2.0
    }

    /// The two-sided critical value of the standard normal distribution: 1.96 at 95 %.
    pub fn critical_value(self) -> f64 {
        -normal::inverse_cumulative(self.tail())
    }
}

impl Default for Confidence {
    fn default() -> Self {
        Self::PERCENT_95
    }
}

impl FromStr for Confidence {
    type Err = ParseLevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |what: String| ParseLevelError::new(what, HINT);
        let trimmed = text.trim();
        let number = trimmed
            .strip_suffix('%')
            .ok_or_else(|| wrong(format!("`{trimmed}` has no percent sign")))?
            .trim();
        let percent: f64 =
            number.parse().map_err(|_| wrong(format!("`{number}` is not a number")))?;
        Self::from_fraction(percent / 100.0)
            .ok_or_else(|| wrong(format!("`{trimmed}` is not between 50% and 99.9999%")))
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}%", (self.0 * 1e8).round() / 1e6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_read_and_write_back() {
        for text in ["50%", "90%", "95%", "99.9%", "99.9999%"] {
            assert_eq!(text.parse::<Confidence>().unwrap().to_string(), text);
        }
        assert_eq!(Confidence::default().to_string(), "95%");
        let wrong = |text: &str| text.parse::<Confidence>().unwrap_err().what;
        assert_eq!(wrong("95"), "`95` has no percent sign");
        assert_eq!(wrong("much%"), "`much` is not a number");
        assert_eq!(wrong("100%"), "`100%` is not between 50% and 99.9999%");
        assert_eq!(wrong("NaN%"), "`NaN%` is not between 50% and 99.9999%");
    }

    #[test]
    fn critical_values_are_those_of_the_tables() {
        for (confidence, value) in [
            (Confidence::PERCENT_95, 1.959_963_984_540_054),
            (Confidence::PERCENT_99, 2.575_829_303_548_900_4),
        ] {
            assert!((confidence.critical_value() - value).abs() < 1e-12, "{confidence}");
        }
    }
}
