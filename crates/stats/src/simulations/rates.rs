//! Intervals of rates and of their differences.

use super::super::confidence::Confidence;
use super::super::proportion::{Proportion, newcombe_difference};
use super::super::rng::StatsRng;
use super::super::stratified::{Stratum, stratified_share};
use super::trials::{expect_share, share};

const USUAL: Confidence = Confidence::PERCENT_95;

fn failures(rng: &mut StatsRng, rate: f64, trials: u64) -> Proportion {
    let failed = (0..trials).filter(|_| rng.unit() < rate).count();
    Proportion::new(failed as u64, trials).unwrap()
}

#[test]
fn wilson_intervals_hold_the_truth() {
    for (rate, runs) in [(0.02, 500), (0.05, 400), (0.3, 200)] {
        let held =
            share(3000, 3, |rng| failures(rng, rate, runs).wilson_interval(USUAL).contains(rate));
        expect_share(&format!("Wilson, {rate} of {runs}"), held, 0.93..=0.97);
    }
}

/// The exact coverage, averaged over rates: Wilson's interval is right on average, not at every rate.
#[test]
fn wilson_intervals_hold_the_truth_exactly_on_average() {
    let n = 100;
    let coverage = |rate: f64| {
        let (mut probability, mut covered) = ((1.0 - rate).powi(n), 0.0);
        for count in 0..=n {
            let seen = Proportion::new(u64::from(count.unsigned_abs()), 100).unwrap();
            if seen.wilson_interval(USUAL).contains(rate) {
                covered += probability;
            }
            probability *= f64::from(n - count) / f64::from(count + 1) * rate / (1.0 - rate);
        }
        covered
    };
    let mean = (1..200).map(|step| coverage(f64::from(step) / 200.0)).sum::<f64>() / 199.0;
    expect_share("Wilson, exactly, over all rates, of 100", mean, 0.945..=0.96);
}

#[test]
fn differences_of_rates_hold_the_truth_and_raise_few_alarms() {
    let held = share(3000, 4, |rng| {
        let (from, to) = (failures(rng, 0.02, 400), failures(rng, 0.06, 300));
        newcombe_difference(from, to, USUAL).interval.contains(0.04)
    });
    expect_share("Newcombe, 2 % against 6 %", held, 0.93..=0.97);
    let alarms = share(3000, 5, |rng| {
        let (from, to) = (failures(rng, 0.05, 300), failures(rng, 0.05, 300));
        !newcombe_difference(from, to, USUAL).interval.contains(0.0)
    });
    expect_share("Newcombe, false alarms", alarms, 0.0..=0.06);
}

/// The coverage for strata given as `(size, true rate, sample size)`.
fn strata_coverage(seed: u64, strata: &[(u64, f64, u64)]) -> f64 {
    let size: u64 = strata.iter().map(|(size, ..)| size).sum();
    let truth: f64 = strata.iter().map(|(part, rate, _)| *part as f64 / size as f64 * rate).sum();
    share(3000, seed, |rng| {
        let seen: Vec<Stratum> = strata
            .iter()
            .map(|(size, rate, sample)| Stratum {
                size: *size,
                sample: (*sample > 0).then(|| failures(rng, *rate, *sample)),
            })
            .collect();
        stratified_share(&seen, USUAL).expect("there is a sample").interval.contains(truth)
    })
}

/// Over success rates from 50 % to 99 % and samples from 5 % to all, of 400 and of 2000.
#[test]
fn stratified_intervals_hold_the_truth() {
    let rates = [(0.5, 0.3), (0.8, 0.4), (0.9, 0.5), (0.95, 0.85), (0.99, 0.2)];
    for (seed, (passed, failed)) in (10..).zip(rates) {
        for size in [400_u64, 2000] {
            for percent in [5, 10, 25, 50, 100] {
                let few = size / 10;
                let many = size - few;
                let held = strata_coverage(
                    seed,
                    &[(many, passed, many * percent / 100), (few, failed, few)],
                );
                let what = format!("{passed} and {failed}, {percent} % of {size}");
                expect_share(&what, held, 0.93..=0.975);
            }
        }
    }
}

/// Where a small sample almost certainly has no failure, the coverage is lower, down to 92 %; where a stratum has no
/// sample, it is nearly 100 %.
#[test]
fn stratified_intervals_at_their_worst() {
    let few = strata_coverage(20, &[(280, 0.99, 14), (120, 0.9, 120)]);
    expect_share("14 at 99 %", few, 0.90..=0.94);
    let unsampled = strata_coverage(21, &[(360, 0.9, 36), (40, 0.5, 0)]);
    expect_share("a tenth without a sample", unsampled, 0.97..=1.0);
}
