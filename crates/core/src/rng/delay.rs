//! Distributions of delays: fixed, uniform or lognormal.

use std::fmt;
use std::str::FromStr;

use crate::units::{Micros, ParseUnitError, format_duration, parse_duration};

use super::KeyedDraw;

/// The standard normal distribution's 95th percentile.
const Z95: f64 = 1.644_853_626_951_472_2;

/// The distribution of a delay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DelayDistribution {
    /// Always the same delay.
    Fixed(Micros),
    /// Uniform between two delays.
    Uniform {
        /// The lower bound.
        shortest: Micros,
        /// The upper bound.
        longest: Micros,
    },
    /// Lognormal, truncated at a maximum.
    Lognormal {
        /// The median.
        median: Micros,
        /// The 95th percentile; treated as the median if it is lower.
        p95: Micros,
        /// The maximum.
        cap: Micros,
    },
}

impl DelayDistribution {
    /// A fixed delay in milliseconds.
    pub const fn fixed(millis: u64) -> Self {
        Self::Fixed(Micros::from_millis(millis))
    }

    /// A lognormal delay with its median, 95th percentile and maximum in milliseconds.
    pub const fn lognormal(median: u64, p95: u64, cap: u64) -> Self {
        Self::Lognormal {
            median: Micros::from_millis(median),
            p95: Micros::from_millis(p95),
            cap: Micros::from_millis(cap),
        }
    }

    /// The delay for a random value.
    pub fn sample(self, draw: KeyedDraw) -> Micros {
        match self {
            Self::Fixed(micros) => micros,
            Self::Uniform { shortest, longest } => {
                let span = longest.saturating_sub(shortest).as_secs_f64();
                shortest + Micros::from_secs_f64(span * draw.uniform())
            }
            Self::Lognormal { median, p95, cap } => {
                let centre = median.as_secs_f64().ln();
                let spread = ((p95.as_secs_f64().ln() - centre) / Z95).max(0.0);
                Micros::from_secs_f64((centre + spread * draw.normal()).exp()).min(cap)
            }
        }
    }
}

const HINT: &str = "write a duration such as \"300ms\", \"uniform 0s..3s\" (shortest and longest) or \
                    \"lognormal 300ms..900ms\" (median and 95th percentile)";

impl FromStr for DelayDistribution {
    type Err = ParseUnitError;

    /// Parses `300ms`, `uniform 0s..3s` or `lognormal 300ms..900ms`, with a maximum of ten times the p95.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let duration = |text: &str| Ok(Micros::from(parse_duration(text.trim())?));
        let wrong = |why: &str| ParseUnitError::new(format!("`{text}` {why}"), HINT);
        let Some((shape, range)) = text.trim().split_once(char::is_whitespace) else {
            return duration(text).map(Self::Fixed);
        };
        let both = || -> Result<(Micros, Micros), ParseUnitError> {
            let (from, to) = range.split_once("..").ok_or_else(|| wrong("is not a range"))?;
            let (from, to) = (duration(from)?, duration(to)?);
            if from > to { Err(wrong("runs backwards")) } else { Ok((from, to)) }
        };
        match shape {
            "uniform" => both().map(|(shortest, longest)| Self::Uniform { shortest, longest }),
            "lognormal" => match both()? {
                (Micros::ZERO, _) => Err(wrong("has a median of zero")),
                (median, p95) => {
                    Ok(Self::Lognormal { median, p95, cap: Micros(p95.0.saturating_mul(10)) })
                }
            },
            _ => Err(wrong("is not a known distribution")),
        }
    }
}

impl fmt::Display for DelayDistribution {
    /// The form that [`FromStr`] parses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |micros: Micros| format_duration(micros.as_duration());
        match *self {
            Self::Fixed(delay) => f.write_str(&text(delay)),
            Self::Uniform { shortest, longest } => {
                write!(f, "uniform {}..{}", text(shortest), text(longest))
            }
            Self::Lognormal { median, p95, .. } => {
                write!(f, "lognormal {}..{}", text(median), text(p95))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::KeyedRng;

    fn samples(delay: DelayDistribution) -> Vec<u64> {
        let mut samples: Vec<u64> = (0..10_000)
            .map(|n| delay.sample(KeyedRng::new(3).draw("t", &n.to_string())).0)
            .collect();
        samples.sort_unstable();
        samples
    }

    #[test]
    fn a_lognormal_has_its_median_p95_and_maximum() {
        let times = samples(DelayDistribution::lognormal(100, 250, 400));
        let near = |at: usize, micros: f64| (times[at] as f64 / micros - 1.0).abs() < 0.05;
        assert!(near(5_000, 100_000.0), "{}", times[5_000]);
        assert!(near(9_500, 250_000.0), "{}", times[9_500]);
        assert_eq!(times[9_999], 400_000);
    }

    #[test]
    fn a_uniform_fills_its_range() {
        let (shortest, longest) = (Micros::from_millis(200), Micros::from_millis(800));
        let times = samples(DelayDistribution::Uniform { shortest, longest });
        assert!(times[0] >= 200_000 && times[0] < 202_000, "{}", times[0]);
        assert!(times[9_999] <= 800_000 && times[9_999] > 798_000, "{}", times[9_999]);
        assert!((times[5_000] as f64 / 500_000.0 - 1.0).abs() < 0.05, "{}", times[5_000]);
    }

    #[test]
    fn distributions_parse_and_format() {
        for text in ["300ms", "0s", "uniform 0s..3s", "lognormal 300ms..900ms"] {
            assert_eq!(text.parse::<DelayDistribution>().unwrap().to_string(), text);
        }
        for (text, message) in [
            ("300", "`300` has no unit"),
            ("uniform 3s", "`uniform 3s` is not a range"),
            ("uniform 3s..1s", "`uniform 3s..1s` runs backwards"),
            ("lognormal 0s..1s", "`lognormal 0s..1s` has a median of zero"),
            ("gamma 1s..2s", "`gamma 1s..2s` is not a known distribution"),
        ] {
            assert_eq!(text.parse::<DelayDistribution>().unwrap_err().message, message);
        }
    }

    #[test]
    fn degenerate_distributions_are_valid() {
        assert_eq!(samples(DelayDistribution::fixed(5)), vec![5_000; 10_000]);
        assert_eq!(samples(DelayDistribution::lognormal(0, 0, 10)), vec![0; 10_000]);
        assert_eq!(samples(DelayDistribution::lognormal(20, 10, 1_000)), vec![20_000; 10_000]);
    }
}
