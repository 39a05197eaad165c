//! Two arms: false alarms where they do not differ, findings where they do.

use super::super::bootstrap::{Arms, Bootstrap, ClusteredSample, PairedSample};
use super::super::confidence::Confidence;
use super::super::p_value::holm;
use super::super::power::{Design, Spread};
use super::super::quantile::Quantile;
use super::super::rng::StatsRng;
use super::super::two_sample::{kolmogorov_smirnov, mann_whitney};
use super::trials::{SIGMA, expect_share, latencies, share, shares};

const USUAL: Confidence = Confidence::PERCENT_95;

/// A plan with a seed of its own: trials that share resamples would err together.
fn plan(rng: &mut StatsRng, resamples: u32) -> Bootstrap {
    Bootstrap::new(rng.index(1 << 40) as u64, resamples, USUAL).unwrap()
}

/// Whether the interval of the ratio at each quantile leaves a value outside.
fn excludes<const N: usize>(
    arms: &Arms<'_>,
    quantiles: [Quantile; N],
    value: f64,
    plan: &Bootstrap,
) -> [bool; N] {
    let found = arms.quantile_ratios(&quantiles, plan);
    std::array::from_fn(|index| !found[index].ratio.unwrap().interval.contains(value))
}

#[test]
fn identical_arms_rarely_raise_an_alarm() {
    for n in [80, 200] {
        let [median, tail] = shares(1000, 10, |rng| {
            let (baseline, candidate) = (latencies(rng, n, 1.0), latencies(rng, n, 1.0));
            let arms = Arms::Independent { baseline: &baseline, candidate: &candidate };
            excludes(&arms, [Quantile::P50, Quantile::P95], 1.0, &plan(rng, 299))
        });
        expect_share(&format!("false alarms, bootstrap ratio, p50, {n}"), median, 0.0..=0.05);
        expect_share(&format!("false alarms, bootstrap ratio, p95, {n}"), tail, 0.0..=0.05);
    }
    let mean = share(400, 10, |rng| {
        let (baseline, candidate) = (latencies(rng, 100, 1.0), latencies(rng, 100, 1.0));
        let arms = Arms::Independent { baseline: &baseline, candidate: &candidate };
        !arms.mean_ratio(&plan(rng, 299)).unwrap().interval.contains(1.0)
    });
    expect_share("false alarms, bootstrap ratio of means, 100", mean, 0.0..=0.06);
}

#[test]
fn a_ratio_that_is_there_lies_in_its_interval() {
    let [median, tail] = shares(1000, 11, |rng| {
        let (baseline, candidate) = (latencies(rng, 150, 1.0), latencies(rng, 250, 1.4));
        let arms = Arms::Independent { baseline: &baseline, candidate: &candidate };
        excludes(&arms, [Quantile::P50, Quantile::P90], 1.4, &plan(rng, 299)).map(|missed| !missed)
    });
    expect_share("bootstrap ratio holds 1.4, p50", median, 0.93..=0.97);
    expect_share("bootstrap ratio holds 1.4, p90", tail, 0.93..=0.97);
}

#[test]
fn a_family_of_quantiles_raises_no_more_alarms_than_one() {
    let family = [Quantile::P50, Quantile::P75, Quantile::P90, Quantile::P95];
    let [any, adjusted] = shares(600, 12, |rng| {
        let (baseline, candidate) = (latencies(rng, 200, 1.0), latencies(rng, 200, 1.0));
        let arms = Arms::Independent { baseline: &baseline, candidate: &candidate };
        let found = arms.quantile_ratios(&family, &plan(rng, 299));
        let p_values: Vec<_> = found.iter().map(|one| one.ratio.unwrap().p_value).collect();
        let alarm =
            |values: &[_]| values.iter().any(|p: &super::super::PValue| p.is_significant_at(0.05));
        [alarm(&p_values), alarm(&holm(&p_values))]
    });
    expect_share("any alarm among four quantiles, unadjusted", any, 0.06..=0.2);
    expect_share("any alarm among four quantiles, Holm", adjusted, 0.0..=0.05);
}

#[test]
fn a_quarter_more_is_detected_as_often_as_theory_says() {
    let theory = |quantile| {
        let spread = Spread::new(SIGMA).unwrap();
        let design = Design { quantile, runs_per_arm: 200, spread, confidence: USUAL };
        design.power(1.25).unwrap()
    };
    let [median, tail, ranks] = shares(800, 13, |rng| {
        let (baseline, candidate) = (latencies(rng, 200, 1.0), latencies(rng, 200, 1.25));
        let arms = Arms::Independent { baseline: &baseline, candidate: &candidate };
        let [median, tail] = excludes(&arms, [Quantile::P50, Quantile::P95], 1.0, &plan(rng, 299));
        [median, tail, mann_whitney(&baseline, &candidate).p_value.is_significant_at(0.05)]
    });
    expect_share("theory for +25 % at p50", theory(Quantile::P50), 0.94..=0.95);
    expect_share("+25 % found at p50", median, 0.91..=0.97);
    expect_share("theory for +25 % at p95", theory(Quantile::P95), 0.55..=0.57);
    expect_share("+25 % found at p95", tail, 0.47..=0.61);
    expect_share("+25 % found by Mann-Whitney", ranks, 0.97..=1.0);
}

