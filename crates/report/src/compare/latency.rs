//! One latency compared: the ratio of each percentile with its interval, and the two distributions as wholes.

use schemars::JsonSchema;
use serde::Serialize;

use super::arm::{ArmPair, Observed};
use super::blocks::{Blocks, SideTiming, TimedValue};
use super::quantile::{QuantileComparison, QuantilePoints};
use crate::session::quantile_of;
use rushhour_core::units::Metric;
use rushhour_stats::{
    Arms, Bootstrap, BootstrapError, CensoredPair, CensoredSample, ClusteredSample, Confidence,
    PairedSample, Quantile, QuantileRatio, Ratio, Sample, censored_ratios, min_sample_size,
};

/// With this many shared scenarios, they are resampled as pairs, too.
const FEWEST_PAIRS: usize = 16;

const BLOCKS: &str = "blocks";
const SCENARIOS: &str = "scenarios";

/// One latency of two sessions.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LatencyComparison {
    /// What was measured.
    pub metric: String,
    /// The baseline's number of runs.
    pub baseline_n: u64,
    /// The candidate's number of runs.
    pub candidate_n: u64,
    /// How many of the baseline's had not ended. Each took longer than was observed.
    pub baseline_unfinished: u64,
    /// How many of the candidate's had not ended.
    pub candidate_unfinished: u64,
    /// The number of resamples behind the intervals.
    pub resamples: u32,
    /// The percentiles.
    pub percentiles: Vec<QuantileComparison>,
    /// The two distributions as wholes, of the runs that had ended.
    pub shape: Option<Shape>,
}

/// Two distributions as wholes. The p-values treat runs as independent, and decide nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Shape {
    /// The probability that a run of the candidate takes longer than one of the baseline.
    pub probability_of_superiority: f64,
    /// Cliff's delta, from -1 to 1.
    pub cliffs_delta: f64,
    /// The Mann-Whitney U of the candidate.
    pub mann_whitney_u: f64,
    /// Its two-sided p-value.
    pub mann_whitney_p: f64,
    /// The Hodges-Lehmann shift: the median of all differences, candidate minus baseline, in microseconds.
    pub shift_us: f64,
    /// The lower end of its 95 % interval, in microseconds.
    pub shift_low_us: Option<f64>,
    /// The upper end, in microseconds.
    pub shift_high_us: Option<f64>,
    /// The Kolmogorov-Smirnov distance.
    pub kolmogorov_smirnov: f64,
    /// Its two-sided p-value.
    pub kolmogorov_smirnov_p: f64,
}

/// Compares one latency, without deciding; `None` if a side has no sample.
pub(super) fn compare_latency(metric: Metric, arms: ArmPair<'_>) -> Option<LatencyComparison> {
    let mut baseline = arms.baseline.observed(metric, arms.scenarios);
    let mut candidate = arms.candidate.observed(metric, arms.scenarios);
    if baseline.is_empty() || candidate.is_empty() {
        return None;
    }
    let timing = arms.timing();
    assign_blocks(&mut baseline, &mut candidate, timing);
    let percentiles = &arms.criteria.percentiles;
    let quantiles: Vec<Quantile> = percentiles.iter().map(|p| quantile_of(*p)).collect();
    let unfinished = |side: &[Observed<'_>]| side.iter().filter(|one| !one.ended).count() as u64;
    let (baseline_unfinished, candidate_unfinished) =
        (unfinished(&baseline), unfinished(&candidate));
    let censored = |values: &[Observed<'_>]| {
        CensoredSample::new(values.iter().map(|one| (one.block, one.time, one.ended))).ok()
    };
    let sides = Sides {
        baseline_censored: censored(&baseline)?,
        candidate_censored: censored(&candidate)?,
        baseline: &baseline,
        candidate: &candidate,
        timing,
        bootstrap: arms.criteria.bootstrap(baseline.len().max(candidate.len())),
        is_censored: baseline_unfinished + candidate_unfinished > 0,
    };
    let ratios = sides.ratios(&quantiles, arms.scenarios.len());
    let (baseline_resolution, candidate_resolution) =
        (mean_resolution(&baseline), mean_resolution(&candidate));
    let percentiles = percentiles
        .iter()
        .zip(&quantiles)
        .map(|(percentile, quantile)| {
            let (ratio, resampled) = ratios
                .iter()
                .find(|(found, _)| found.quantile == *quantile)
                .map_or((Err(BootstrapError::NotFinite), BLOCKS), |(found, by)| (found.ratio, *by));
            let points = QuantilePoints {
                baseline: point(&sides.baseline_censored, *quantile),
                candidate: point(&sides.candidate_censored, *quantile),
                baseline_resolution,
                candidate_resolution,
            };
            QuantileComparison::new(percentile.to_string(), points, ratio, resampled)
        })
        .collect();
    Some(LatencyComparison {
        metric: metric.name().to_owned(),
        baseline_n: baseline.len() as u64,
        candidate_n: candidate.len() as u64,
        baseline_unfinished,
        candidate_unfinished,
        resamples: sides.bootstrap.resamples(),
        percentiles,
        shape: shape(&baseline, &candidate),
    })
}

fn assign_blocks<'a>(from: &mut [Observed<'a>], to: &mut [Observed<'a>], timing: SideTiming) {
    let timed =
        |side: &[Observed<'_>]| side.iter().map(Observed::timed).collect::<Vec<TimedValue>>();
    let blocks = Blocks::cut(&timed(from), &timed(to), timing);
    for (side, blocks) in [(from, blocks.baseline), (to, blocks.candidate)] {
        for (one, block) in side.iter_mut().zip(blocks) {
            one.block = block;
        }
    }
}

/// The mean time between the two polls that an end fell between, in microseconds.
fn mean_resolution(values: &[Observed<'_>]) -> f64 {
    values.iter().map(|one| one.resolution).sum::<f64>() / (values.len() as f64).max(1.0)
}

/// The percentile itself: nearest rank, or the Kaplan-Meier estimate if some runs had not ended.
fn point(sample: &CensoredSample, quantile: Quantile) -> Option<f64> {
    let needs = min_sample_size(quantile, Confidence::default());
    (sample.size() >= needs).then(|| sample.quantile(quantile))?
}

struct Sides<'a> {
    baseline: &'a [Observed<'a>],
    candidate: &'a [Observed<'a>],
    baseline_censored: CensoredSample,
    candidate_censored: CensoredSample,
    timing: SideTiming,
    bootstrap: Bootstrap,
    /// Whether any run had not ended.
    is_censored: bool,
}

