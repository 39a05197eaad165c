//! Seeded noise, for agents that mix it into their track and for trials of voice activity detection.

use std::f32::consts::TAU;

use super::opus::SAMPLE_RATE;
use rushhour_core::rng::SeededRng;
use rushhour_core::units::SoundLevel;

/// A kind of noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// Pink noise: as much energy in each octave, like rooms and ventilation.
    Pink,
    /// Mains hum: 100 Hz and its overtones up to 1.2 kHz.
    Hum,
    /// Somebody types: some six key strokes a second, with pauses between words.
    Keyboard,
}

impl Noise {
    /// `count` samples at 48 kHz, whose root mean square has the level; for [`Self::Keyboard`] that of the loudest
    /// 10 ms, because strokes are mostly silence.
    pub fn samples(self, count: usize, level: SoundLevel, seed: u64) -> Vec<f32> {
        let mut rng = SeededRng::new(seed);
        let mut samples = match self {
            Self::Pink => pink(count, &mut rng),
            Self::Hum => hum(count),
            Self::Keyboard => keyboard(count, &mut rng),
        };
        let mean_square = match self {
            Self::Pink | Self::Hum => mean_square(&samples),
            Self::Keyboard => {
                samples.chunks(SAMPLE_RATE as usize / 100).map(mean_square).fold(0.0, f32::max)
            }
        };
        let gain = 10.0_f32.powf(level.as_dbfs() / 20.0) / mean_square.max(1e-12).sqrt();
        for sample in &mut samples {
            *sample *= gain;
        }
        samples
    }
}

fn mean_square(samples: &[f32]) -> f32 {
    samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32
}

/// Between -1 and 1.
fn white(rng: &mut SeededRng) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "noise needs no more precision")]
    let uniform = rng.uniform() as f32;
    uniform * 2.0 - 1.0
}

/// White noise through three first-order filters (P. Kellet's economy filter, within 0.5 dB of pink).
fn pink(count: usize, rng: &mut SeededRng) -> Vec<f32> {
    let mut states = [0.0_f32; 3];
    let mut next = || {
        let white = white(rng);
        for (state, (decay, gain)) in states.iter_mut().zip([
            (0.997_65, 0.099_046),
            (0.963, 0.296_516_4),
            (0.57, 1.052_691_3),
        ]) {
            *state = decay * *state + gain * white;
        }
        states.iter().sum::<f32>() + white * 0.184_8
    };
    (0..count).map(|_| next()).collect()
}

fn hum(count: usize) -> Vec<f32> {
    let sample = |index: usize| {
        let seconds = index as f32 / SAMPLE_RATE as f32;
        (1_u8..=12)
            .map(|n| (TAU * (100.0 * f32::from(n) * seconds).fract()).sin() / f32::from(n).sqrt())
            .sum()
    };
    (0..count).map(sample).collect()
}

/// Each stroke is a burst of noise that decays within some 10 ms, and a softer one when the key comes up.
fn keyboard(count: usize, rng: &mut SeededRng) -> Vec<f32> {
    let mut samples = vec![0.0; count];
    let mut stroke = |at: usize, gain: f32, rng: &mut SeededRng| {
        let length = SAMPLE_RATE as usize / 50;
        for (index, sample) in samples.iter_mut().skip(at).take(length).enumerate() {
            let decay = (-(index as f32) / (SAMPLE_RATE as f32 * 0.003)).exp();
            *sample += gain * decay * white(rng);
        }
    };
    let millis = |range: std::ops::Range<u64>, rng: &mut SeededRng| {
        let millis = range.start + rng.below(range.end - range.start);
        usize::try_from(millis).expect("less than a second") * SAMPLE_RATE as usize / 1_000
    };
    let mut at = 0;
    while at < count {
        for _ in 0..3 + rng.below(5) {
            let gain = 0.5 + 0.5 * white(rng).abs();
            stroke(at, gain, rng);
            stroke(at + millis(50..90, rng), gain * 0.4, rng);
            at += millis(100..220, rng);
        }
        at += millis(300..900, rng);
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_its_level_and_follows_the_seed() {
        let level = SoundLevel::dbfs(-40);
        for noise in [Noise::Pink, Noise::Hum] {
            let samples = noise.samples(48_000, level, 7);
            let measured = 10.0 * mean_square(&samples).log10();
            assert!((measured + 40.0).abs() < 0.1, "{noise:?}: {measured}");
        }
        assert_eq!(Noise::Pink.samples(500, level, 7), Noise::Pink.samples(500, level, 7));
        assert_ne!(Noise::Pink.samples(500, level, 7), Noise::Pink.samples(500, level, 8));
    }

    #[test]
    fn keys_are_struck_with_silence_between_them() {
        let samples = Noise::Keyboard.samples(480_000, SoundLevel::dbfs(-30), 7);
        let levels: Vec<f32> =
            samples.chunks(480).map(|window| 10.0 * mean_square(window).log10()).collect();
        let loudest = levels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert!((loudest + 30.0).abs() < 0.1, "{loudest}");
        let audible = levels.iter().filter(|level| **level > -47.0).count();
        assert!((40..250).contains(&audible), "{audible} of 1,000 windows");
    }
}
