//! One latency of two sides: the ratio of each percentile with its interval, and what shapes they have.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::blocks::{Blocks, SideTiming, TimedValue};
use super::super::figures::quantile_of;
use super::arm::{Arm, Observed};
use super::finding::{ComparisonFinding, FALSE_ALARMS};
use super::question::ComparisonCriteria;
use super::text::in_words;
use rushhour_core::units::{Metric, Percent};
use rushhour_stats::{
    Arms, Bootstrap, BootstrapError, CensoredPair, CensoredSample, ClusteredSample, Confidence,
    PValue, PairedSample, Power, Quantile, QuantileRatio, Ratio, Sample, TooFew, censored_ratios,
    detectable_ratio_of, min_sample_size,
};

/// From so many shared scenarios on they are resampled as pairs, too.
const PAIRS: usize = 16;

/// One latency of two sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyComparison {
    /// What was measured.
    pub metric: String,
    /// How many of the baseline.
    pub baseline_n: u64,
    /// How many of the candidate.
    pub candidate_n: u64,
    /// Of these, how many of the baseline had not ended: each was longer than what was seen of it.
    pub baseline_unfinished: u64,
    /// The same of the candidate.
    pub candidate_unfinished: u64,
    /// Resamples that the intervals rest on.
    pub resamples: u32,
    /// The percentiles.
    pub percentiles: Vec<QuantileComparison>,
    /// The two distributions as wholes, of what had ended.
    pub shape: Option<Shape>,
}

/// One percentile of one latency of two sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuantileComparison {
    /// Which, such as `p95`.
    pub percentile: String,
    /// The baseline's, in microseconds; none where too few were measured, or too few ended.
    pub baseline_us: Option<f64>,
    /// The candidate's, in microseconds.
    pub candidate_us: Option<f64>,
    /// The candidate's as a multiple of the baseline's.
    pub ratio: Option<f64>,
    /// The lower end of its 95 % interval.
    pub ratio_low: Option<f64>,
    /// The upper end of its 95 % interval.
    pub ratio_high: Option<f64>,
    /// How rarely chance alone moves the ratio this far from 1.
    pub p_value: Option<f64>,
    /// The same, adjusted for all that was judged together (Holm).
    pub p_adjusted: Option<f64>,
    /// The smallest ratio above 1 that would have been found in four of five such comparisons.
    pub smallest_ratio_seen: Option<f64>,
    /// What was resampled: `blocks` of neighbouring runs, or pairs of `scenarios` where that is wider.
    pub resampled: String,
    /// What was found.
    pub finding: ComparisonFinding,
    /// Whether it counts as a regression: slower, and by more than the tolerance with its whole interval.
    pub regression: bool,
    /// Whether it is settled that it is no regression beyond the tolerance, or that it is one.
    pub decided: bool,
    /// Why there is no ratio, or what it does not tell.
    pub note: Option<String>,
}

/// Two distributions as wholes; their p-values take runs as independent, and judge nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shape {
    /// The chance that a run of the candidate takes longer than one of the baseline.
    pub probability_of_superiority: f64,
    /// Cliff's delta, from -1 to 1.
    pub cliffs_delta: f64,
    /// Mann and Whitney's U of the candidate.
    pub mann_whitney_u: f64,
    /// Its two-sided p-value.
    pub mann_whitney_p: f64,
    /// The median of all differences, candidate less baseline, in microseconds.
    pub shift_us: f64,
    /// The lower end of its 95 % interval, in microseconds.
    pub shift_low_us: Option<f64>,
    /// The upper end, in microseconds.
    pub shift_high_us: Option<f64>,
    /// The greatest distance of the two distribution functions (Kolmogorov and Smirnov).
    pub kolmogorov_smirnov: f64,
    /// Its two-sided p-value.
    pub kolmogorov_smirnov_p: f64,
}

