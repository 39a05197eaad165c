//! A seeded random number generator that gives the same numbers on every platform.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::convert::real;

/// `ChaCha` with 8 rounds: portable, and independent streams for one seed.
///
/// Only exact operations are applied to it (integers, the four arithmetic operations and the square root, which
/// IEEE 754 rounds correctly), so that draws do not depend on a platform's logarithm.
#[derive(Debug, Clone)]
pub(super) struct StatsRng(ChaCha8Rng);

impl StatsRng {
    /// The numbered stream of a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self(generator)
    }

    /// A uniform index below `length`, which is at least 1 (D. Lemire, 2019: multiply and reject).
    pub(super) fn index(&mut self, length: usize) -> usize {
        let bound = length.max(1) as u64;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(bound);
            let (whole, low) = (product >> 64, product & u128::from(u64::MAX));
            // The remainder is expensive, and only needed where the low half is below the bound.
            let fair = low >= u128::from(bound) || low >= (1_u128 << 64) % u128::from(bound);
            if fair {
                return usize::try_from(whole).unwrap_or_default();
            }
        }
    }

    /// A uniform number inside (0, 1), both ends excluded.
    pub(super) fn unit(&mut self) -> f64 {
        const STEPS: f64 = (1_u64 << 52) as f64;
        (real(self.0.next_u64() >> 12) + 0.5) / STEPS
    }

    /// A standard normal number (G. Marsaglia's polar method; the second of each pair is dropped).
    pub(super) fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 && square > 0.0 {
                return x * (-2.0 * logarithm(square) / square).sqrt();
            }
        }
    }

    /// A gamma number with scale 1; `shape` is at least 1 (G. Marsaglia and W. W. Tsang, ACM
    /// Transactions on Mathematical Software 26 (2000), 363-372).
    pub(super) fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape.max(1.0) - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let base = 1.0 + c * x;
            if base <= 0.0 {
                continue;
            }
            let v = base * base * base;
            if logarithm(self.unit()) < 0.5 * x * x + d - d * v + d * logarithm(v) {
                return d * v;
            }
        }
    }
}

/// The natural logarithm of a positive normal number by arithmetic alone: with the number split
/// into `m 2^e` and `s = (m - 1) / (m + 1)`, it is `e ln 2 + 2 (s + s^3 / 3 + s^5 / 5 + ...)`.
fn logarithm(value: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    const ONE: u64 = 1.0_f64.to_bits();
    const TERMS: i32 = 12;
    let bits = value.to_bits();
    let mut mantissa = f64::from_bits(bits & MANTISSA | ONE);
    let mut exponent = real(bits >> 52) - 1023.0;
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1.0;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series =
        (0..TERMS).rev().fold(0.0, |sum, term| sum * square + 1.0 / f64::from(2 * term + 1));
    exponent * std::f64::consts::LN_2 + 2.0 * s * series
}

#[cfg(test)]
mod tests {
    use super::super::convert::count;
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_draws() {
        let mut rng = StatsRng::new(7, 1);
        let indices: Vec<usize> = (0..8).map(|_| rng.index(1000)).collect();
        assert_eq!(indices, [992, 9, 721, 528, 58, 595, 521, 689]);
        let drawn = [rng.unit(), rng.normal(), rng.gamma(2.5)].map(f64::to_bits);
        assert_eq!(
            drawn,
            [4_607_052_262_784_780_205, 4_603_254_330_731_271_041, 4_614_426_803_349_217_848]
        );
        assert_ne!(StatsRng::new(7, 2).index(1 << 40), StatsRng::new(7, 1).index(1 << 40));
    }

    #[test]
    fn the_logarithm_agrees_with_std() {
        for value in [1e-300, 0.1, 0.7, 1.0, 1.0 + f64::EPSILON, 1.5, 2.0, 1e17, 1e300] {
            let (own, std) = (logarithm(value), f64::ln(value));
            assert!((own - std).abs() <= 4.0 * f64::EPSILON * std.abs(), "{value}: {own} {std}");
        }
    }

    #[test]
    fn indices_are_uniform() {
        let mut rng = StatsRng::new(1, 0);
        let mut seen = [0_u32; 7];
        for _ in 0..70_000 {
            seen[rng.index(7)] += 1;
        }
        // Chi-square with 6 degrees of freedom exceeds 22.5 once in 1,000 seeds.
        let chi: f64 = seen.iter().map(|&n| (f64::from(n) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 22.5, "{chi}: {seen:?}");
        assert_eq!(rng.index(1), 0);
        assert_eq!(rng.index(0), 0);
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut rng = StatsRng::new(2, 0);
        let n = 40_000;
        let mut moments = |draw: &mut dyn FnMut(&mut StatsRng) -> f64| {
            let values: Vec<f64> = (0..n).map(|_| draw(&mut rng)).collect();
            let mean = values.iter().sum::<f64>() / real(count(n));
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            (mean, variance / real(count(n)))
        };
        let within = |found: (f64, f64), mean: f64, variance: f64| {
            (found.0 - mean).abs() < 5.0 * (variance / 4e4).sqrt()
                && (found.1 / variance - 1.0).abs() < 0.08
        };
        assert!(within(moments(&mut StatsRng::unit), 0.5, 1.0 / 12.0));
        assert!(within(moments(&mut StatsRng::normal), 0.0, 1.0));
        for shape in [1.0, 2.0, 50.0, 1e6] {
            let found = moments(&mut |rng| rng.gamma(shape));
            assert!(within(found, shape, shape), "{shape}: {found:?}");
        }
    }
}