#[test]
fn tests_on_identical_arms_rarely_raise_an_alarm() {
    let [ranks, shape] = shares(2000, 14, |rng| {
        let (baseline, candidate) = (latencies(rng, 60, 1.0), latencies(rng, 80, 1.0));
        [
            mann_whitney(&baseline, &candidate).p_value.is_significant_at(0.05),
            kolmogorov_smirnov(&baseline, &candidate).p_value.is_significant_at(0.05),
        ]
    });
    expect_share("false alarms, Mann-Whitney", ranks, 0.035..=0.06);
    expect_share("false alarms, Kolmogorov-Smirnov", shape, 0.025..=0.06);
}

/// Runs of one minute have a common factor, besides each run's own.
fn clustered_by_minute(rng: &mut StatsRng, minutes: u32, runs: u32) -> Vec<(u32, f64)> {
    let mut all = Vec::new();
    for minute in 0..minutes {
        let factor = 0.3 * rng.normal();
        all.extend((0..runs).map(|_| (minute, (factor + 0.4 * rng.normal()).exp())));
    }
    all
}

#[test]
fn clusters_keep_false_alarms_rare_where_independence_does_not() {
    for (minutes, runs, trials) in [(40, 10, 400), (12, 20, 400)] {
        let [clustered, tail, naive, ranks] = shares(trials, 15, |rng| {
            let (from, to) =
                (clustered_by_minute(rng, minutes, runs), clustered_by_minute(rng, minutes, runs));
            let baseline = ClusteredSample::new(from).unwrap();
            let candidate = ClusteredSample::new(to).unwrap();
            let together = Arms::Clustered { baseline: &baseline, candidate: &candidate };
            let alone =
                Arms::Independent { baseline: baseline.sample(), candidate: candidate.sample() };
            let [median, tail] =
                excludes(&together, [Quantile::P50, Quantile::P90], 1.0, &plan(rng, 199));
            let [naive] = excludes(&alone, [Quantile::P50], 1.0, &plan(rng, 199));
            let ranks = mann_whitney(baseline.sample(), candidate.sample()).p_value;
            [median, tail, naive, ranks.is_significant_at(0.05)]
        });
        let what = |name: &str| format!("false alarms, {minutes} minutes of {runs}, {name}");
        expect_share(&what("clusters, p50"), clustered, 0.0..=0.06);
        expect_share(&what("clusters, p90"), tail, 0.0..=0.06);
        expect_share(&what("taken as independent, p50"), naive, 0.15..=0.6);
        expect_share(&what("Mann-Whitney"), ranks, 0.15..=0.6);
    }
}

/// Scenarios differ far more than arms do: pairing takes that out, and so do strata.
#[test]
fn pairs_and_strata_find_what_independence_hides() {
    let arm = |rng: &mut StatsRng, scenarios: &[f64], scale: f64| -> Vec<(usize, f64)> {
        let runs = scenarios.iter().enumerate().flat_map(|(key, &length)| [(key, length); 5]);
        runs.map(|(key, length)| (key, scale * length * (0.2 * rng.normal()).exp())).collect()
    };
    let trial = |rng: &mut StatsRng, scale: f64| {
        let scenarios: Vec<f64> = (0..30).map(|_| (0.8 * rng.normal()).exp()).collect();
        let (from, to) = (arm(rng, &scenarios, 1.0), arm(rng, &scenarios, scale));
        let paired = PairedSample::new(from.clone(), to.clone()).unwrap();
        let (baseline, candidate) = (
            ClusteredSample::new(from.clone()).unwrap(),
            ClusteredSample::new(to.clone()).unwrap(),
        );
        let [with] = excludes(&Arms::Paired(&paired), [Quantile::P50], 1.0, &plan(rng, 199));
        let apart = Arms::Clustered { baseline: &baseline, candidate: &candidate };
        let [without] = excludes(&apart, [Quantile::P50], 1.0, &plan(rng, 199));
        let [from, to] = [from, to].map(|runs| {
            let each = runs.into_iter().zip(0..).map(|((key, length), run)| (key, run, length));
            ClusteredSample::stratified(each).unwrap()
        });
        let strata = Arms::Clustered { baseline: &from, candidate: &to };
        let [within] = excludes(&strata, [Quantile::P50], 1.0, &plan(rng, 199));
        [with, within, without]
    };
    let [pairs, strata, _] = shares(400, 16, |rng| trial(rng, 1.0));
    expect_share("false alarms, pairs", pairs, 0.0..=0.05);
    expect_share("false alarms, strata", strata, 0.0..=0.05);
    let [pairs, strata, hidden] = shares(300, 17, |rng| trial(rng, 1.25));
    expect_share("+25 % found in pairs", pairs, 0.8..=1.0);
    expect_share("+25 % found in strata", strata, 0.8..=1.0);
    expect_share("+25 % found without either", hidden, 0.0..=0.1);
}

#[test]
fn the_bootstrap_of_a_skewed_mean_is_nearly_honest() {
    let truth = (SIGMA * SIGMA / 2.0).exp();
    let held = share(800, 18, |rng| {
        let sample = latencies(rng, 40, 1.0);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / 40.0;
        plan(rng, 299).interval_of(sample.ascending(), mean).unwrap().interval.contains(truth)
    });
    expect_share("bootstrap mean of 40", held, 0.92..=0.97);
}
