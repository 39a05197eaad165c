//! One more value of a few that came before: where it should lie, and how odd each was when it came.

use super::super::confidence::Confidence;
use super::super::convert::{count, real};
use super::super::interval::{Interval, TooFew};
use super::super::normal;
use super::super::sample::{mean, normalise};
use super::cusum::{Baseline, BaselineError};

/// A score beyond this is past any limit.
const FARTHEST: f64 = 8.0;
/// A score needs a mean and a spread before it.
const FIRST_SCORED: usize = 3;

/// The range in which one more value lies with this confidence, where all are normal and independent:
/// `mean +- t s sqrt(1 + 1/n)`, with Student's t of `n - 1` degrees. Values that are all equal give a range
/// without width.
///
/// Source: D. C. Montgomery and G. C. Runger, Applied Statistics and Probability for Engineers, section 8.7.
///
/// # Errors
/// [`BaselineError`] for fewer than two values, or values not finite.
pub fn next_value(values: &[f64], confidence: Confidence) -> Result<Interval, BaselineError> {
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

/// How odd each value from the third on was, seen from those before it: standard normal and independent where the
/// values are normal and independent, however few there are. To be summed up against a mean of 0 and a deviation
/// of 1.
///
/// Source: D. M. Hawkins, The Statistician 36 (1987), 299-315.
///
/// # Errors
/// [`BaselineError`] for fewer than three values, or values not finite.
pub fn self_starting_scores(values: &[f64]) -> Result<Vec<f64>, BaselineError> {
    normalise(&mut values.to_vec())?;
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
                    return Ok(if near { 0.0 } else { FARTHEST.copysign(value - level) });
                }
                Err(error) => return Err(error),
            };
            let n = real(count(place));
            let t = (value - before.mean()) / before.deviation() * (n / (n + 1.0)).sqrt();
            // From the nearer tail, where probabilities keep their digits.
            let tail = normal::student_cumulative(n - 1.0, -t.abs());
            let score = if tail > 0.0 { -normal::inverse_cumulative(tail) } else { FARTHEST };
            Ok(score.min(FARTHEST).copysign(t))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.t.interval(0.95, 6, mean, s * sqrt(1 + 1/7))` of these seven.
    #[test]
    fn the_range_is_that_of_students_t() {
        let values = [10.0, 11.0, 9.0, 10.5, 9.5, 10.2, 9.8];
        let range = next_value(&values, Confidence::PERCENT_95).unwrap();
        // Mean 10, s 0.655744, t 2.446912: half of it is 1.715333.
        assert!((range.low() - 8.284_667).abs() < 1e-5, "{range:?}");
        assert!((range.high() - 11.715_333).abs() < 1e-5, "{range:?}");
        let same = next_value(&[3.0; 5], Confidence::PERCENT_95).unwrap();
        assert!(same.width().abs() < 1e-12 && same.contains(3.0));
        assert!(next_value(&[3.0], Confidence::PERCENT_95).is_err());
        assert!(next_value(&[3.0, f64::NAN], Confidence::PERCENT_95).is_err());
    }

    #[test]
    fn scores_are_as_odd_as_the_values() {
        let scores = self_starting_scores(&[10.0, 11.0, 10.5, 10.4, 10.6, 14.0]).unwrap();
        assert_eq!(scores.len(), 4);
        assert!(scores[..3].iter().all(|score| score.abs() < 1.0), "{scores:?}");
        assert!(scores[3] > 2.5, "{scores:?}");
        assert_eq!(self_starting_scores(&[1.0, 1.0, 1.0, 2.0]).unwrap(), [0.0, FARTHEST]);
        assert!(self_starting_scores(&[1.0, 2.0]).is_err());
        assert!(self_starting_scores(&[1.0, 2.0, f64::INFINITY]).is_err());
    }
}
