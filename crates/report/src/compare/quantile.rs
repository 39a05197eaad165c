//! One percentile of one latency compared: the ratio with its interval, and the decision once all are known.

use schemars::JsonSchema;
use serde::Serialize;

use super::finding::{ComparisonFinding, FALSE_ALARMS, FigureNote};
use rushhour_core::units::Percent;
use rushhour_stats::{BootstrapError, Confidence, PValue, Power, Ratio, detectable_ratio_of};

/// One percentile of one latency of two sessions.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct QuantileComparison {
    /// Such as `p95`.
    pub percentile: String,
    /// The baseline's, in microseconds; null if there are too few samples, or too few had ended.
    pub baseline_us: Option<f64>,
    /// The candidate's, in microseconds.
    pub candidate_us: Option<f64>,
    /// The candidate's as a multiple of the baseline's.
    pub ratio: Option<f64>,
    /// The lower end of the ratio's 95 % interval.
    pub ratio_low: Option<f64>,
    /// The upper end of the ratio's 95 % interval.
    pub ratio_high: Option<f64>,
    /// The p-value of a ratio of 1.
    pub p_value: Option<f64>,
    /// The p-value, adjusted for all figures that were judged together (Holm).
    pub p_adjusted: Option<f64>,
    /// The smallest ratio above 1 that four of five such comparisons would detect.
    pub detectable_ratio_of: Option<f64>,
    /// What was resampled: `blocks` of neighbouring runs, or pairs of `scenarios` if those give a wider interval.
    pub resampled: String,
    /// What was found.
    pub finding: ComparisonFinding,
    /// Whether it counts as a regression: slower, by more than the tolerance with its whole interval.
    pub regression: bool,
    /// Whether it is settled that this is a regression beyond the tolerance, or that it is not.
    pub decided: bool,
    /// Why there is no ratio, or why it must not be relied on.
    pub note: Option<FigureNote>,
}

/// The two percentiles themselves, and the polling intervals behind them, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct QuantilePoints {
    pub(super) baseline: Option<f64>,
    pub(super) candidate: Option<f64>,
    pub(super) baseline_resolution: f64,
    pub(super) candidate_resolution: f64,
}

impl QuantilePoints {
    fn polling_note(&self) -> Option<FigureNote> {
        let resolution = (self.baseline_resolution - self.candidate_resolution).abs();
        let difference = (self.candidate? - self.baseline?).abs();
        (resolution > 0.0 && difference > 0.0 && difference <= resolution).then_some(
            FigureNote::WithinPollingResolution {
                baseline_us: self.baseline_resolution,
                candidate_us: self.candidate_resolution,
            },
        )
    }
}

impl QuantileComparison {
    /// Compares one percentile. The finding stays open until [`Self::decide`].
    pub(super) fn new(
        percentile: String,
        points: QuantilePoints,
        ratio: Result<Ratio, BootstrapError>,
        resampled: &str,
    ) -> Self {
        let (finding, note) = match ratio {
            Ok(_) => (ComparisonFinding::NoDifference, points.polling_note()),
            Err(error) => (ComparisonFinding::NotEnoughData, Some(error.into())),
        };
        let ratio = ratio.ok();
        let detectable_ratio_of = ratio.and_then(|ratio| {
            detectable_ratio_of(ratio.interval, Confidence::default(), Power::default())
        });
        Self {
            percentile,
            baseline_us: points.baseline,
            candidate_us: points.candidate,
            ratio: ratio.map(|ratio| ratio.point),
            ratio_low: ratio.map(|ratio| ratio.interval.low()),
            ratio_high: ratio.map(|ratio| ratio.interval.high()),
            p_value: ratio.map(|ratio| ratio.p_value.probability()),
            p_adjusted: None,
            detectable_ratio_of,
            resampled: resampled.to_owned(),
            finding,
            regression: false,
            decided: false,
            note,
        }
    }

    /// The p-value that joins the family; `None` if there is nothing to judge.
    pub(super) fn family_p_value(&self) -> Option<PValue> {
        let is_judged = self.finding != ComparisonFinding::NotEnoughData;
        self.p_value.filter(|_| is_judged).and_then(PValue::new)
    }

    /// Whether the difference is significant, whether or not it can be relied on.
    pub(crate) fn is_significant(&self) -> bool {
        self.p_adjusted.is_some_and(|p_value| p_value <= FALSE_ALARMS)
    }

    /// Decides, once the p-value is adjusted for the family.
    pub(super) fn decide(&mut self, adjusted: PValue, tolerance: Percent) {
        let (Some(ratio), Some(low), Some(high)) = (self.ratio, self.ratio_low, self.ratio_high)
        else {
            return;
        };
        self.p_adjusted = Some(adjusted.probability());
        if self.is_significant() && self.note.is_none() {
            self.finding =
                if ratio > 1.0 { ComparisonFinding::Slower } else { ComparisonFinding::Faster };
        }
        let bound = 1.0 + tolerance.fraction();
        self.regression = self.finding == ComparisonFinding::Slower && low > bound;
        self.decided = self.regression || high <= bound;
    }
}
