//! Intervals of rates and of their differences.

use super::super::confidence::Confidence;
use super::super::proportion::{Proportion, newcombe_difference};
use super::super::random::Random;
use super::trials::{expect_share, share};

const USUAL: Confidence = Confidence::PERCENT_95;

fn failures(random: &mut Random, rate: f64, trials: u64) -> Proportion {
    let failed = (0..trials).filter(|_| random.unit() < rate).count();
    Proportion::new(failed as u64, trials).unwrap()
}

#[test]
fn wilson_intervals_hold_the_truth() {
    for (rate, runs) in [(0.02, 500), (0.05, 400), (0.3, 200)] {
        let held = share(3000, 3, |random| {
            failures(random, rate, runs).wilson_interval(USUAL).contains(rate)
        });
        expect_share(&format!("Wilson, {rate} of {runs}"), held, 0.93..=0.97);
    }
}

/// The chance of every count, not a sample of it, averaged over rates: Wilson's interval is right on
/// average, not at every rate.
#[test]
fn wilson_intervals_hold_the_truth_exactly_on_average() {
    let n = 100;
    let coverage = |rate: f64| {
        let (mut chance, mut held) = ((1.0 - rate).powi(n), 0.0);
        for count in 0..=n {
            let seen = Proportion::new(u64::from(count.unsigned_abs()), 100).unwrap();
            if seen.wilson_interval(USUAL).contains(rate) {
                held += chance;
            }
            chance *= f64::from(n - count) / f64::from(count + 1) * rate / (1.0 - rate);
        }
        held
    };
    let mean = (1..200).map(|step| coverage(f64::from(step) / 200.0)).sum::<f64>() / 199.0;
    expect_share("Wilson, exactly, over all rates, of 100", mean, 0.945..=0.96);
}

#[test]
fn differences_of_rates_hold_the_truth_and_raise_few_alarms() {
    let held = share(3000, 4, |random| {
        let (from, to) = (failures(random, 0.02, 400), failures(random, 0.06, 300));
        newcombe_difference(from, to, USUAL).interval.contains(0.04)
    });
    expect_share("Newcombe, 2 % against 6 %", held, 0.93..=0.97);
    let alarms = share(3000, 5, |random| {
        let (from, to) = (failures(random, 0.05, 300), failures(random, 0.05, 300));
        !newcombe_difference(from, to, USUAL).interval.contains(0.0)
    });
    expect_share("Newcombe, false alarms", alarms, 0.0..=0.06);
}
