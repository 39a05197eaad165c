//! What the simulations share: draws with a known truth, and shares of trials.

use super::super::convert::{count, real};
use super::super::rng::StatsRng;
use super::super::sample::Sample;

/// The standard deviation of the logarithms of latencies in these trials.
pub(super) const SIGMA: f64 = 0.5;

/// A lognormal latency with median 1.
pub(super) fn latency(random: &mut StatsRng) -> f64 {
    (SIGMA * random.normal()).exp()
}

/// So many latencies, `scale` times as long.
pub(super) fn latencies(random: &mut StatsRng, n: usize, scale: f64) -> Sample {
    let values = (0..n).map(|_| scale * latency(random)).collect();
    Sample::new(values).expect("latencies are finite and there is at least one")
}

/// The share of trials that come out true; every trial has a stream of its own.
pub(super) fn share(trials: u64, seed: u64, mut trial: impl FnMut(&mut StatsRng) -> bool) -> f64 {
    let held = (0..trials).filter(|&number| trial(&mut StatsRng::new(seed, number))).count();
    real(count(held)) / real(trials)
}

/// The share of trials in which each of several things comes out true.
pub(super) fn shares<const N: usize>(
    trials: u64,
    seed: u64,
    mut trial: impl FnMut(&mut StatsRng) -> [bool; N],
) -> [f64; N] {
    let mut held = [0_u64; N];
    for number in 0..trials {
        let outcomes = trial(&mut StatsRng::new(seed, number));
        for (held, outcome) in held.iter_mut().zip(outcomes) {
            *held += u64::from(outcome);
        }
    }
    held.map(|held| real(held) / real(trials))
}

/// Fails unless a share lies in a range.
#[track_caller]
pub(super) fn expect_share(what: &str, share: f64, wanted: std::ops::RangeInclusive<f64>) {
    assert!(wanted.contains(&share), "{what}: {share:.4}, wanted {wanted:?}");
}
