//! One threshold judged. Verdicts are three-valued: a figure whose interval includes the bound has not failed.

use super::percentiles::{PercentileFigure, quantile_of};
use super::quality_summary::{estimated_heard, estimated_quality};
use crate::fold::{FoldedSession, Latencies, Scope};
use rushhour_core::profile::{
    HeardShare, QualityMeasure, RunShare, Threshold, ThresholdBound, ThresholdMeasure,
    ThresholdOperator,
};
use rushhour_core::units::{Micros, Mode, Percentile};
use rushhour_stats::{Confidence, Proportion};

/// What is compared with the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Criterion {
    /// The whole 95 % interval. An interval that includes the bound is undecided.
    #[default]
    Interval,
    /// The point estimate alone, as in other tools.
    PointEstimate,
}

/// The verdict on one threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// The interval includes the bound.
    Undecided {
        /// About how many samples would decide it; `None` if no number would.
        needs: Option<u64>,
    },
    /// Nothing was measured, which does not pass.
    NoSamples,
}

impl Verdict {
    /// The word used in files and reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undecided { .. } => "not enough data",
            Self::NoSamples => "no samples",
        }
    }

    /// Whether it fails the session.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed | Self::NoSamples)
    }
}

/// An estimate with its interval, in the unit of the bound: microseconds, a share between 0 and 1, or a count by the minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimated {
    /// The point estimate.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

/// What was measured for a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ThresholdFigure {
    /// No samples.
    Nothing,
    /// A percentile of `n` samples with its 95 % interval.
    Percentile {
        /// The percentile.
        value: Micros,
        /// The interval's lower end.
        low: Micros,
        /// The interval's upper end.
        high: Micros,
        /// The number of samples.
        n: u64,
    },
    /// A percentile of too few samples for an interval.
    PercentileAlone {
        /// The percentile.
        value: Micros,
        /// The number of samples.
        n: u64,
        /// The number of samples that an interval needs.
        needs: u64,
    },
    /// A share of runs.
    Share {
        /// How many runs.
        count: u64,
        /// Of how many.
        of: u64,
        /// The share with its 95 % interval.
        estimated: Estimated,
    },
    /// A share of what callers said.
    Heard {
        /// Which.
        share: HeardShare,
        /// How many words, characters or key words were said.
        units: u64,
        /// In how many conversations.
        conversations: u64,
        /// The share with its 95 % interval.
        estimated: Estimated,
    },
    /// How agents sounded, or took turns.
    Quality {
        /// Which figure.
        measure: QualityMeasure,
        /// In how many conversations.
        conversations: u64,
        /// The figure with its 95 % interval.
        estimated: Estimated,
    },
}

impl ThresholdFigure {
    /// The number of samples.
    pub const fn n(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Percentile { n, .. }
            | Self::PercentileAlone { n, .. }
            | Self::Share { of: n, .. }
            | Self::Heard { conversations: n, .. }
            | Self::Quality { conversations: n, .. } => *n,
        }
    }

    /// The estimate with its interval; `None` if there are too few samples for an interval.
    pub const fn estimated(&self) -> Option<Estimated> {
        match self {
            Self::Percentile { value, low, high, .. } => {
                Some(Estimated { value: value.0 as f64, low: low.0 as f64, high: high.0 as f64 })
            }
            Self::Share { estimated, .. }
            | Self::Heard { estimated, .. }
            | Self::Quality { estimated, .. } => Some(*estimated),
            Self::Nothing | Self::PercentileAlone { .. } => None,
        }
    }
}

/// One threshold with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdResult {
    /// The threshold.
    pub threshold: Threshold,
    /// The mode, in a paired session whose threshold applies to both.
    pub mode: Option<Mode>,
    /// The verdict.
    pub verdict: Verdict,
    /// What was measured.
    pub found: ThresholdFigure,
}

impl ThresholdResult {
    /// The threshold as the profile states it, and the mode if the session has both.
    pub fn name(&self) -> String {
        match self.mode {
            Some(mode) => format!("{} in {mode}", self.threshold),
            None => self.threshold.to_string(),
        }
    }
}

