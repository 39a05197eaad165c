//! How long things take: fixed, or lognormal as service times are.

use crate::units::Micros;

use super::chance::Draw;

/// The standard normal distribution's 95th percentile.
const Z95: f64 = 1.644_853_626_951_472_2;

/// A model of how long one kind of thing takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Latency {
    /// Always the same.
    Fixed(Micros),
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

impl Latency {
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
    pub(crate) fn sample(self, draw: Draw) -> Micros {
        match self {
            Self::Fixed(micros) => micros,
            Self::Lognormal { median, p95, cap } => {
                let centre = median.as_secs_f64().ln();
                let spread = ((p95.as_secs_f64().ln() - centre) / Z95).max(0.0);
                Micros::from_secs_f64((centre + spread * draw.normal()).exp()).min(cap)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::chance::Chance;
    use super::*;

    fn samples(latency: Latency) -> Vec<u64> {
        let mut samples: Vec<u64> = (0..10_000)
            .map(|n| latency.sample(Chance::new(3).draw("t", &n.to_string())).0)
            .collect();
        samples.sort_unstable();
        samples
    }

    #[test]
    fn a_lognormal_has_the_median_the_p95_and_the_cap_it_was_given() {
        let times = samples(Latency::lognormal(100, 250, 400));
        let near = |at: usize, micros: f64| (times[at] as f64 / micros - 1.0).abs() < 0.05;
        assert!(near(5_000, 100_000.0), "{}", times[5_000]);
        assert!(near(9_500, 250_000.0), "{}", times[9_500]);
        assert_eq!(times[9_999], 400_000);
    }

    #[test]
    fn odd_models_stay_harmless() {
        assert_eq!(samples(Latency::fixed(5)), vec![5_000; 10_000]);
        assert_eq!(samples(Latency::lognormal(0, 0, 10)), vec![0; 10_000]);
        assert_eq!(samples(Latency::lognormal(20, 10, 1_000)), vec![20_000; 10_000]);
    }
}
