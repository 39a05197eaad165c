//! What the simulations share: draws with a known truth, and shares of trials.

use super::super::convert::{count, real};
use super::super::rng::StatsRng;
use super::super::sample::Sample;

/// The standard deviation of the logarithms of latencies in these trials.
pub(super) const SIGMA: f64 = 0.5;

/// A lognormal latency with median 1.
pub(super) fn latency(rng: &mut StatsRng) -> f64 {
    (SIGMA * rng.normal()).exp()
}

/// `n` latencies, `scale` times as long.
pub(super) fn latencies(rng: &mut StatsRng, n: usize, scale: f64) -> Sample {
    let values = (0..n).map(|_| scale * latency(rng)).collect();
    Sample::new(values).expect("latencies are finite and there is at least one")
}

/// The share of trials that are true; every trial has its own random stream.
pub(super) fn share(trials: u64, seed: u64, mut trial: impl FnMut(&mut StatsRng) -> bool) -> f64 {
    let held = (0..trials).filter(|&number| trial(&mut StatsRng::new(seed, number))).count();
    real(count(held)) / real(trials)
}

/// The share of trials in which each of several things is true.
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
pub(super) fn expect_share(what: &str, share: f64, expected: std::ops::RangeInclusive<f64>) {
    assert!(expected.contains(&share), "{what}: {share:.4}, expected {expected:?}");
}
