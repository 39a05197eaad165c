//! Whether more runs fail as the session goes on: its first third against its last.

use super::criteria::SoakCriteria;
use super::series::{SeriesUnit, TrackedSeries, percent};
use super::series_judgement::{SeriesFinding, SeriesJudgement, Slope, median};
use super::windows::{SoakWindow, SoakWindows};
use rushhour_stats::{Confidence, Proportion, newcombe_difference};

/// Windows at the least, so that each third has some.
const FEWEST: usize = 6;
/// Runs at the least in each third.
const FEWEST_RUNS: u64 = 20;

/// Judges failures, where any run ended. A slope of shares that are mostly nothing says nothing; so thirds are
/// compared (Newcombe's interval), and once more without the window that speaks loudest, so that one burst is no
/// drift.
pub(super) fn judge_failures(
    cut: &SoakWindows,
    question: &SoakCriteria,
    confidence: Confidence,
) -> Option<SeriesJudgement> {
    let points = TrackedSeries::Failed.points(cut);
    if points.is_empty() {
        return None;
    }
    let third = cut.windows.len() / 3;
    let (first, last) =
        (&cut.windows[..third], &cut.windows[cut.windows.len().saturating_sub(third)..]);
    let compared = compare(first, last, confidence).filter(|_| cut.windows.len() >= FEWEST);
    let material = question.settings.material_failures.fraction();
    let finding = match compared {
        None => SeriesFinding::TooFew,
        Some((_, FailureChange { point, .. })) if point.abs() <= material => SeriesFinding::Steady,
        Some((_, change)) if change.low > 0.0 => {
            let calmer = without_worst(last);
            match compare(first, &calmer, confidence) {
                Some((_, calmer)) if calmer.low > 0.0 => SeriesFinding::Rises,
                _ => SeriesFinding::Steady,
            }
        }
        Some((_, change)) if change.high < 0.0 => {
            let calmer = without_worst(first);
            match compare(&calmer, last, confidence) {
                Some((_, calmer)) if calmer.high < 0.0 => SeriesFinding::Falls,
                _ => SeriesFinding::Steady,
            }
        }
        Some(_) => SeriesFinding::Steady,
    };
    let hours = (cut.span().as_secs_f64() / 3_600.0).max(1e-9);
    let slope = compared.map(|((start, end), change)| Slope {
        start,
        end,
        change: change.point,
        change_low: change.low,
        change_high: change.high,
        per_hour: change.point / hours,
        per_hundred_runs: None,
        carried_over: 0.0,
    });
    let words = match (finding, compared) {
        (SeriesFinding::TooFew, _) | (_, None) => "failed: too few runs to say".to_owned(),
        (finding, Some(((start, end), _))) => {
            let verb = match finding {
                SeriesFinding::Rises => "more runs fail as the session goes on",
                SeriesFinding::Falls => "fewer runs fail as the session goes on",
                _ => "failed: no drift shown",
            };
            format!("{verb} ({} of the first third, {} of the last)", percent(start), percent(end))
        }
    };
    Some(SeriesJudgement {
        series: TrackedSeries::Failed.name(),
        unit: SeriesUnit::Share,
        windows: points.len() as u64,
        level: median(points.iter().map(|point| point.value)),
        slope,
        step: None,
        first_last: None,
        finding,
        words,
        tracked: Some(TrackedSeries::Failed),
        points,
    })
}

#[derive(Debug, Clone, Copy)]
struct FailureChange {
    point: f64,
    low: f64,
    high: f64,
}

fn counts(windows: &[SoakWindow]) -> (u64, u64) {
    windows
        .iter()
        .fold((0, 0), |(failed, runs), window| (failed + window.failed, runs + window.runs))
}

/// The shares of two stretches, and their difference.
fn compare(
    first: &[SoakWindow],
    last: &[SoakWindow],
    confidence: Confidence,
) -> Option<((f64, f64), FailureChange)> {
    let proportion = |windows: &[SoakWindow]| {
        let (failed, runs) = counts(windows);
        Proportion::new(failed, runs).ok().filter(|_| runs >= FEWEST_RUNS)
    };
    let (from, to) = (proportion(first)?, proportion(last)?);
    let found = newcombe_difference(from, to, confidence);
    let change = FailureChange {
        point: found.point,
        low: found.interval.low(),
        high: found.interval.high(),
    };
    Some(((from.share(), to.share()), change))
}

fn without_worst(windows: &[SoakWindow]) -> Vec<SoakWindow> {
    let worst = windows.iter().enumerate().max_by_key(|(_, window)| window.failed);
    let worst = worst.map(|(index, _)| index);
    let others = windows.iter().enumerate().filter(|(index, _)| Some(*index) != worst);
    others.map(|(_, window)| window.clone()).collect()
}
