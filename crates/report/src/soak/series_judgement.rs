//! Each series judged: whether it drifts, by how much, and since when; all of them as one family.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::criteria::{STEP_FALSE_ALARMS, SoakCriteria};
use super::failure_series::judge_failures;
use super::series::{SeriesPoint, TrackedSeries};
use super::windows::SoakWindows;
use rushhour_core::units::{Micros, SessionTime};
use rushhour_stats::{
    Confidence, Direction, Drift, Materiality, PValue, Quantile, Sample, Series, StepChange, Trend,
    compare_first_and_last, holm, step_change,
};

/// The first and the last part that are compared last an hour each, or this fraction of a shorter session.
const ENDS: f64 = 6.0;

/// What was found of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeriesFinding {
    /// There are too few windows to tell.
    TooFew,
    /// No drift was found.
    Steady,
    /// A drift was found that is not material.
    Immaterial,
    /// It grows by a material amount.
    Rises,
    /// It shrinks by a material amount.
    Falls,
    /// It rose at once by a material amount, and stayed there.
    StepsUp,
    /// It fell at once by a material amount, and stayed there.
    StepsDown,
}

impl SeriesFinding {
    /// Whether it grew by a material amount.
    pub const fn is_worse(self) -> bool {
        matches!(self, Self::Rises | Self::StepsUp)
    }

    /// Whether it changed by a material amount, either way.
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Rises | Self::Falls | Self::StepsUp | Self::StepsDown)
    }
}

/// The slope of a series. Its interval is adjusted for the number of series (Bonferroni).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Slope {
    /// The line's value at the first window.
    pub start: f64,
    /// The line's value at the last window.
    pub end: f64,
    /// The change from the first window to the last.
    pub change: f64,
    /// The lower end of the interval of the change.
    pub change_low: f64,
    /// The upper end of the interval of the change.
    pub change_high: f64,
    /// The change per hour.
    pub per_hour: f64,
    /// The change per hundred runs, for what grows with runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_hundred_runs: Option<f64>,
    /// The autocorrelation of the noise from window to window, 0 to 0.95.
    pub carried_over: f64,
}

/// The likeliest place of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesStep {
    /// The start of the first window after it.
    pub at: SessionTime,
    /// The median before it.
    pub before: f64,
    /// The median after it.
    pub after: f64,
    /// The p-value, adjusted for the number of series (Holm).
    pub p_adjusted: f64,
}

/// The first part of the session compared with the last.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FirstLast {
    /// The length of each part, in microseconds.
    pub stretch_us: u64,
    /// The median of the first part's windows.
    pub first: f64,
    /// The median of the last part's windows.
    pub last: f64,
}

/// A series, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesJudgement {
    /// The series.
    pub series: TrackedSeries,
    /// Its values.
    pub points: Vec<SeriesPoint>,
    /// The median of its values.
    pub level: f64,
    /// Its slope; none where there are too few windows.
    pub slope: Option<Slope>,
    /// Its step, where one is significant and explains the values better than the slope.
    pub step: Option<SeriesStep>,
    /// Its first part compared with its last, where the session is long enough.
    pub first_last: Option<FirstLast>,
    /// What was found.
    pub finding: SeriesFinding,
}

/// A series with its trend and step, before the p-values of all steps are adjusted.
struct Draft {
    series: TrackedSeries,
    points: Vec<SeriesPoint>,
    trend: Option<Trend>,
    step: Option<StepChange>,
}

/// Judges all series of a session, and returns how many there are in the family.
pub(super) fn judge_series(
    windows: &SoakWindows,
    criteria: &SoakCriteria,
) -> (Vec<SeriesJudgement>, usize) {
    let points: Vec<(TrackedSeries, Vec<SeriesPoint>)> = TrackedSeries::all()
        .into_iter()
        .filter(|series| *series != TrackedSeries::Failed)
        .map(|series| (series, series.points(windows)))
        .filter(|(series, points)| along(*series, points).is_some())
        .collect();
    // Failures are one of the family, wherever a run ended.
    let family = points.len() + 1;
    let bootstrap = criteria.bootstrap(family);
    let drafts: Vec<Draft> = points
        .into_iter()
        .map(|(series, points)| {
            let trend = bootstrap
                .as_ref()
                .and_then(|bootstrap| Trend::of(&along(series, &points)?, bootstrap).ok());
            let step = bootstrap
                .as_ref()
                .and_then(|bootstrap| step_change(&over_time(&points)?, bootstrap).ok());
            Draft { series, points, trend, step }
        })
        .collect();
    let p_values: Vec<PValue> =
        drafts.iter().map(|draft| draft.step.map_or(PValue::ONE, |step| step.p_value)).collect();
    let mut judged: Vec<SeriesJudgement> = drafts
        .into_iter()
        .zip(holm(&p_values))
        .map(|(draft, p_adjusted)| judge(draft, p_adjusted, windows, criteria))
        .collect();
    let failures = judge_failures(windows, criteria, SoakCriteria::confidence(family));
    let memory = judged.iter().position(|one| one.series == TrackedSeries::Memory);
    if let Some(failures) = failures {
        judged.insert(memory.unwrap_or(judged.len()), failures);
    }
    (judged, family)
}

