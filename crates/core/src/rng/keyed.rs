//! Seeded draws: what happens to a thing is a pure function of the seed and of the names that it carries.

use std::f64::consts::TAU;

use sha2::{Digest, Sha256};

/// Where all randomness comes from. It holds no state, so the order in which things are asked cannot matter.
#[derive(Debug, Clone, Copy)]
pub struct KeyedRng {
    seed: u64,
}

impl KeyedRng {
    /// Chance that depends on `seed` alone.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The draw for one question (`what`) about one thing (`key`): always the same one.
    pub fn draw(self, what: &str, key: &str) -> KeyedDraw {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(what.as_bytes());
        // No name holds a zero byte, so that two questions never run together.
        hash.update([0]);
        hash.update(key.as_bytes());
        KeyedDraw(hash.finalize().into())
    }
}

/// One drawn value, read as a number or as letters.
#[derive(Debug, Clone, Copy)]
pub struct KeyedDraw([u8; 32]);

impl KeyedDraw {
    /// A number from 0 to below 1, uniform.
    pub fn unit(self) -> f64 {
        self.word::<0>()
    }

    /// A number from the standard normal distribution (Box and Muller, 1958).
    pub fn normal(self) -> f64 {
        // The logarithm needs more than zero.
        let radius = (-2.0 * (1.0 - self.word::<1>()).ln()).sqrt();
        radius * (TAU * self.word::<2>()).cos()
    }

    /// Twelve letters and digits, the form of LiveKit's ids.
    pub fn letters(self) -> String {
        const ALPHABET: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        self.0[..12].iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % 62])).collect()
    }

    fn word<const AT: usize>(self) -> f64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[AT * 8..AT * 8 + 8]);
        // 53 bits fill the fraction of a double.
        (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_seed_question_and_key_and_on_nothing_else() {
        let unit = |seed, what, key| KeyedRng::new(seed).draw(what, key).unit();
        assert!((unit(7, "fate", "room-1") - unit(7, "fate", "room-1")).abs() < f64::EPSILON);
        for (seed, what, key) in
            [(8, "fate", "room-1"), (7, "queue", "room-1"), (7, "fate", "room-2"), (7, "f", "ate")]
        {
            assert!((unit(7, "fate", "room-1") - unit(seed, what, key)).abs() > 1e-9);
        }
    }

    #[test]
    fn units_are_uniform_and_normals_are_standard() {
        let chance = KeyedRng::new(1);
        let draws: Vec<KeyedDraw> = (0..20_000).map(|n| chance.draw("t", &n.to_string())).collect();
        let mean = |values: &dyn Fn(&KeyedDraw) -> f64| {
            draws.iter().map(values).sum::<f64>() / draws.len() as f64
        };
        // Five standard errors: 1/sqrt(12 n), 1/sqrt(n) and sqrt(2/n).
        assert!((mean(&|d| d.unit()) - 0.5).abs() < 0.011);
        assert!(mean(&|d| d.normal()).abs() < 0.036);
        assert!((mean(&|d| d.normal().powi(2)) - 1.0).abs() < 0.05);
        assert!(draws.iter().all(|d| (0.0..1.0).contains(&d.unit())));
    }
}
