//! Whether a session passed: three-valued, because a figure that could lie on either side of its bound has not failed.

use super::figures::{PercentileFigure, figure, quantile_of};
use super::judged::JudgingResult;
use super::paired::PairedComparison;
use super::validity::Validity;
use crate::fold::{FoldedSession, Scope};
use rushhour_core::profile::{
    RunShare, Threshold, ThresholdBound, ThresholdMeasure, ThresholdOperator,
};
use rushhour_core::units::{Metric, Micros, Mode, Percentile, SessionTime};
use rushhour_stats::{Confidence, Proportion};

/// What is held against the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Criterion {
    /// The whole interval: what lies on both sides is undecided.
    #[default]
    Interval,
    /// The figure alone, as other tools do.
    PointEstimate,
}

impl Criterion {
    /// What stands above the figures that thresholds are held against.
    pub(super) const fn found_heading(self) -> &'static str {
        match self {
            Self::Interval => "found, with its 95 % interval",
            Self::PointEstimate => "found, with its 95 % interval; judged by the figure alone",
        }
    }
}

/// What came of one threshold.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It cannot be said; with about so many samples it could, unless the truth lies on the bound.
    Undecided {
        /// About how many samples would settle it.
        needs: Option<u64>,
    },
    /// Nothing was measured, which does not pass.
    NoSamples,
}

impl Verdict {
    /// The word used in reports.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undecided { .. } => "not enough data",
            Self::NoSamples => "no samples",
        }
    }
}

/// One threshold and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdResult {
    /// The threshold.
    pub threshold: Threshold,
    /// In which mode; none where the session has one mode, or the measure tells.
    pub mode: Option<Mode>,
    /// What came of it.
    pub verdict: Verdict,
    /// How many samples it rests on.
    pub n: u64,
    /// The figure with its interval, in words.
    pub found: String,
    /// The same as numbers; none where there are too few samples for an interval.
    pub estimated: Option<Estimated>,
}

impl ThresholdResult {
    /// The threshold as it stands in the profile, and the mode where that has to be said.
    pub fn name(&self) -> String {
        match self.mode {
            Some(mode) => format!("{} in {mode}", self.threshold),
            None => self.threshold.to_string(),
        }
    }
}

/// What a session is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionVerdict {
    /// Whether the generator did what was asked of it.
    pub validity: Validity,
    /// The thresholds, in the profile's order.
    pub thresholds: Vec<ThresholdResult>,
    /// Voice against chat; none for a session of one mode.
    pub pairs: Option<PairedComparison>,
    /// What the judging of its runs came to, where they were judged; added by who has read that session.
    pub judged: Option<JudgingResult>,
}

impl SessionVerdict {
    /// Judges a session.
    pub fn of(folded: &FoldedSession, judgement: Criterion) -> Self {
        let thresholds = folded.opening.profile.thresholds.iter();
        let validity = Validity::of(folded);
        Self {
            pairs: PairedComparison::of(folded, validity.holds()),
            validity,
            thresholds: thresholds
                .flat_map(|threshold| judge(folded, threshold, judgement))
                .collect(),
            judged: None,
        }
    }

    /// The first threshold that may end a session under way and fails at `now` with its whole interval,
    /// in words; none while the generator is at fault, for then nothing is said of the agent.
    pub fn aborts(folded: &FoldedSession, now: SessionTime) -> Option<String> {
        let elapsed = now.since(SessionTime::START);
        let may_end = |threshold: &&Threshold| {
            threshold.abort_after.is_some_and(|after| elapsed >= after.micros())
        };
        let failed = folded
            .opening
            .profile
            .thresholds
            .iter()
            .filter(may_end)
            .flat_map(|threshold| judge(folded, threshold, Criterion::Interval))
            .find(|result| result.verdict == Verdict::Failed)?;
        let words = format!("{} does not hold: {}", failed.name(), failed.found);
        Validity::of(folded).holds().then_some(words)
    }

    /// Whether any threshold does not hold.
    pub fn any_failed(&self) -> bool {
        let bad = |result: &ThresholdResult| {
            matches!(result.verdict, Verdict::Failed | Verdict::NoSamples)
        };
        self.thresholds.iter().any(bad)
    }

    /// Whether any threshold cannot be decided.
    pub fn any_undecided(&self) -> bool {
        self.thresholds.iter().any(|result| matches!(result.verdict, Verdict::Undecided { .. }))
    }
}

/// A figure with its interval, in the bound's unit: microseconds, or a share between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimated {
    /// The figure.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

/// What came of a threshold: of a latency that both modes of a paired session have, in each of them.
fn judge(
    folded: &FoldedSession,
    threshold: &Threshold,
    judgement: Criterion,
) -> Vec<ThresholdResult> {
    let session = folded.opening.profile.mode;
    match (threshold.measure, threshold.bound) {
        (ThresholdMeasure::Latency { metric, percentile }, ThresholdBound::Time(bound)) => {
            let has = |mode: &&Mode| {
                !session.is_paired() || metric.mode().is_none_or(|only| only == **mode)
            };
            let says_mode = session.is_paired() && metric.mode().is_none();
            let result = |mode: &Mode| {
                let measure = (metric, *mode, percentile);
                let result = judge_latency(folded, threshold, measure, bound, judgement);
                ThresholdResult { mode: says_mode.then_some(*mode), ..result }
            };
            session.modes().iter().filter(has).map(result).collect()
        }
        (ThresholdMeasure::Share(share), ThresholdBound::Share(bound)) => {
            vec![judge_share(folded, threshold, share, bound.fraction(), judgement)]
        }
        // The profile pairs each measure with a bound of its own kind.
        (_, ThresholdBound::Time(_) | ThresholdBound::Share(_)) => vec![ThresholdResult {
            threshold: *threshold,
            mode: None,
            verdict: Verdict::NoSamples,
            n: 0,
            found: "the bound is of another kind than the measure".to_owned(),
            estimated: None,
        }],
    }
}

