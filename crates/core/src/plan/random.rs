//! Seeded randomness: independent streams, and numbers drawn from them in a way that no library version changes.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What a stream of random numbers decides; streams of one seed do not depend on each other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
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
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn new(seed: u64, stream: Stream) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(match stream {
            Stream::Deck => 0,
            Stream::Arrivals(stage) => 1 + u64::from(stage),
            Stream::FirstMode => u64::MAX,
            Stream::Judging => u64::MAX - 1,
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
            let mut random = Random::new(7, stream);
            [random.below(1000), random.below(1000), random.below(1000)]
        };
        assert_eq!(draw(Stream::Deck), draw(Stream::Deck));
        assert_ne!(draw(Stream::Deck), draw(Stream::Arrivals(0)));
        assert_ne!(draw(Stream::Arrivals(1)), draw(Stream::Arrivals(0)));
    }

    #[test]
    fn exponentials_have_mean_one() {
        let mut random = Random::new(1, Stream::Deck);
        let mean = (0..100_000).map(|_| random.exponential()).sum::<f64>() / 1e5;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
    }
}
