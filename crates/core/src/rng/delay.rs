//! How long things take: fixed, uniform, or lognormal as service times are.

use std::fmt;
use std::str::FromStr;

use crate::units::{Micros, ParseUnitError, format_duration, parse_duration};

use super::KeyedDraw;

/// The standard normal distribution's 95th percentile.
const Z95: f64 = 1.644_853_626_951_472_2;

/// A model of how long one kind of thing takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DelayDistribution {
    /// Always the same.
    Fixed(Micros),
    /// Any time between the two is as likely as any other.
    Uniform {
        /// None is below it.
        shortest: Micros,
        /// None is above it.
        longest: Micros,
    },
    /// Lognormal, told by what people read off a dashboard.
    Lognormal {
        /// Half of the times are below it.
        median: Micros,
        /// Nineteen in twenty are below it; one below the median counts as the median.
        p95: Micros,
        /// None is above it.
        cap: Micros,
    },
}

impl DelayDistribution {
    /// Always `millis` milliseconds.
    pub const fn fixed(millis: u64) -> Self {
        Self::Fixed(Micros::from_millis(millis))
    }

    /// Lognormal by its median and 95th percentile, never above `cap`; all in milliseconds.
    pub const fn lognormal(median: u64, p95: u64, cap: u64) -> Self {
        Self::Lognormal {
            median: Micros::from_millis(median),
            p95: Micros::from_millis(p95),
            cap: Micros::from_millis(cap),
        }
    }

    /// The time that this draw stands for.
    pub fn sample(self, draw: KeyedDraw) -> Micros {
        match self {
            Self::Fixed(micros) => micros,
            Self::Uniform { shortest, longest } => {
                let span = longest.saturating_sub(shortest).as_secs_f64();
                shortest + Micros::from_secs_f64(span * draw.unit())
            }
            Self::Lognormal { median, p95, cap } => {
                let centre = median.as_secs_f64().ln();
                let spread = ((p95.as_secs_f64().ln() - centre) / Z95).max(0.0);
                Micros::from_secs_f64((centre + spread * draw.normal()).exp()).min(cap)
            }
        }
    }
}

const HINT: &str = "write a length such as \"300ms\", \"uniform 0s..3s\" (shortest and longest) or \
                    \"lognormal 300ms..900ms\" (median and 95th percentile)";

impl FromStr for DelayDistribution {
    type Err = ParseUnitError;

    /// Reads `300ms`, `uniform 0s..3s`, or `lognormal 300ms..900ms`, whose cap is ten times the second.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = |text: &str| Ok(Micros::from(parse_duration(text.trim())?));
        let wrong = |why: &str| ParseUnitError::new(format!("`{text}` {why}"), HINT);
        let Some((shape, range)) = text.trim().split_once(char::is_whitespace) else {
            return length(text).map(Self::Fixed);
        };
        let both = || -> Result<(Micros, Micros), ParseUnitError> {
            let (from, to) = range.split_once("..").ok_or_else(|| wrong("is no range"))?;
            let (from, to) = (length(from)?, length(to)?);
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
            _ => Err(wrong("is no distribution that is known")),
        }
    }
}

impl fmt::Display for DelayDistribution {
    /// The form that is read back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |micros: Micros| format_duration(micros.as_duration());
        match *self {
            Self::Fixed(length) => f.write_str(&text(length)),
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

    fn samples(latency: DelayDistribution) -> Vec<u64> {
        let mut samples: Vec<u64> = (0..10_000)
            .map(|n| latency.sample(KeyedRng::new(3).draw("t", &n.to_string())).0)
            .collect();
        samples.sort_unstable();
        samples
    }

    #[test]
    fn a_lognormal_has_the_median_the_p95_and_the_cap_it_was_given() {
        let times = samples(DelayDistribution::lognormal(100, 250, 400));
        let near = |at: usize, micros: f64| (times[at] as f64 / micros - 1.0).abs() < 0.05;
        assert!(near(5_000, 100_000.0), "{}", times[5_000]);
        assert!(near(9_500, 250_000.0), "{}", times[9_500]);
        assert_eq!(times[9_999], 400_000);
    }

    #[test]
    fn a_uniform_one_fills_its_range_and_no_more() {
        let (shortest, longest) = (Micros::from_millis(200), Micros::from_millis(800));
        let times = samples(DelayDistribution::Uniform { shortest, longest });
        assert!(times[0] >= 200_000 && times[0] < 202_000, "{}", times[0]);
        assert!(times[9_999] <= 800_000 && times[9_999] > 798_000, "{}", times[9_999]);
        assert!((times[5_000] as f64 / 500_000.0 - 1.0).abs() < 0.05, "{}", times[5_000]);
    }

    #[test]
    fn what_people_write_is_read_and_written_back() {
        for text in ["300ms", "0s", "uniform 0s..3s", "lognormal 300ms..900ms"] {
            assert_eq!(text.parse::<DelayDistribution>().unwrap().to_string(), text);
        }
        for (text, what) in [
            ("300", "`300` has no unit"),
            ("uniform 3s", "`uniform 3s` is no range"),
            ("uniform 3s..1s", "`uniform 3s..1s` runs backwards"),
            ("lognormal 0s..1s", "`lognormal 0s..1s` has a median of zero"),
            ("gamma 1s..2s", "`gamma 1s..2s` is no distribution that is known"),
        ] {
            assert_eq!(text.parse::<DelayDistribution>().unwrap_err().what, what);
        }
    }

    #[test]
    fn odd_models_stay_harmless() {
        assert_eq!(samples(DelayDistribution::fixed(5)), vec![5_000; 10_000]);
        assert_eq!(samples(DelayDistribution::lognormal(0, 0, 10)), vec![0; 10_000]);
        assert_eq!(samples(DelayDistribution::lognormal(20, 10, 1_000)), vec![20_000; 10_000]);
    }
}