/// A series against what it grows with: hundreds of runs for memory, hours for all others.
fn along(series: TrackedSeries, points: &[SeriesPoint]) -> Option<Series> {
    if series != TrackedSeries::Memory {
        return over_time(points);
    }
    Series::new(points.iter().map(|point| (point.started / 100.0, point.value))).ok()
}

fn over_time(points: &[SeriesPoint]) -> Option<Series> {
    Series::new(points.iter().map(|point| (point.hours, point.value))).ok()
}

fn judge(
    draft: Draft,
    p_adjusted: PValue,
    windows: &SoakWindows,
    criteria: &SoakCriteria,
) -> SeriesJudgement {
    let Draft { series, points, trend, step } = draft;
    let material = criteria.settings.material.fraction();
    let step = step.filter(|step| {
        let is_material = (step.after - step.before).abs()
            > (material * step.before.abs()).max(series.least_material());
        is_material
            && p_adjusted.is_significant_at(STEP_FALSE_ALARMS)
            && explains_more(step, &points, trend)
    });
    let level = median(points.iter().map(|point| point.value));
    let drift = trend.map(|trend| {
        // A fitted line may start below zero if its values vary much.
        let start = if trend.start > 0.0 { trend.start } else { level };
        trend.drift(Materiality::Absolute((material * start).max(series.least_material())))
    });
    let finding = match (&step, drift) {
        (Some(step), _) if step.after > step.before => SeriesFinding::StepsUp,
        (Some(_), _) => SeriesFinding::StepsDown,
        (None, None) => SeriesFinding::TooFew,
        (None, Some(Drift::NotShown)) => SeriesFinding::Steady,
        (None, Some(Drift::Immaterial(_))) => SeriesFinding::Immaterial,
        (None, Some(Drift::Material(Direction::Rising))) => SeriesFinding::Rises,
        (None, Some(Drift::Material(Direction::Falling))) => SeriesFinding::Falls,
    };
    SeriesJudgement {
        series,
        level,
        slope: trend.map(|trend| slope(series, &trend, windows)),
        step: step.map(|step| series_step(&step, p_adjusted, windows)),
        first_last: first_last(&points),
        finding,
        points,
    }
}

fn slope(series: TrackedSeries, trend: &Trend, windows: &SoakWindows) -> Slope {
    Slope {
        start: trend.start,
        end: trend.start + trend.change.point,
        change: trend.change.point,
        change_low: trend.change.interval.low(),
        change_high: trend.change.interval.high(),
        per_hour: trend.change.point / span_hours(windows),
        per_hundred_runs: (series == TrackedSeries::Memory).then_some(trend.slope.point),
        carried_over: trend.autocorrelation,
    }
}

/// The span of all windows in hours; never zero.
pub(super) fn span_hours(windows: &SoakWindows) -> f64 {
    (windows.span().as_secs_f64() / 3_600.0).max(1e-9)
}

fn series_step(step: &StepChange, p_adjusted: PValue, windows: &SoakWindows) -> SeriesStep {
    // The upper end is the middle of the first window after the step.
    let middle = SessionTime(Micros::from_secs_f64(step.between.high() * 3_600.0).0);
    SeriesStep {
        at: middle - Micros(windows.width.0 / 2),
        before: step.before,
        after: step.after,
        p_adjusted: p_adjusted.probability(),
    }
}

/// Whether a step leaves a smaller sum of absolute residuals than the trend.
fn explains_more(step: &StepChange, points: &[SeriesPoint], trend: Option<Trend>) -> bool {
    let Some(trend) = trend else { return true };
    let start = points.first().map_or(0.0, |first| first.hours);
    let span = points.last().map_or(0.0, |last| last.hours) - start;
    let slope = if span > 0.0 { trend.change.point / span } else { 0.0 };
    let of_line: f64 = points
        .iter()
        .map(|point| (point.value - trend.start - slope * (point.hours - start)).abs())
        .sum();
    let of_levels: f64 = points
        .iter()
        .map(|point| {
            let level = if point.hours < step.between.high() { step.before } else { step.after };
            (point.value - level).abs()
        })
        .sum();
    of_levels < of_line
}

fn first_last(points: &[SeriesPoint]) -> Option<FirstLast> {
    let series = over_time(points)?;
    let length = ((series.end() - series.begin()) / ENDS).min(1.0);
    // Refuses parts that the session is too short for.
    compare_first_and_last(&series, length, Confidence::PERCENT_95).ok()?;
    let median_within = |from: f64, to: f64| {
        let inside = points.iter().filter(|point| (from..=to).contains(&point.hours));
        median(inside.map(|point| point.value))
    };
    Some(FirstLast {
        stretch_us: Micros::from_secs_f64(length * 3_600.0).0,
        first: median_within(series.begin(), series.begin() + length),
        last: median_within(series.end() - length, series.end()),
    })
}

/// The median of values; 0 for none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    Sample::new(values.collect()).map_or(0.0, |sample| sample.quantile(Quantile::P50))
}