impl Sides<'_> {
    /// The ratios with blocks resampled. If there are many scenarios, they are resampled as pairs too, and the wider
    /// interval counts.
    fn ratios(
        &self,
        quantiles: &[Quantile],
        scenarios: usize,
    ) -> Vec<(QuantileRatio, &'static str)> {
        let by_blocks = self.ratios_by_blocks(quantiles).into_iter();
        let by_blocks = by_blocks.map(|ratio| (ratio, BLOCKS));
        if self.is_censored || scenarios < FEWEST_PAIRS {
            return by_blocks.collect();
        }
        let side = |values: &[Observed<'_>]| -> Vec<(String, f64)> {
            values.iter().map(|one| (one.scenario.to_owned(), one.time)).collect()
        };
        let Ok(paired) = PairedSample::new(side(self.baseline), side(self.candidate)) else {
            return by_blocks.collect();
        };
        let by_scenario = Arms::Paired(&paired).quantile_ratios(quantiles, &self.bootstrap);
        let wider = |(blocks, scenarios): ((QuantileRatio, _), QuantileRatio)| {
            let width = |ratio: Result<Ratio, BootstrapError>| {
                ratio.map_or(f64::INFINITY, |ratio| ratio.interval.width())
            };
            match scenarios.ratio {
                Ok(_) if width(scenarios.ratio) > width(blocks.0.ratio) => (scenarios, SCENARIOS),
                _ => blocks,
            }
        };
        by_blocks.zip(by_scenario).map(wider).collect()
    }

    /// Empty if a side cannot be resampled.
    fn ratios_by_blocks(&self, quantiles: &[Quantile]) -> Vec<QuantileRatio> {
        if self.timing == SideTiming::Shared {
            let side = |values: &[Observed<'_>]| -> Vec<(usize, f64, bool)> {
                values.iter().map(|one| (one.block, one.time, one.ended)).collect()
            };
            let pair = CensoredPair::new(side(self.baseline), side(self.candidate));
            return pair
                .map_or(Vec::new(), |pair| pair.quantile_ratios(quantiles, &self.bootstrap));
        }
        if self.is_censored {
            let (from, to) = (&self.baseline_censored, &self.candidate_censored);
            return censored_ratios(from, to, quantiles, &self.bootstrap);
        }
        let side = |values: &[Observed<'_>]| {
            ClusteredSample::new(values.iter().map(|one| (one.block, one.time)))
        };
        let (Ok(baseline), Ok(candidate)) = (side(self.baseline), side(self.candidate)) else {
            return Vec::new();
        };
        let arms = Arms::Clustered { baseline: &baseline, candidate: &candidate };
        arms.quantile_ratios(quantiles, &self.bootstrap)
    }
}

fn shape(from: &[Observed<'_>], to: &[Observed<'_>]) -> Option<Shape> {
    let side = |values: &[Observed<'_>]| {
        let ended = values.iter().filter(|one| one.ended).map(|one| one.time);
        Sample::new(ended.collect()).ok()
    };
    let (from, to) = (side(from)?, side(to)?);
    let compared = rushhour_stats::TwoSampleComparison::of(&from, &to, Confidence::default());
    let interval = compared.shift.interval.ok();
    Some(Shape {
        probability_of_superiority: compared.dominance.probability_of_superiority(),
        cliffs_delta: compared.dominance.cliffs_delta(),
        mann_whitney_u: compared.mann_whitney.u,
        mann_whitney_p: compared.mann_whitney.p_value.probability(),
        shift_us: compared.shift.estimate,
        shift_low_us: interval.map(rushhour_stats::Interval::low),
        shift_high_us: interval.map(rushhour_stats::Interval::high),
        kolmogorov_smirnov: compared.kolmogorov_smirnov.distance,
        kolmogorov_smirnov_p: compared.kolmogorov_smirnov.p_value.probability(),
    })
}