/// The latency of two sides, its findings open; none where neither or only one has any.
pub(super) fn compare_latency(
    metric: Metric,
    (baseline, candidate): (&Arm, &Arm),
    shared: &BTreeSet<String>,
    question: &ComparisonCriteria,
) -> Option<LatencyComparison> {
    let mut from = baseline.observed(metric, shared);
    let mut to = candidate.observed(metric, shared);
    if from.is_empty() || to.is_empty() {
        return None;
    }
    let timing = baseline.timing(candidate);
    into_blocks(&mut from, &mut to, timing);
    let plan = question.plan(from.len().max(to.len()));
    let quantiles: Vec<Quantile> =
        question.percentiles.iter().map(|percentile| quantile_of(*percentile)).collect();
    let unfinished = |side: &[Observed<'_>]| side.iter().filter(|one| !one.ended).count() as u64;
    let cut = (unfinished(&from), unfinished(&to));
    let censored = cut != (0, 0);
    let durations = |values: &[Observed<'_>]| {
        CensoredSample::new(values.iter().map(|one| (one.block, one.time, one.ended))).ok()
    };
    let durations = (durations(&from)?, durations(&to)?);
    let sided =
        Sides { from: &from, to: &to, timing, durations: &durations, plan: &plan, censored };
    let ratios = sided.ratios(&quantiles, shared.len());
    let grain = (grain(&from), grain(&to));
    let percentiles = question
        .percentiles
        .iter()
        .map(|percentile| {
            let quantile = quantile_of(*percentile);
            let (ratio, resampled) = ratios
                .iter()
                .find(|(found, _)| found.quantile == quantile)
                .map_or((Err(BootstrapError::NotFinite), BLOCKS), |(found, by)| (found.ratio, *by));
            let ends = sided.points(quantile);
            quantile_comparison(percentile.to_string(), ends, ratio, resampled, grain)
        })
        .collect();
    Some(LatencyComparison {
        metric: metric.name().to_owned(),
        baseline_n: from.len() as u64,
        candidate_n: to.len() as u64,
        baseline_unfinished: cut.0,
        candidate_unfinished: cut.1,
        resamples: plan.resamples(),
        percentiles,
        shape: shape(&from, &to),
    })
}

fn into_blocks<'a>(from: &mut [Observed<'a>], to: &mut [Observed<'a>], timing: SideTiming) {
    let timed =
        |side: &[Observed<'_>]| side.iter().map(Observed::timed).collect::<Vec<TimedValue>>();
    let blocks = Blocks::cut(&timed(from), &timed(to), timing);
    for (side, blocks) in [(from, blocks.baseline), (to, blocks.candidate)] {
        for (one, block) in side.iter_mut().zip(blocks) {
            one.block = block;
        }
    }
}

/// How far apart the looks were, on average, that the ends fell between.
fn grain(values: &[Observed<'_>]) -> f64 {
    values.iter().map(|one| one.grain).sum::<f64>() / (values.len() as f64).max(1.0)
}

const BLOCKS: &str = "blocks";
const SCENARIOS: &str = "scenarios";

struct Sides<'a> {
    from: &'a [Observed<'a>],
    to: &'a [Observed<'a>],
    timing: SideTiming,
    durations: &'a (CensoredSample, CensoredSample),
    plan: &'a Bootstrap,
    censored: bool,
}

