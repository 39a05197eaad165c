//! The moments of a stage's starts: evenly along its rate, or as a Poisson process of that rate.

use super::curve::RateCurve;
use super::rng::{PlanRng, RngStream};
use crate::profile::{ArrivalRate, Arrivals};
use crate::units::Micros;

/// The moments of the starts of one open stage, in order, from the stage's own start.
#[derive(Debug, Clone)]
pub(super) struct ArrivalTimes {
    curve: RateCurve,
    area: f64,
    spacing: Spacing,
}

#[derive(Debug, Clone)]
enum Spacing {
    Even,
    Poisson(Box<PlanRng>),
}

impl ArrivalTimes {
    /// The starts of the stage at `position` that lasts `lasts`, or goes on without an end.
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
                let mut random = PlanRng::new(seed, RngStream::Arrivals(position));
                // Time-rescaling: unit-rate arrivals, bent by the curve, are a Poisson process of its rate.
                let area = random.exponential();
                Self { curve, area, spacing: Spacing::Poisson(Box::new(random)) }
            }
        }
    }

    /// The next start.
    pub(super) fn next(&mut self) -> Option<Micros> {
        let seconds = self.curve.time_of(self.area)?;
        self.area += match &mut self.spacing {
            Spacing::Even => 1.0,
            Spacing::Poisson(random) => random.exponential(),
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
    fn even_starts_begin_at_once_and_end_before_the_stage() {
        let curve = ArrivalRate::Constant(Rate::new(2.0).unwrap());
        assert_eq!(all(curve, Arrivals::Even, 2, 1), [0, 500_000, 1_000_000, 1_500_000]);
    }

    #[test]
    fn poisson_starts_vary_as_they_must() {
        let curve =
            ArrivalRate::Ramp { from: Rate::new(1.0).unwrap(), to: Rate::new(9.0).unwrap() };
        let counts: Vec<f64> =
            (0..200).map(|seed| all(curve, Arrivals::Poisson, 20, seed).len() as f64).collect();
        let mean = counts.iter().sum::<f64>() / 200.0;
        let variance = counts.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 199.0;
        // 100 expected in each; mean and variance of a Poisson count are the same.
        assert!((mean - 100.0).abs() < 2.5, "{mean}");
        assert!((variance / mean - 1.0).abs() < 0.3, "{variance} {mean}");
    }

    #[test]
    fn starts_never_run_backwards() {
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