/// Judges a threshold. In a paired session, a latency that both modes have is judged once per mode.
pub(super) fn judge(
    folded: &FoldedSession,
    threshold: &Threshold,
    criterion: Criterion,
) -> Vec<ThresholdResult> {
    let session = folded.opening.profile.mode;
    let result =
        |mode, (verdict, found)| ThresholdResult { threshold: *threshold, mode, verdict, found };
    match (threshold.measure, threshold.bound) {
        (ThresholdMeasure::Latency { metric, percentile }, ThresholdBound::Time(bound)) => {
            let has_metric = |mode: &&Mode| {
                !session.is_paired() || metric.mode().is_none_or(|only| only == **mode)
            };
            let is_ambiguous = session.is_paired() && metric.mode().is_none();
            let judge_mode = |mode: &Mode| {
                let latencies = folded.latencies.get(metric, *mode, Scope::Measured);
                let test = BoundTest { operator: threshold.comparison, criterion };
                let judged = judge_latency(latencies, percentile, bound, test);
                result(is_ambiguous.then_some(*mode), judged)
            };
            session.modes().iter().filter(has_metric).map(judge_mode).collect()
        }
        (ThresholdMeasure::Share(share), ThresholdBound::Share(bound)) => {
            let test = BoundTest { operator: threshold.comparison, criterion };
            vec![result(None, judge_share(folded, share, bound.fraction(), test))]
        }
        (ThresholdMeasure::Heard(share), ThresholdBound::Share(bound)) => {
            let test = BoundTest { operator: threshold.comparison, criterion };
            vec![result(None, judge_heard(folded, share, bound.fraction(), test))]
        }
        (
            ThresholdMeasure::Quality(measure),
            ThresholdBound::Rate(_) | ThresholdBound::Share(_),
        ) => {
            let test = BoundTest { operator: threshold.comparison, criterion };
            vec![result(None, judge_quality(folded, measure, threshold.bound_number(), test))]
        }
        // Profiles pair each measure with a bound of its own kind.
        (_, ThresholdBound::Time(_) | ThresholdBound::Share(_) | ThresholdBound::Rate(_)) => {
            vec![result(None, (Verdict::NoSamples, ThresholdFigure::Nothing))]
        }
    }
}

fn judge_latency(
    latencies: Option<&Latencies>,
    percentile: Percentile,
    bound: Micros,
    test: BoundTest,
) -> (Verdict, ThresholdFigure) {
    let Some(latencies) = latencies.filter(|latencies| latencies.count() > 0) else {
        return (Verdict::NoSamples, ThresholdFigure::Nothing);
    };
    let n = latencies.count();
    let bound = bound.0 as f64;
    match PercentileFigure::of(latencies, percentile) {
        PercentileFigure::Known { value, low, high } => {
            let estimated =
                Estimated { value: value.0 as f64, low: low.0 as f64, high: high.0 as f64 };
            let found = ThresholdFigure::Percentile { value, low, high, n };
            (test.decide(&estimated, bound, n), found)
        }
        PercentileFigure::TooFew { n, needs } => {
            let value = latencies.at_rank(quantile_of(percentile).rank(n).unwrap_or(1));
            let point = value.0 as f64;
            let verdict = match test.criterion {
                Criterion::Interval => Verdict::Undecided { needs: Some(needs) },
                Criterion::PointEstimate => {
                    test.decide(&Estimated { value: point, low: point, high: point }, bound, n)
                }
            };
            (verdict, ThresholdFigure::PercentileAlone { value, n, needs })
        }
    }
}

fn judge_share(
    folded: &FoldedSession,
    share: RunShare,
    bound: f64,
    test: BoundTest,
) -> (Verdict, ThresholdFigure) {
    let tally = &folded.measured;
    let (count, of) = match share {
        RunShare::Failed => (tally.failed_total(), tally.ended()),
        RunShare::Skipped => (tally.skipped, tally.started + tally.skipped),
        RunShare::JudgedFailed => (tally.judged_failed, tally.judged_failed + tally.judged_passed),
    };
    let Ok(proportion) = Proportion::new(count, of) else {
        return (Verdict::NoSamples, ThresholdFigure::Nothing);
    };
    let interval = proportion.wilson_interval(Confidence::default());
    let estimated =
        Estimated { value: proportion.share(), low: interval.low(), high: interval.high() };
    let mut verdict = test.decide(&estimated, bound, of);
    if let Verdict::Undecided { needs } = &mut verdict {
        *needs = proportion.trials_to_exclude(bound, Confidence::default());
    }
    (verdict, ThresholdFigure::Share { count, of, estimated })
}

fn judge_heard(
    folded: &FoldedSession,
    share: HeardShare,
    bound: f64,
    test: BoundTest,
) -> (Verdict, ThresholdFigure) {
    let Some(estimated) = estimated_heard(&folded.heard, share) else {
        return (Verdict::NoSamples, ThresholdFigure::Nothing);
    };
    let units = folded.heard.units(share);
    let conversations = folded.heard.ratio(share).clusters();
    let verdict = test.decide(&estimated, bound, conversations);
    (verdict, ThresholdFigure::Heard { share, units, conversations, estimated })
}

/// Gaps of one conversation come together: the interval is that of a ratio over conversations.
fn judge_quality(
    folded: &FoldedSession,
    measure: QualityMeasure,
    bound: f64,
    test: BoundTest,
) -> (Verdict, ThresholdFigure) {
    let Some(estimated) = estimated_quality(&folded.quality, measure) else {
        return (Verdict::NoSamples, ThresholdFigure::Nothing);
    };
    let conversations = folded.quality.ratio(measure).0.clusters();
    let verdict = test.decide(&estimated, bound, conversations);
    (verdict, ThresholdFigure::Quality { measure, conversations, estimated })
}

/// How an estimate is compared with a bound.
#[derive(Debug, Clone, Copy)]
struct BoundTest {
    operator: ThresholdOperator,
    criterion: Criterion,
}

impl BoundTest {
    /// Passed if the whole interval is inside the bound, failed if all of it is outside, else undecided. The width
    /// of an interval shrinks with the square root of the number of samples, which gives the number that it needs.
    fn decide(self, estimated: &Estimated, bound: f64, n: u64) -> Verdict {
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
