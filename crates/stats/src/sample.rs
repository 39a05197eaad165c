//! [`Sample`]: sorted finite values, never empty.

use super::confidence::Confidence;
use super::convert::{at_rank, count, real};
use super::interval::{Interval, TooFew};
use super::order_statistic::rank_interval;
use super::quantile::Quantile;

/// The greatest magnitude accepted: squares and sums of it stay finite.
pub const MAX_MAGNITUDE: f64 = 1e100;

/// One or more finite numbers in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    ascending: Vec<f64>,
}

/// Why a set of numbers is not a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// There is no value at all.
    #[error("there are no values")]
    Empty,
    /// A value is NaN, infinite, or beyond [`MAX_MAGNITUDE`].
    #[error("value {index} is not a finite number of reasonable size")]
    NotFinite {
        /// Its position, counted from 0, in the order given.
        index: usize,
    },
}

impl Sample {
    /// Sorts the values.
    ///
    /// # Errors
    /// [`SampleError::Empty`] for none; [`SampleError::NotFinite`] for a value that is NaN,
    /// infinite, or beyond [`MAX_MAGNITUDE`].
    pub fn new(mut values: Vec<f64>) -> Result<Self, SampleError> {
        check_and_normalise(&mut values)?;
        values.sort_unstable_by(f64::total_cmp);
        Ok(Self { ascending: values })
    }

    /// The values in ascending order.
    pub fn ascending(&self) -> &[f64] {
        &self.ascending
    }

    /// How many values there are; at least 1.
    pub fn size(&self) -> u64 {
        count(self.ascending.len())
    }

    /// The smallest value.
    pub fn min(&self) -> f64 {
        self.ascending.first().copied().unwrap_or_default()
    }

    /// The greatest value.
    pub fn max(&self) -> f64 {
        self.ascending.last().copied().unwrap_or_default()
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> f64 {
        mean(&self.ascending)
    }

    /// The nearest-rank quantile: the value at rank `ceil(q n)`.
    pub fn quantile(&self, quantile: Quantile) -> f64 {
        quantile.rank(self.size()).map_or_else(|| self.min(), |rank| self.at_rank(rank))
    }

    /// A distribution-free interval for a quantile, from the ranks of
    /// [`rank_interval`].
    ///
    /// # Errors
    /// [`TooFew`] where no finite interval has the confidence.
    pub fn quantile_interval(
        &self,
        quantile: Quantile,
        confidence: Confidence,
    ) -> Result<Interval, TooFew> {
        let ranks = rank_interval(quantile, self.size(), confidence)?;
        Ok(Interval::between(self.at_rank(ranks.low), self.at_rank(ranks.high)))
    }

    fn at_rank(&self, rank: u64) -> f64 {
        at_rank(&self.ascending, rank)
    }
}

impl TryFrom<Vec<f64>> for Sample {
    type Error = SampleError;

    fn try_from(values: Vec<f64>) -> Result<Self, Self::Error> {
        Self::new(values)
    }
}

/// Refuses values that are not finite, and turns negative zero into zero so that ties are ties.
pub(super) fn check_and_normalise(values: &mut [f64]) -> Result<(), SampleError> {
    if values.is_empty() {
        return Err(SampleError::Empty);
    }
    for (index, value) in values.iter_mut().enumerate() {
        *value = normalised(*value).ok_or(SampleError::NotFinite { index })?;
    }
    Ok(())
}

/// The value without a negative zero; `None` when it is NaN, infinite, or too large.
pub(super) fn normalised(value: f64) -> Option<f64> {
    (value.abs() <= MAX_MAGNITUDE).then_some(value + 0.0)
}

/// The arithmetic mean; 0 for no values.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / real(count(values.len()).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_non_finite_values_are_refused() {
        assert_eq!(Sample::new(vec![]), Err(SampleError::Empty));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e101] {
            let result = Sample::new(vec![1.0, value]);
            assert_eq!(result, Err(SampleError::NotFinite { index: 1 }), "{value}");
        }
    }

    #[test]
    fn quantiles_are_values_of_the_sample() {
        let sample = Sample::new((1..=100).rev().map(f64::from).collect()).unwrap();
        for (quantile, value) in
            [(Quantile::P50, 50.0), (Quantile::P95, 95.0), (Quantile::P99, 99.0)]
        {
            assert!((sample.quantile(quantile) - value).abs() < f64::EPSILON, "{quantile}");
        }
        assert!((sample.mean() - 50.5).abs() < 1e-12);
        assert_eq!((sample.min(), sample.max(), sample.size()), (1.0, 100.0, 100));
    }

    #[test]
    fn an_interval_takes_the_values_at_its_ranks() {
        let sample = Sample::new((1..=100).map(f64::from).collect()).unwrap();
        let interval = sample.quantile_interval(Quantile::P50, Confidence::default()).unwrap();
        assert_eq!(Some(interval), Interval::new(40.0, 61.0));
    }

    #[test]
    fn one_value_and_identical_values_are_samples() {
        let one = Sample::new(vec![3.0]).unwrap();
        assert!((one.quantile(Quantile::P99) - 3.0).abs() < f64::EPSILON);
        assert_eq!(
            one.quantile_interval(Quantile::P50, Confidence::default()),
            Err(TooFew { n: 1, needs: 6 })
        );
        let same = Sample::new(vec![-0.0; 50]).unwrap();
        let interval = same.quantile_interval(Quantile::P50, Confidence::default()).unwrap();
        assert_eq!(Some(interval), Interval::new(0.0, 0.0));
        assert!(same.ascending().iter().all(|zero| zero.is_sign_positive()));
    }
}
