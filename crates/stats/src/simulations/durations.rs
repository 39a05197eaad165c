//! Durations censored by the end of a stage, and ends known only between polls.

use super::super::confidence::Confidence;
use super::super::quantile::Quantile;
use super::super::rng::StatsRng;
use super::super::sample::Sample;
use super::super::survival::{Observation, Reach, SurvivalBracket, SurvivalCurve};
use super::trials::{expect_share, latency, shares};

const USUAL: Confidence = Confidence::PERCENT_95;
const MEDIAN: f64 = 240.0;

/// Whether a truth lies between two ends, of which either may lie beyond all observations.
fn holds(low: Reach, high: Reach, truth: f64) -> bool {
    low.reached().is_some_and(|low| low <= truth) && high.reached().is_none_or(|high| truth <= high)
}

/// Runs of median 240 s that start evenly over a stage of 20 minutes and are cut 30 s after it.
fn stage(rng: &mut StatsRng, runs: u32) -> Vec<(Observation, f64, bool)> {
    let one = |run: u32| {
        let start = 1200.0 * (f64::from(run) + rng.unit()) / f64::from(runs);
        let (lasts, left) = (MEDIAN * latency(rng), 1230.0 - start);
        let ended = lasts <= left;
        (if ended { Observation::At(lasts) } else { Observation::After(left) }, lasts, ended)
    };
    (0..runs).map(one).collect()
}

#[test]
fn censored_runs_keep_the_interval_honest_and_dropped_ones_do_not() {
    let p90 = MEDIAN * (0.5 * 1.281_551_565_544_600_4_f64).exp();
    let [median, tail, dropped_median, dropped_tail] = shares(800, 6, |rng| {
        let runs = stage(rng, 200);
        let curve = SurvivalCurve::new(runs.iter().map(|&(seen, ..)| (seen, 1))).unwrap();
        let ended = runs.iter().filter(|(_, _, ended)| *ended).map(|&(_, lasts, _)| lasts);
        let ended = Sample::new(ended.collect()).unwrap();
        let kept = |quantile, truth| {
            let found = curve.quantile(quantile, USUAL);
            holds(found.low, found.high, truth)
        };
        let dropped = |quantile, truth: f64| {
            ended.quantile_interval(quantile, USUAL).is_ok_and(|found| found.contains(truth))
        };
        [
            kept(Quantile::P50, MEDIAN),
            kept(Quantile::P90, p90),
            dropped(Quantile::P50, MEDIAN),
            dropped(Quantile::P90, p90),
        ]
    });
    expect_share("Kaplan-Meier p50", median, 0.93..=0.97);
    expect_share("Kaplan-Meier p90", tail, 0.93..=0.97);
    expect_share("p50 with unfinished runs dropped", dropped_median, 0.0..=0.85);
    expect_share("p90 with unfinished runs dropped", dropped_tail, 0.0..=0.8);
}

/// Looking every 60 s puts each end up to 60 s late. The bracket knows; a late end taken for the
/// true one does not.
#[test]
fn brackets_of_polled_ends_hold_the_truth() {
    let [bracketed, late] = shares(500, 7, |rng| {
        let mut polls = rng.clone();
        let polled = stage(rng, 200).into_iter().map(|(seen, lasts, ended)| {
            let next_poll = lasts + 60.0 * polls.unit();
            let observation =
                if ended { Observation::Between(next_poll - 60.0, next_poll) } else { seen };
            (observation, 1)
        });
        let curves = SurvivalBracket::new(polled).unwrap();
        let bracket = curves.quantile(Quantile::P50, USUAL);
        let taken = curves.latest.quantile(Quantile::P50, USUAL);
        [holds(bracket.low, bracket.high, MEDIAN), holds(taken.low, taken.high, MEDIAN)]
    });
    expect_share("bracketed p50, polled each minute", bracketed, 0.97..=1.0);
    expect_share("late end taken for the p50", late, 0.0..=0.5);
}
