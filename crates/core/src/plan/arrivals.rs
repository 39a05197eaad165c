//! The start times of a stage: evenly spaced at its rate, or a Poisson process of that rate.

use super::curve::RateCurve;
use crate::profile::{ArrivalRate, Arrivals};
use crate::rng::{RngStream, SeededRng};
use crate::units::Micros;

/// The start times of one open stage, in order, relative to the start of the stage.
#[derive(Debug, Clone)]
pub(super) struct ArrivalTimes {
    curve: RateCurve,
    /// The number of starts before the next one, with a fraction.
    area: f64,
    spacing: Spacing,
}

#[derive(Debug, Clone)]
enum Spacing {
    Even,
    Poisson(Box<SeededRng>),
}

impl ArrivalTimes {
    /// `position`: the stage's position in the profile; `lasts`: its duration, `None` without an end.
    pub(super) fn new(
        curve: &ArrivalRate,
        arrivals: Arrivals,
        lasts: Option<Micros>,
        seed: u64,
        position: u32,
    ) -> Self {
        let curve = RateCurve::new(curve, lasts);
        match arrivals {
            Arrivals::Even => Self { curve, area: 0.0, spacing: Spacing::Even },
            Arrivals::Poisson => {
                let mut rng = SeededRng::stream(seed, RngStream::Arrivals(position));
                // Time rescaling: mapping unit-rate arrivals through the curve gives a Poisson process of its rate.
                let area = rng.exponential();
                Self { curve, area, spacing: Spacing::Poisson(Box::new(rng)) }
            }
        }
    }

    pub(super) fn next(&mut self) -> Option<Micros> {
        let seconds = self.curve.time_of(self.area)?;
        self.area += match &mut self.spacing {
            Spacing::Even => 1.0,
            Spacing::Poisson(rng) => rng.exponential(),
        };
        Some(Micros::from_secs_f64(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Rate;

    fn all(curve: ArrivalRate, arrivals: Arrivals, seconds: u64, seed: u64) -> Vec<u64> {
        let lasts = Some(Micros::from_secs(seconds));
        let mut times = ArrivalTimes::new(&curve, arrivals, lasts, seed, 0);
        std::iter::from_fn(|| times.next()).map(|micros| micros.0).collect()
    }

    #[test]
    fn even_starts_begin_at_once_and_end_before_the_stage_does() {
        let curve = ArrivalRate::Constant(Rate::new(2.0).unwrap());
        assert_eq!(all(curve, Arrivals::Even, 2, 1), [0, 500_000, 1_000_000, 1_500_000]);
    }

    #[test]
    fn poisson_counts_have_equal_mean_and_variance() {
        let curve =
            ArrivalRate::Ramp { from: Rate::new(1.0).unwrap(), to: Rate::new(9.0).unwrap() };
        let counts: Vec<f64> =
            (0..200).map(|seed| all(curve, Arrivals::Poisson, 20, seed).len() as f64).collect();
        let mean = counts.iter().sum::<f64>() / 200.0;
        let variance = counts.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 199.0;
        // The expected count is 100.
        assert!((mean - 100.0).abs() < 2.5, "{mean}");
        assert!((variance / mean - 1.0).abs() < 0.3, "{variance} {mean}");
    }

    #[test]
    fn starts_are_in_order_and_within_the_stage() {
        let curve = ArrivalRate::Steps {
            from: Rate::new(50.0).unwrap(),
            to: Rate::new(1.0).unwrap(),
            steps: 7,
        };
        for arrivals in [Arrivals::Even, Arrivals::Poisson] {
            let times = all(curve, arrivals, 60, 3);
            assert!(times.is_sorted(), "{arrivals}");
            assert!(*times.last().unwrap() < 60_000_000);
        }
    }
}