fn judge_latency(
    folded: &FoldedSession,
    threshold: &Threshold,
    (metric, mode, percentile): (Metric, Mode, Percentile),
    bound: Micros,
    judgement: Criterion,
) -> ThresholdResult {
    let result = |verdict, n, found, estimated| ThresholdResult {
        threshold: *threshold,
        mode: None,
        verdict,
        n,
        found,
        estimated,
    };
    let latencies = folded
        .latencies
        .get(metric, mode, Scope::Measured)
        .filter(|latencies| latencies.count() > 0);
    let Some(latencies) = latencies else {
        return result(Verdict::NoSamples, 0, "nothing was measured".to_owned(), None);
    };
    let n = latencies.count();
    let point = latencies.at_rank(quantile_of(percentile).rank(n).unwrap_or(1));
    match figure(latencies, percentile) {
        PercentileFigure::Known { value, low, high } => {
            let estimated =
                Estimated { value: value.0 as f64, low: low.0 as f64, high: high.0 as f64 };
            let verdict = decide(&estimated, threshold.comparison, bound.0 as f64, n, judgement);
            result(verdict, n, format!("{value} [{low}, {high}] (n={n})"), Some(estimated))
        }
        PercentileFigure::TooFew { n, needs } => {
            let value = point.0 as f64;
            let verdict = match judgement {
                Criterion::Interval => Verdict::Undecided { needs: Some(needs) },
                Criterion::PointEstimate => decide(
                    &Estimated { value, low: value, high: value },
                    threshold.comparison,
                    bound.0 as f64,
                    n,
                    judgement,
                ),
            };
            result(verdict, n, format!("{point} of {n} samples; an interval needs {needs}"), None)
        }
    }
}

fn judge_share(
    folded: &FoldedSession,
    threshold: &Threshold,
    share: RunShare,
    bound: f64,
    judgement: Criterion,
) -> ThresholdResult {
    let tally = &folded.measured;
    let (count, of) = match share {
        RunShare::Failed => (tally.failed_total(), tally.ended()),
        RunShare::Skipped => (tally.skipped, tally.started + tally.skipped),
        RunShare::JudgedFailed => (tally.judged_failed, tally.judged_failed + tally.judged_passed),
    };
    let result = |verdict, found, estimated| ThresholdResult {
        threshold: *threshold,
        mode: None,
        verdict,
        n: of,
        found,
        estimated,
    };
    let Ok(proportion) = Proportion::new(count, of) else {
        return result(Verdict::NoSamples, "nothing was measured".to_owned(), None);
    };
    let interval = proportion.wilson_interval(Confidence::default());
    let estimated =
        Estimated { value: proportion.share(), low: interval.low(), high: interval.high() };
    let mut verdict = decide(&estimated, threshold.comparison, bound, of, judgement);
    if let Verdict::Undecided { needs } = &mut verdict {
        *needs = proportion.trials_to_settle(bound, Confidence::default());
    }
    let percent = |fraction: f64| format!("{:.2} %", fraction * 100.0);
    let found = format!(
        "{} [{}, {}] ({count} of {of})",
        percent(estimated.value),
        percent(estimated.low),
        percent(estimated.high)
    );
    result(verdict, found, Some(estimated))
}

/// Passed where the whole interval is inside, failed where it is wholly outside, else undecided. An
/// interval shrinks with the root of the number of samples, which tells about how many it takes.
fn decide(
    estimated: &Estimated,
    comparison: ThresholdOperator,
    bound: f64,
    n: u64,
    judgement: Criterion,
) -> Verdict {
    let (low, high) = match judgement {
        Criterion::Interval => (estimated.low, estimated.high),
        Criterion::PointEstimate => (estimated.value, estimated.value),
    };
    let (inside, outside) = match comparison {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(value: f64, low: f64, high: f64, comparison: ThresholdOperator) -> Verdict {
        let estimated = Estimated { value, low, high };
        decide(&estimated, comparison, 100.0, 50, Criterion::Interval)
    }

    #[test]
    fn only_a_whole_interval_decides() {
        use ThresholdOperator::{Above, Below};
        assert_eq!(decided(80.0, 70.0, 99.0, Below), Verdict::Passed);
        assert_eq!(decided(120.0, 101.0, 150.0, Below), Verdict::Failed);
        assert_eq!(decided(80.0, 70.0, 99.0, Above), Verdict::Failed);
        assert_eq!(decided(120.0, 101.0, 150.0, Above), Verdict::Passed);
        // 40 above, 20 away: four times the samples halve the interval.
        assert_eq!(decided(80.0, 60.0, 120.0, Below), Verdict::Undecided { needs: Some(200) });
        assert_eq!(decided(100.0, 60.0, 120.0, Below), Verdict::Undecided { needs: None });
    }

    #[test]
    fn a_point_estimate_always_decides() {
        let estimated = Estimated { value: 99.0, low: 1.0, high: 1000.0 };
        let decided =
            decide(&estimated, ThresholdOperator::Below, 100.0, 5, Criterion::PointEstimate);
        assert_eq!(decided, Verdict::Passed);
    }
}
