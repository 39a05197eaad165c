//! Random numbers without a state: a pure function of a seed and a key.

use std::f64::consts::TAU;

use sha2::{Digest, Sha256};

/// A source of random numbers for questions about things. It has no state, so the order of the questions
/// cannot matter.
#[derive(Debug, Clone, Copy)]
pub struct KeyedRng {
    seed: u64,
}

impl KeyedRng {
    /// A source that depends on `seed` alone.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The random value for one question (`what`) about one thing (`key`): always the same.
    pub fn draw(self, what: &str, key: &str) -> KeyedDraw {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(what.as_bytes());
        // Names contain no zero byte, so different questions never hash the same bytes.
        hash.update([0]);
        hash.update(key.as_bytes());
        KeyedDraw(hash.finalize().into())
    }
}

/// 256 random bits.
#[derive(Debug, Clone, Copy)]
pub struct KeyedDraw([u8; 32]);

impl KeyedDraw {
    /// A number in [0, 1), uniform.
    pub fn uniform(self) -> f64 {
        self.fraction::<0>()
    }

    /// A number from the standard normal distribution (G. E. P. Box and M. E. Muller, 1958).
    pub fn normal(self) -> f64 {
        // The logarithm needs a number above zero.
        let radius = (-2.0 * (1.0 - self.fraction::<1>()).ln()).sqrt();
        radius * (TAU * self.fraction::<2>()).cos()
    }

    /// 64 bits, to seed a generator with.
    pub fn bits(self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[24..]);
        u64::from_le_bytes(bytes)
    }

    /// Twelve letters and digits, like LiveKit's ids.
    pub fn alphanumeric(self) -> String {
        const ALPHABET: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        self.0[..12].iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % 62])).collect()
    }

    /// The eight bytes from `8 * AT` as a number in [0, 1).
    fn fraction<const AT: usize>(self) -> f64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[AT * 8..AT * 8 + 8]);
        // A double has a significand of 53 bits.
        (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_is_the_same_in_every_release() {
        let draw = KeyedRng::new(7).draw("fate", "room-1");
        assert_eq!(draw.uniform().to_bits(), 4_601_768_844_724_658_028);
        assert_eq!(draw.normal().to_bits(), 13_825_857_776_064_427_915);
        assert_eq!(draw.alphanumeric(), "r6BXDMR1hJEl");
    }

    #[test]
    fn a_draw_depends_on_seed_question_and_key() {
        let number = |seed, what, key| KeyedRng::new(seed).draw(what, key).uniform();
        for (seed, what, key) in
            [(8, "fate", "room-1"), (7, "queue", "room-1"), (7, "fate", "room-2"), (7, "f", "ate")]
        {
            assert!((number(7, "fate", "room-1") - number(seed, what, key)).abs() > 1e-9);
        }
    }

    #[test]
    fn uniforms_are_uniform_and_normals_are_standard_normal() {
        let rng = KeyedRng::new(1);
        let draws: Vec<KeyedDraw> = (0..20_000).map(|n| rng.draw("t", &n.to_string())).collect();
        let mean = |values: &dyn Fn(&KeyedDraw) -> f64| {
            draws.iter().map(values).sum::<f64>() / draws.len() as f64
        };
        // Five standard errors: 1/sqrt(12 n), 1/sqrt(n) and sqrt(2/n).
        assert!((mean(&|d| d.uniform()) - 0.5).abs() < 0.011);
        assert!(mean(&|d| d.normal()).abs() < 0.036);
        assert!((mean(&|d| d.normal().powi(2)) - 1.0).abs() < 0.05);
        assert!(draws.iter().all(|d| (0.0..1.0).contains(&d.uniform())));
    }
}
