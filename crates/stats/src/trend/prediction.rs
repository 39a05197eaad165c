//! The next of a few values: its prediction interval, and how unusual each value was given those before it.

use super::super::confidence::Confidence;
use super::super::convert::{count, real};
use super::super::interval::{Interval, TooFew};
use super::super::normal;
use super::super::sample::{check_and_normalise, mean};
use super::cusum::{Baseline, BaselineError};

/// Scores are clamped to this: it is past any limit.
const MAX_SCORE: f64 = 8.0;
/// A score needs two values before it, for a mean and a standard deviation.
const FIRST_SCORED: usize = 3;

/// The prediction interval of one more value, where all are normal and independent:
/// `mean +- t s sqrt(1 + 1/n)`, with Student's t of `n - 1` degrees. Equal values give an interval
/// of no width.
///
/// Source: D. C. Montgomery and G. C. Runger, Applied Statistics and Probability for Engineers, section 8.7.
///
/// # Errors
/// [`BaselineError`] for fewer than two values, or values not finite.
pub fn prediction_interval(
    values: &[f64],
    confidence: Confidence,
) -> Result<Interval, BaselineError> {
    let baseline = match Baseline::from_values(values) {
        Ok(baseline) => baseline,
        Err(BaselineError::NoSpread) => {
            let level = mean(values);
            return Ok(Interval::between(level, level));
        }
        Err(error) => return Err(error),
    };
    let n = real(count(values.len()));
    let t = -normal::student_inverse_cumulative(n - 1.0, confidence.tail());
    let half = t * baseline.deviation() * (1.0 + 1.0 / n).sqrt();
    Ok(Interval::between(baseline.mean() - half, baseline.mean() + half))
}

/// Scores of each value from the third on, given those before it, for a self-starting CUSUM with mean 0 and standard
/// deviation 1. They are standard normal and independent where the values are normal and independent, however few there
/// are.
///
/// Source: D. M. Hawkins, The Statistician 36 (1987), 299-315.
///
/// # Errors
/// [`BaselineError`] for fewer than three values, or values not finite.
pub fn self_starting_scores(values: &[f64]) -> Result<Vec<f64>, BaselineError> {
    check_and_normalise(&mut values.to_vec())?;
    if values.len() < FIRST_SCORED {
        let (n, needs) = (count(values.len()), count(FIRST_SCORED));
        return Err(TooFew { n, needs }.into());
    }
    (FIRST_SCORED - 1..values.len())
        .map(|place| {
            let value = values[place];
            let before = match Baseline::from_values(&values[..place]) {
                Ok(before) => before,
                Err(BaselineError::NoSpread) => {
                    let level = mean(&values[..place]);
                    let near = (value - level).abs() <= level.abs() * f64::EPSILON * 8.0;
                    return Ok(if near { 0.0 } else { MAX_SCORE.copysign(value - level) });
                }
                Err(error) => return Err(error),
            };
            let n = real(count(place));
            let t = (value - before.mean()) / before.deviation() * (n / (n + 1.0)).sqrt();
            // The nearer tail, where probabilities keep their precision.
            let tail = normal::student_cumulative(n - 1.0, -t.abs());
            let score = if tail > 0.0 { -normal::inverse_cumulative(tail) } else { MAX_SCORE };
            Ok(score.min(MAX_SCORE).copysign(t))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.t.interval(0.95, 6, mean, s * sqrt(1 + 1/7))` of these seven.
    #[test]
    fn the_prediction_interval_is_that_of_students_t() {
        let values = [10.0, 11.0, 9.0, 10.5, 9.5, 10.2, 9.8];
        let range = prediction_interval(&values, Confidence::PERCENT_95).unwrap();
        // Mean 10, s 0.655744, t 2.446912: half of it is 1.715333.
        assert!((range.low() - 8.284_667).abs() < 1e-5, "{range:?}");
        assert!((range.high() - 11.715_333).abs() < 1e-5, "{range:?}");
        let same = prediction_interval(&[3.0; 5], Confidence::PERCENT_95).unwrap();
        assert!(same.width().abs() < 1e-12 && same.contains(3.0));
        assert!(prediction_interval(&[3.0], Confidence::PERCENT_95).is_err());
        assert!(prediction_interval(&[3.0, f64::NAN], Confidence::PERCENT_95).is_err());
    }

    #[test]
    fn unusual_values_have_large_scores() {
        let scores = self_starting_scores(&[10.0, 11.0, 10.5, 10.4, 10.6, 14.0]).unwrap();
        assert_eq!(scores.len(), 4);
        assert!(scores[..3].iter().all(|score| score.abs() < 1.0), "{scores:?}");
        assert!(scores[3] > 2.5, "{scores:?}");
        assert_eq!(self_starting_scores(&[1.0, 1.0, 1.0, 2.0]).unwrap(), [0.0, MAX_SCORE]);
        assert!(self_starting_scores(&[1.0, 2.0]).is_err());
        assert!(self_starting_scores(&[1.0, 2.0, f64::INFINITY]).is_err());
    }
}
