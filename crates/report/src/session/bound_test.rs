//! How an estimate is compared with a threshold's bound.

use super::threshold::{Criterion, Estimated, Verdict};
use rushhour_core::profile::ThresholdOperator;
use rushhour_stats::{Confidence, Proportion};

/// A share with its 95 % interval.
pub(super) fn estimated_share(proportion: Proportion) -> Estimated {
    let interval = proportion.wilson_interval(Confidence::default());
    Estimated { value: proportion.share(), low: interval.low(), high: interval.high() }
}

/// How an estimate is compared with a bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct BoundTest {
    pub(super) operator: ThresholdOperator,
    pub(super) criterion: Criterion,
}

impl BoundTest {
    /// Whether a share fails however the runs end that have not ended. Most failures end a run early, so runs that have
    /// ended fail more often than all runs will.
    pub(super) fn fails_with_open(self, count: u64, ended: u64, open: u64, bound: f64) -> bool {
        let among_open = match self.operator {
            ThresholdOperator::Below => 0,
            ThresholdOperator::Above => open,
        };
        let of = ended + open;
        Proportion::new(count + among_open, of).is_ok_and(|proportion| {
            self.decide(&estimated_share(proportion), bound, of) == Verdict::Failed
        })
    }

    /// Passed if the whole interval is inside the bound, failed if all of it is outside, else undecided. The width
    /// of an interval shrinks with the square root of the number of samples, which gives the number that it needs.
    pub(super) fn decide(self, estimated: &Estimated, bound: f64, n: u64) -> Verdict {
        let (low, high) = match self.criterion {
            Criterion::Interval => (estimated.low, estimated.high),
            Criterion::PointEstimate => (estimated.value, estimated.value),
        };
        let (inside, outside) = match self.operator {
            ThresholdOperator::Below => (high <= bound, low > bound),
            ThresholdOperator::Above => (low >= bound, high < bound),
        };
        match (inside, outside) {
            (true, _) => Verdict::Passed,
            (_, true) => Verdict::Failed,
            _ => {
                let distance = (bound - estimated.value).abs();
                let reach = if bound > estimated.value {
                    high - estimated.value
                } else {
                    estimated.value - low
                };
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "saturates"
                )]
                let needs = (distance > 0.0)
                    .then(|| (n as f64 * (reach / distance).powi(2)).ceil() as u64)
                    .filter(|needs| *needs > n);
                Verdict::Undecided { needs }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(value: f64, low: f64, high: f64, operator: ThresholdOperator) -> Verdict {
        let test = BoundTest { operator, criterion: Criterion::Interval };
        test.decide(&Estimated { value, low, high }, 100.0, 50)
    }

    #[test]
    fn only_a_whole_interval_decides() {
        use ThresholdOperator::{Above, Below};
        assert_eq!(decided(80.0, 70.0, 99.0, Below), Verdict::Passed);
        assert_eq!(decided(120.0, 101.0, 150.0, Below), Verdict::Failed);
        assert_eq!(decided(80.0, 70.0, 99.0, Above), Verdict::Failed);
        assert_eq!(decided(120.0, 101.0, 150.0, Above), Verdict::Passed);
        // The interval reaches 40 above, the bound is 20 away: four times the samples halve the interval.
        assert_eq!(decided(80.0, 60.0, 120.0, Below), Verdict::Undecided { needs: Some(200) });
        assert_eq!(decided(100.0, 60.0, 120.0, Below), Verdict::Undecided { needs: None });
    }

    #[test]
    fn a_point_estimate_always_decides() {
        let estimated = Estimated { value: 99.0, low: 1.0, high: 1000.0 };
        let test =
            BoundTest { operator: ThresholdOperator::Below, criterion: Criterion::PointEstimate };
        assert_eq!(test.decide(&estimated, 100.0, 5), Verdict::Passed);
    }
}