impl Sides<'_> {
    /// Ratios with blocks resampled; where scenarios are many, with them as pairs too, the wider told.
    fn ratios(
        &self,
        quantiles: &[Quantile],
        scenarios: usize,
    ) -> Vec<(QuantileRatio, &'static str)> {
        let by_blocks = if self.timing == SideTiming::Shared {
            let side = |values: &'_ [Observed<'_>]| -> Vec<(usize, f64, bool)> {
                values.iter().map(|one| (one.block, one.time, one.ended)).collect()
            };
            let pair = CensoredPair::new(side(self.from), side(self.to));
            let Ok(pair) = pair else { return Vec::new() };
            pair.quantile_ratios(quantiles, self.plan)
        } else if self.censored {
            let (from, to) = self.durations;
            censored_ratios(from, to, quantiles, self.plan)
        } else {
            let side = |values: &[Observed<'_>]| {
                ClusteredSample::new(values.iter().map(|one| (one.block, one.time)))
            };
            let (Ok(from), Ok(to)) = (side(self.from), side(self.to)) else { return Vec::new() };
            let arms = Arms::Clustered { baseline: &from, candidate: &to };
            arms.quantile_ratios(quantiles, self.plan)
        };
        let by_blocks = by_blocks.into_iter().map(|ratio| (ratio, BLOCKS));
        if self.censored || scenarios < PAIRS {
            return by_blocks.collect();
        }
        let side = |values: &'_ [Observed<'_>]| -> Vec<(String, f64)> {
            values.iter().map(|one| (one.scenario.to_owned(), one.time)).collect()
        };
        let Ok(paired) = PairedSample::new(side(self.from), side(self.to)) else {
            return by_blocks.collect();
        };
        let by_scenario = Arms::Paired(&paired).quantile_ratios(quantiles, self.plan);
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

    /// The two percentiles themselves: nearest rank, or Kaplan and Meier's where some had not ended.
    fn points(&self, quantile: Quantile) -> (Option<f64>, Option<f64>) {
        let needs = min_sample_size(quantile, Confidence::default());
        let point = |durations: &CensoredSample| {
            (durations.size() >= needs).then(|| durations.quantile(quantile))?
        };
        (point(&self.durations.0), point(&self.durations.1))
    }
}

fn quantile_comparison(
    percentile: String,
    (baseline_us, candidate_us): (Option<f64>, Option<f64>),
    ratio: Result<Ratio, BootstrapError>,
    resampled: &str,
    grain: (f64, f64),
) -> QuantileComparison {
    let (finding, note) = match ratio {
        Ok(_) => (ComparisonFinding::NoDifference, too_close(baseline_us, candidate_us, grain)),
        Err(error) => (ComparisonFinding::NotEnoughData, Some(why_not(error))),
    };
    let ratio = ratio.ok();
    let smallest_ratio_seen = ratio.and_then(|ratio| {
        detectable_ratio_of(ratio.interval, Confidence::default(), Power::default())
    });
    QuantileComparison {
        percentile,
        baseline_us,
        candidate_us,
        ratio: ratio.map(|ratio| ratio.point),
        ratio_low: ratio.map(|ratio| ratio.interval.low()),
        ratio_high: ratio.map(|ratio| ratio.interval.high()),
        p_value: ratio.map(|ratio| ratio.p_value.probability()),
        p_adjusted: None,
        smallest_ratio_seen,
        resampled: resampled.to_owned(),
        finding,
        regression: false,
        decided: false,
        note,
    }
}

impl QuantileComparison {
    /// The p-value that joins the family; none where there is nothing to judge.
    pub(super) fn joins(&self) -> Option<PValue> {
        let asked = self.finding != ComparisonFinding::NotEnoughData;
        self.p_value.filter(|_| asked).and_then(PValue::new)
    }

    /// Whether chance is ruled out, whatever else may be behind it.
    pub(super) fn is_significant(&self) -> bool {
        self.p_adjusted.is_some_and(|p_value| p_value <= FALSE_ALARMS)
    }

    /// Decides, once the family is known.
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

/// Where ends are seen by looking, longer gaps between looks alone make times longer.
fn too_close(from: Option<f64>, to: Option<f64>, grain: (f64, f64)) -> Option<String> {
    let finer_than = (grain.0 - grain.1).abs();
    let apart = (to? - from?).abs();
    (finer_than > 0.0 && apart > 0.0 && apart <= finer_than).then(|| {
        let (a, b) = (in_words(grain.0), in_words(grain.1));
        format!("looks were {a} and {b} apart: no finer than these differ")
    })
}

pub(super) fn why_not(error: BootstrapError) -> String {
    let needs = |TooFew { n, needs }: TooFew, of: &str| format!("{n} {of}, needs {needs}");
    match error {
        BootstrapError::TooFewValues(few) => needs(few, "samples"),
        BootstrapError::TooFewClusters(few) => needs(few, "groups of runs"),
        BootstrapError::NotFinite => "too many had not ended".to_owned(),
        BootstrapError::ZeroBaseline => "the baseline is zero".to_owned(),
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
