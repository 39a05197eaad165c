//! Seeded randomness: independent streams, and numbers drawn from them in a way that no library version changes.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What a stream of random numbers decides; streams of one seed do not depend on each other.
#[derive(Debug, Clone, Copy)]
pub(super) enum RngStream {
    /// Which scenario's turn it is.
    Deck,
    /// When the starts of a stage come, by its position.
    Arrivals(u32),
    /// Which mode begins, where both are run.
    FirstMode,
    /// Which runs are judged.
    Judging,
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(super) struct PlanRng(ChaCha8Rng);

impl PlanRng {
    pub(super) fn new(seed: u64, stream: RngStream) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(match stream {
            RngStream::Deck => 0,
            RngStream::Arrivals(stage) => 1 + u64::from(stage),
            RngStream::FirstMode => u64::MAX,
            RngStream::Judging => u64::MAX - 1,
        });
        Self(generator)
    }

    /// Evenly between 0, included, and 1, excluded, in steps of 2^-53.
    pub(super) fn fraction(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponentially distributed with mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -(1.0 - self.fraction()).ln()
    }

    /// Evenly among 0 up to and without `bound`, which is more than zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // Rejection: the numbers that would favour the small remainders are drawn again.
        let fair = u64::MAX - u64::MAX % bound;
        loop {
            let number = self.0.next_u64();
            if number < fair {
                return number % bound;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_independent_and_repeatable() {
        let draw = |stream| {
            let mut random = PlanRng::new(7, stream);
            [random.below(1000), random.below(1000), random.below(1000)]
        };
        assert_eq!(draw(RngStream::Deck), draw(RngStream::Deck));
        assert_ne!(draw(RngStream::Deck), draw(RngStream::Arrivals(0)));
        assert_ne!(draw(RngStream::Arrivals(1)), draw(RngStream::Arrivals(0)));
    }

    #[test]
    fn exponentials_have_mean_one() {
        let mut random = PlanRng::new(1, RngStream::Deck);
        let mean = (0..100_000).map(|_| random.exponential()).sum::<f64>() / 1e5;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
    }
}
