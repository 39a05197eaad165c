//! Intervals of quantiles by ranks, and of shifts by differences.

use super::super::confidence::Confidence;
use super::super::order_statistic::rank_interval;
use super::super::quantile::Quantile;
use super::super::two_sample::hodges_lehmann;
use super::trials::{SIGMA, expect_share, latencies, share};

const USUAL: Confidence = Confidence::PERCENT_95;

/// Ranks are whole, so the exact coverage is a little above 95 %; the trials must agree with it.
#[test]
fn quantile_intervals_hold_the_truth_as_often_as_the_binomial_says() {
    for (quantile, n, z) in [
        (Quantile::P50, 200, 0.0),
        (Quantile::P90, 280, 1.281_551_565_544_600_4),
        (Quantile::P95, 500, 1.644_853_626_951_472_2),
        (Quantile::P99, 750, 2.326_347_874_040_840_8),
    ] {
        let truth = f64::exp(SIGMA * z);
        let exact = rank_interval(quantile, n as u64, USUAL).unwrap().coverage;
        let held = share(1200, 1, |rng| {
            let sample = latencies(rng, n, 1.0);
            sample.quantile_interval(quantile, USUAL).unwrap().contains(truth)
        });
        expect_share(&format!("{quantile} of {n}, exactly"), exact, 0.95..=0.97);
        expect_share(&format!("{quantile} of {n}"), held, 0.93..=0.97);
        expect_share(&format!("{quantile} of {n}, off"), (held - exact).abs(), 0.0..=0.02);
    }
}

#[test]
fn the_shift_interval_holds_the_truth() {
    let held = share(800, 2, |rng| {
        let (from, to) = (latencies(rng, 50, 1.0), latencies(rng, 70, 1.0));
        let moved = to.ascending().iter().map(|value| value + 0.3).collect::<Vec<f64>>();
        let shift = hodges_lehmann(&from, &moved.try_into().unwrap(), USUAL);
        shift.interval.unwrap().contains(0.3)
    });
    expect_share("Hodges-Lehmann shift, 50 against 70", held, 0.93..=0.97);
}
