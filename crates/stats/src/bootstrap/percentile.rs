//! The interval and the p-value that resampled statistics give.

use super::super::confidence::Confidence;
use super::super::convert::{at_rank, count, real, whole};
use super::super::interval::Interval;
use super::super::normal;
use super::super::p_value::PValue;

/// How many groups vary freely. Intervals of few groups are widened for it, as a bootstrap makes them too narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct DegreesOfFreedom {
    /// Groups that are resampled.
    pub(in super::super) units: u64,
    /// Groups, minus one for each stratum that they are resampled within.
    pub(in super::super) degrees: u64,
}

impl DegreesOfFreedom {
    /// No widening: for statistics whose resamples vary as much as new samples would.
    pub(super) const UNLIMITED: Self = Self { units: 1 << 52, degrees: 1 << 52 };

    pub(in super::super) fn of_units(units: u64) -> Self {
        Self { units, degrees: units.saturating_sub(1) }
    }

    pub(super) fn min(self, other: Self) -> Self {
        if other.degrees < self.degrees { other } else { self }
    }

    /// A resample varies less than a new sample would: its variance lacks the factor
    /// `units / degrees`, and normal percentiles lack the tails of Student's t.
    fn shrinkage(self) -> f64 {
        (real(self.units.max(2)) / real(self.degrees.max(1))).sqrt()
    }

    /// The share of resamples to cut off each side so that the interval keeps its confidence.
    ///
    /// Source: T. C. Hesterberg, The American Statistician 69 (2015), 371-386.
    fn expanded(self, tail: f64) -> f64 {
        let student = normal::student_inverse_cumulative(real(self.degrees), tail);
        normal::cumulative(student * self.shrinkage())
    }

    /// The p-value whose expanded counterpart is `probability`, both two-sided.
    fn unexpanded(self, probability: f64) -> f64 {
        let z = normal::inverse_cumulative(probability / 2.0) / self.shrinkage();
        2.0 * normal::student_cumulative(real(self.degrees), z)
    }
}

/// The interval between the percentiles of the resampled statistics; sorts `draws`, which are
/// finite and at least one.
pub(super) fn percentile_interval(
    draws: &mut [f64],
    freedom: DegreesOfFreedom,
    confidence: Confidence,
) -> Interval {
    draws.sort_unstable_by(f64::total_cmp);
    let n = count(draws.len());
    let rank = whole(real(n + 1) * freedom.expanded(confidence.tail()));
    let rank = rank.clamp(1, n.div_ceil(2).max(1));
    Interval::between(at_rank(draws, rank), at_rank(draws, n + 1 - rank))
}

/// The interval around `point` whose ends mirror the percentiles of resampled errors (A. C. Davison
/// and D. V. Hinkley, 1997, the basic bootstrap); sorts `errors`.
pub(in super::super) fn basic_interval(
    point: f64,
    errors: &mut [f64],
    freedom: DegreesOfFreedom,
    confidence: Confidence,
) -> Interval {
    let percentiles = percentile_interval(errors, freedom, confidence);
    Interval::between(point - percentiles.high(), point - percentiles.low())
}

/// The two-sided share of resamples on the far side of `neutral`, with one added to each count so that it is
/// never 0.
pub(super) fn p_value(draws: &[f64], neutral: f64, freedom: DegreesOfFreedom) -> PValue {
    let at_or_below = count(draws.iter().filter(|&&draw| draw <= neutral).count());
    let at_or_above = count(draws.iter().filter(|&&draw| draw >= neutral).count());
    let rarer = at_or_below.min(at_or_above);
    let probability = 2.0 * real(rarer + 1) / real(count(draws.len()) + 1);
    if probability >= 1.0 { PValue::ONE } else { PValue::clamped(freedom.unexpanded(probability)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.norm.cdf(sqrt(n / (n - 1)) * scipy.stats.t.ppf(0.025, n - 1))`.
    #[test]
    fn expanded_tails_agree_with_scipy() {
        for (n, tail) in [(5, 0.000_954_1), (10, 0.008_550_6), (20, 0.015_880_8), (40, 0.020_257_5)]
        {
            let found = DegreesOfFreedom::of_units(n).expanded(0.025);
            assert!((found - tail).abs() < 1e-7, "{n}: {found}");
        }
        assert!((DegreesOfFreedom::of_units(1_000_000).expanded(0.025) - 0.025).abs() < 1e-6);
    }

    #[test]
    fn the_p_value_undoes_the_expansion() {
        let freedom = DegreesOfFreedom { units: 12, degrees: 9 };
        let expanded = 2.0 * freedom.expanded(0.03);
        assert!((freedom.unexpanded(expanded) - 0.06).abs() < 1e-9);
    }

    #[test]
    fn the_ends_are_draws_at_their_ranks() {
        let mut draws: Vec<f64> = (1..=999).rev().map(f64::from).collect();
        let many = DegreesOfFreedom::of_units(100_000_000);
        let interval = percentile_interval(&mut draws, many, Confidence::PERCENT_95);
        assert!((interval.low() - 24.0).abs() < 1.5 && (interval.high() - 976.0).abs() < 1.5);
        let few =
            percentile_interval(&mut draws, DegreesOfFreedom::of_units(2), Confidence::PERCENT_95);
        assert_eq!(Some(few), Interval::new(1.0, 999.0));
        let mirrored = basic_interval(10.0, &mut [-1.0, 0.0, 3.0], many, Confidence::PERCENT_95);
        assert_eq!(Some(mirrored), Interval::new(7.0, 11.0));
    }

    #[test]
    fn p_values_count_the_far_side() {
        let draws: Vec<f64> = (1..=999).map(f64::from).collect();
        let many = DegreesOfFreedom::of_units(1_000_000_000);
        let found = |neutral| p_value(&draws, neutral, many).probability();
        assert!((found(500.0) - 1.0).abs() < 1e-12);
        assert!((found(24.0) - 0.05).abs() < 1e-4, "{}", found(24.0));
        assert!((found(0.0) - 0.002).abs() < 1e-4, "{}", found(0.0));
        assert!(p_value(&draws, 24.0, DegreesOfFreedom::of_units(6)).probability() > 0.08);
    }
}
