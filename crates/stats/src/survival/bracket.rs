//! Durations whose ends are known only within ranges, such as between two polls: the curve with every end early, and
//! the curve with every end late.

use super::super::confidence::Confidence;
use super::super::quantile::Quantile;
use super::curve::{Reach, SurvivalCurve, SurvivalQuantile, check};
use super::observation::{Observation, ObservationError, RangeEnd};

/// Two Kaplan-Meier curves: ranges at their lower ends, and at their upper ends.
///
/// Where nothing is censored inside a range, the true curve's estimate lies between the two. Where
/// something is, moving an end past it also moves weight between later ends, by at most the
/// censored share; quantiles therefore take the outer of both curves at each side.
#[derive(Debug, Clone, PartialEq)]
pub struct SurvivalBracket {
    /// Every range at its lower end.
    pub earliest: SurvivalCurve,
    /// Every range at its upper end.
    pub latest: SurvivalCurve,
}

/// A quantile of durations whose ends are known only within ranges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileBracket {
    /// The point estimate with every end early.
    pub earliest: Reach,
    /// The point estimate with every end late.
    pub latest: Reach,
    /// The lower end of the interval, sampling and polling taken together.
    pub low: Reach,
    /// The upper end of the interval, sampling and polling taken together.
    pub high: Reach,
}

impl SurvivalBracket {
    /// The two curves of observations with their counts.
    ///
    /// # Errors
    /// [`ObservationError`] for none at all, a time that is not finite, or a reversed range.
    pub fn new(
        observations: impl IntoIterator<Item = (Observation, u64)>,
    ) -> Result<Self, ObservationError> {
        let checked = check(observations)?;
        Ok(Self {
            earliest: SurvivalCurve::from_checked(&checked, RangeEnd::Lower),
            latest: SurvivalCurve::from_checked(&checked, RangeEnd::Upper),
        })
    }

    /// Where a quantile lies: between the two point estimates, and with its interval between the
    /// lower end of the one and the upper end of the other.
    pub fn quantile(&self, quantile: Quantile, confidence: Confidence) -> QuantileBracket {
        let early = self.earliest.quantile(quantile, confidence);
        let late = self.latest.quantile(quantile, confidence);
        QuantileBracket {
            earliest: sooner(early.point, late.point),
            latest: later(early.point, late.point),
            low: sooner(early.low, late.low),
            high: later(early.high, late.high),
        }
    }
}

impl From<SurvivalQuantile> for QuantileBracket {
    fn from(quantile: SurvivalQuantile) -> Self {
        let SurvivalQuantile { point, low, high } = quantile;
        Self { earliest: point, latest: point, low, high }
    }
}

fn sooner(one: Reach, other: Reach) -> Reach {
    match (one, other) {
        (Reach::At(a), Reach::At(b)) => Reach::At(a.min(b)),
        (Reach::NotReachedBy(a), Reach::NotReachedBy(b)) => Reach::NotReachedBy(a.min(b)),
        (reached @ Reach::At(_), Reach::NotReachedBy(_))
        | (Reach::NotReachedBy(_), reached @ Reach::At(_)) => reached,
    }
}

/// What one curve has not reached is later than any time of the other.
fn later(one: Reach, other: Reach) -> Reach {
    match (one, other) {
        (Reach::At(a), Reach::At(b)) => Reach::At(a.max(b)),
        (Reach::NotReachedBy(a) | Reach::At(a), Reach::NotReachedBy(b) | Reach::At(b)) => {
            Reach::NotReachedBy(a.max(b))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Confidence = Confidence::PERCENT_95;

    #[test]
    fn a_point_known_exactly_has_no_bracket() {
        let exact = (1..=100).map(|value| (Observation::At(f64::from(value)), 1));
        let bracket = SurvivalBracket::new(exact).unwrap();
        assert_eq!(bracket.earliest, bracket.latest);
        let quantile = bracket.quantile(Quantile::P50, USUAL);
        assert_eq!(quantile, bracket.latest.quantile(Quantile::P50, USUAL).into());
    }

    #[test]
    fn polled_ends_hold_the_true_quantile() {
        // True durations 1 to 100, polled every 5: each end is known to within one interval.
        let polled = (1..=100).map(|value| {
            let upper = f64::from((value + 4) / 5 * 5);
            (Observation::Between(upper - 5.0, upper), 1)
        });
        let quantile = SurvivalBracket::new(polled).unwrap().quantile(Quantile::P90, USUAL);
        assert_eq!((quantile.earliest, quantile.latest), (Reach::At(85.0), Reach::At(90.0)));
        let exact =
            SurvivalCurve::new((1..=100).map(|value| (Observation::At(f64::from(value)), 1)));
        let narrow = exact.unwrap().quantile(Quantile::P90, USUAL);
        assert!(quantile.low.reached() < narrow.low.reached());
        assert_eq!(later(quantile.high, narrow.high), quantile.high);
    }

    #[test]
    fn crossing_curves_still_give_ordered_ends() {
        // The late end passes the censored observation and takes part of its weight, so the curves cross.
        let crossing = [
            (Observation::Between(6.0, 10.0), 1),
            (Observation::After(7.0), 1),
            (Observation::At(20.0), 1),
        ];
        let bracket = SurvivalBracket::new(crossing).unwrap();
        assert!(bracket.latest.survival_at(15.0) < bracket.earliest.survival_at(15.0));
        let quantile = bracket.quantile(Quantile::P50, USUAL);
        assert_eq!((quantile.earliest, quantile.latest), (Reach::At(10.0), Reach::At(20.0)));
    }

    #[test]
    fn what_is_not_reached_is_later_than_any_time() {
        assert_eq!(later(Reach::At(5.0), Reach::NotReachedBy(3.0)), Reach::NotReachedBy(5.0));
        assert_eq!(sooner(Reach::NotReachedBy(3.0), Reach::At(5.0)), Reach::At(5.0));
        assert_eq!(
            sooner(Reach::NotReachedBy(3.0), Reach::NotReachedBy(4.0)),
            Reach::NotReachedBy(3.0)
        );
        assert_eq!(
            later(Reach::NotReachedBy(3.0), Reach::NotReachedBy(4.0)),
            Reach::NotReachedBy(4.0)
        );
    }

    #[test]
    fn no_observations_are_refused() {
        assert_eq!(SurvivalBracket::new([]), Err(ObservationError::Empty));
    }
}
