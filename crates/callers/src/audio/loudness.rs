//! How loud a stretch of sound is, and from where on it counts as heard.

use std::f32::consts::TAU;
use std::fmt;

use super::opus::DecodeRate;

/// A level in decibels relative to full scale, where a square wave from -1 to 1 has 0.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Level(pub f32);

impl Level {
    /// The level of no sound at all, and the least there is.
    pub const SILENCE: Self = Self(-100.0);

    /// This many decibels more, or less.
    #[must_use]
    pub fn louder_by(self, decibels: f32) -> Self {
        Self(self.0 + decibels)
    }

    fn of_mean_square(mean_square: f32) -> Self {
        Self((10.0 * mean_square.log10()).max(Self::SILENCE.0))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.1} dBFS", self.0))
    }
}

/// What is louder than this is heard.
///
/// Speech that is sent to people has its active level between -16 and -30 dBFS, its quietest sounds some
/// 20 dB below it; codecs, converters and the comfort noise that stands for a quiet line stay below -50.
pub const AUDIBLE: Level = Level(-47.0);

/// Hum lives below this frequency, where speech has little that its overtones do not have too.
const LOWEST_HERTZ: f32 = 250.0;

/// How many parts of a second are weighed one by one: a sound that fills the end of a frame is as loud as one that fills all of it.
const PARTS_A_SECOND: u32 = 100;

/// Measures frames of one sound, one after the other, with what lies below 250 Hz taken away.
#[derive(Debug, Clone)]
pub(super) struct LoudnessFilter {
    part: usize,
    keep: f32,
    stages: [HighPass; 2],
}

/// A high-pass filter of the first order: `y[n] = keep * (y[n-1] + x[n] - x[n-1])`.
#[derive(Debug, Clone, Copy, Default)]
struct HighPass {
    input: f32,
    output: f32,
}

impl HighPass {
    fn pass(&mut self, keep: f32, input: f32) -> f32 {
        self.output = keep * (self.output + input - self.input);
        self.input = input;
        self.output
    }
}

impl LoudnessFilter {
    pub(super) fn new(rate: DecodeRate) -> Self {
        let hertz = rate.hertz();
        let keep = 1.0 / (1.0 + TAU * LOWEST_HERTZ / hertz as f32);
        Self { part: (hertz / PARTS_A_SECOND) as usize, keep, stages: [HighPass::default(); 2] }
    }

    /// The level of the loudest 10 ms of the sound's next stretch.
    pub(super) fn measure(&mut self, samples: &[f32]) -> Level {
        let mut loudest = 0.0_f32;
        for part in samples.chunks(self.part) {
            let mut sum = 0.0;
            for &sample in part {
                let [first, second] = &mut self.stages;
                let passed = second.pass(self.keep, first.pass(self.keep, sample));
                sum += passed * passed;
            }
            loudest = loudest.max(sum / part.len() as f32);
        }
        Level::of_mean_square(loudest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hertz: f32, amplitude: f32, rate: DecodeRate) -> Vec<f32> {
        let count = rate.hertz() / 5;
        (0..count)
            .map(|n| amplitude * (TAU * hertz * n as f32 / rate.hertz() as f32).sin())
            .collect()
    }

    #[test]
    fn a_voices_level_is_that_of_its_samples_and_hum_is_none() {
        for rate in [DecodeRate::Narrow, DecodeRate::Wide, DecodeRate::Full] {
            // A sine is 3 dB below a square wave.
            let level = LoudnessFilter::new(rate).measure(&sine(2_000.0, 0.1, rate));
            assert!((level.0 + 23.0).abs() < 2.0, "{rate:?}: {level}");
            let hum = LoudnessFilter::new(rate).measure(&sine(50.0, 0.05, rate));
            assert!(hum < AUDIBLE, "{rate:?}: {hum}");
        }
        let silence = LoudnessFilter::new(DecodeRate::Wide).measure(&[0.0; 320]);
        assert_eq!(silence, Level::SILENCE);
        assert_eq!(silence.to_string(), "-100.0 dBFS");
    }

    #[test]
    fn the_loudest_part_counts() {
        let mut samples = vec![0.0; 320];
        samples[160..].copy_from_slice(&sine(2_000.0, 0.1, DecodeRate::Wide)[..160]);
        let level = LoudnessFilter::new(DecodeRate::Wide).measure(&samples);
        assert!((level.0 + 23.0).abs() < 1.0, "{level}");
    }
}
