//! Whether more runs fail as the session goes on: its first third compared with its last.

use super::criteria::SoakCriteria;
use super::series::TrackedSeries;
use super::series_judgement::{SeriesFinding, SeriesJudgement, Slope, median, span_hours};
use super::windows::{SoakWindow, SoakWindows};
use rushhour_stats::{Confidence, Interval, Proportion, newcombe_difference};

/// The fewest windows; each third needs some.
const MIN_WINDOWS: usize = 6;
/// The fewest runs in each third.
const MIN_RUNS: u64 = 20;

/// Judges failures; none where no run ended. A slope over shares that are mostly zero says little, so thirds of the
/// session are compared (Newcombe's interval). The change must remain without the window with the most failures: one
/// burst is no drift.
pub(super) fn judge_failures(
    windows: &SoakWindows,
    criteria: &SoakCriteria,
    confidence: Confidence,
) -> Option<SeriesJudgement> {
    let points = TrackedSeries::Failed.points(windows);
    if points.is_empty() {
        return None;
    }
    let all = &windows.windows;
    let third = all.len() / 3;
    let (first, last) = (&all[..third], &all[all.len().saturating_sub(third)..]);
    let change = compare(first, last, confidence).filter(|_| all.len() >= MIN_WINDOWS);
    let material = criteria.settings.material_failures.fraction();
    let finding = match change {
        None => SeriesFinding::TooFew,
        Some(change) if change.point.abs() <= material => SeriesFinding::Steady,
        Some(change) if change.interval.low() > 0.0 => {
            match compare(first, &without_worst(last), confidence) {
                Some(change) if change.interval.low() > 0.0 => SeriesFinding::Rises,
                _ => SeriesFinding::Steady,
            }
        }
        Some(change) if change.interval.high() < 0.0 => {
            match compare(&without_worst(first), last, confidence) {
                Some(change) if change.interval.high() < 0.0 => SeriesFinding::Falls,
                _ => SeriesFinding::Steady,
            }
        }
        Some(_) => SeriesFinding::Steady,
    };
    let slope = change.map(|change| Slope {
        start: change.first,
        end: change.last,
        change: change.point,
        change_low: change.interval.low(),
        change_high: change.interval.high(),
        per_hour: change.point / span_hours(windows),
        per_hundred_runs: None,
        carried_over: 0.0,
    });
    Some(SeriesJudgement {
        series: TrackedSeries::Failed,
        level: median(points.iter().map(|point| point.value)),
        slope,
        step: None,
        first_last: None,
        finding,
        points,
    })
}

/// The shares of failed runs in two parts of the session, and their difference.
#[derive(Debug, Clone, Copy)]
struct FailureChange {
    first: f64,
    last: f64,
    point: f64,
    interval: Interval,
}

fn compare(
    first: &[SoakWindow],
    last: &[SoakWindow],
    confidence: Confidence,
) -> Option<FailureChange> {
    let (first, last) = (proportion(first)?, proportion(last)?);
    let difference = newcombe_difference(first, last, confidence);
    Some(FailureChange {
        first: first.share(),
        last: last.share(),
        point: difference.point,
        interval: difference.interval,
    })
}

fn proportion(windows: &[SoakWindow]) -> Option<Proportion> {
    let failed = windows.iter().map(|window| window.failed).sum();
    let runs = windows.iter().map(|window| window.runs).sum();
    Proportion::new(failed, runs).ok().filter(|_| runs >= MIN_RUNS)
}

fn without_worst(windows: &[SoakWindow]) -> Vec<SoakWindow> {
    let worst = windows.iter().enumerate().max_by_key(|(_, window)| window.failed);
    let worst = worst.map(|(index, _)| index);
    let others = windows.iter().enumerate().filter(|(index, _)| Some(*index) != worst);
    others.map(|(_, window)| window.clone()).collect()
}
