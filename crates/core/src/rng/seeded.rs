//! A seeded generator with independent streams, whose numbers are the same in every release.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What a stream of random numbers decides. Streams of one seed are independent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RngStream {
    /// The order of the scenarios.
    Scenarios,
    /// The start times of a stage, by its position in the profile.
    Arrivals(u32),
    /// Which mode comes first in a paired session.
    FirstMode,
    /// The runs that are judged.
    Judging,
}

/// ChaCha with 8 rounds, which is portable. The same seed gives the same numbers in every release:
/// a plan depends on them, and a journal on its plan.
#[derive(Debug, Clone)]
pub struct SeededRng(ChaCha8Rng);

impl SeededRng {
    /// A generator for tests and simulations.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(crate) fn stream(seed: u64, stream: RngStream) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(match stream {
            RngStream::Scenarios => 0,
            RngStream::Arrivals(stage) => 1 + u64::from(stage),
            RngStream::FirstMode => u64::MAX,
            RngStream::Judging => u64::MAX - 1,
        });
        Self(generator)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1), in steps of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform among the whole numbers below `bound`, which must be above zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Rejects the numbers that would make small remainders more likely.
        let fair = u64::MAX - u64::MAX % bound;
        loop {
            let number = self.next_u64();
            if number < fair {
                return number % bound;
            }
        }
    }

    /// Exponentially distributed with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }

    /// Shuffles a list; every order is equally likely (R. Durstenfeld, Algorithm 235, Communications of
    /// the ACM 7 (1964), 420).
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for left in (2..=list.len()).rev() {
            let other = usize::try_from(self.below(left as u64)).unwrap_or_default();
            list.swap(left - 1, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_independent_and_repeatable() {
        let numbers = |stream| {
            let mut rng = SeededRng::stream(7, stream);
            [rng.below(1000), rng.below(1000), rng.below(1000)]
        };
        assert_eq!(numbers(RngStream::Scenarios), numbers(RngStream::Scenarios));
        assert_ne!(numbers(RngStream::Scenarios), numbers(RngStream::Arrivals(0)));
        assert_ne!(numbers(RngStream::Arrivals(1)), numbers(RngStream::Arrivals(0)));
    }

    #[test]
    fn exponentials_have_mean_one() {
        let mut rng = SeededRng::new(1);
        let mean = (0..100_000).map(|_| rng.exponential()).sum::<f64>() / 1e5;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
    }
}
