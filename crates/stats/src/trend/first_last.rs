//! The first part of a series against the last, such as the first hour of a long run against the last.

use super::super::confidence::Confidence;
use super::super::sample::{Sample, SampleError};
use super::super::two_sample::TwoSampleComparison;
use super::series::Series;

/// Why the first part cannot be compared with the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FirstLastError {
    /// The parts overlap, or their length is not above zero.
    #[error("two parts of that length do not fit into the series")]
    Overlap,
    /// A part has no values.
    #[error(transparent)]
    Values(#[from] SampleError),
}

/// Compares the values within `length` of the first time (the baseline) with those within `length`
/// of the last (the candidate); `length` is in the unit of the series' times.
///
/// # Errors
/// [`FirstLastError::Overlap`] when two parts of that length do not fit.
pub fn compare_first_and_last(
    series: &Series,
    length: f64,
    confidence: Confidence,
) -> Result<TwoSampleComparison, FirstLastError> {
    let (begin, end) = (series.begin(), series.end());
    if length.is_nan() || length <= 0.0 || begin + length >= end - length {
        return Err(FirstLastError::Overlap);
    }
    let first = series.times().partition_point(|&time| time < begin + length);
    let last = series.times().partition_point(|&time| time <= end - length);
    let baseline = Sample::new(series.values()[..first].to_vec())?;
    let candidate = Sample::new(series.values()[last..].to_vec())?;
    Ok(TwoSampleComparison::of(&baseline, &candidate, confidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_have_the_requested_length() {
        let series = Series::new((0..=100).map(|i| (f64::from(i), f64::from(i)))).unwrap();
        let usual = Confidence::PERCENT_95;
        let comparison = compare_first_and_last(&series, 10.0, usual).unwrap();
        assert_eq!(comparison.dominance.pairs(), 100);
        assert!((comparison.shift.estimate - 91.0).abs() < 1e-12);
        assert!(comparison.mann_whitney.p_value.is_significant_at(0.001));
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let series = Series::new((0..=100).map(|i| (f64::from(i), 1.0))).unwrap();
        for length in [50.0, 51.0, 0.0, -1.0, f64::NAN, f64::INFINITY] {
            let result = compare_first_and_last(&series, length, Confidence::PERCENT_95);
            assert_eq!(result, Err(FirstLastError::Overlap), "{length}");
        }
        let one = Series::new([(1.0, 1.0)]).unwrap();
        let result = compare_first_and_last(&one, 0.1, Confidence::PERCENT_95);
        assert_eq!(result, Err(FirstLastError::Overlap));
    }
}
