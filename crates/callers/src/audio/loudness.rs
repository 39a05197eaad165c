//! The level of decoded audio, and from what level on it counts as audible.

use std::f32::consts::{PI, TAU};
use std::fmt;

use super::opus::DecodeRate;
use rushhour_core::units::SoundLevel;

/// A level in dBFS: decibels relative to a square wave from -1 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct Level(pub(super) f32);

impl Level {
    /// The level of digital silence, and the lowest.
    pub(super) const SILENCE: Self = Self(-100.0);

    #[must_use]
    pub(super) fn louder_by(self, decibels: f32) -> Self {
        Self(self.0 + decibels)
    }

    /// In whole decibels, for people.
    pub(super) fn rounded(self) -> SoundLevel {
        #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
        SoundLevel::dbfs(self.0.round() as i8)
    }

    fn from_mean_square(mean_square: f32) -> Self {
        Self((10.0 * mean_square.log10()).max(Self::SILENCE.0))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.1} dBFS", self.0))
    }
}

/// Audio above this level counts as audible.
///
/// Speech has an active level between -16 and -30 dBFS, and its quietest sounds are some 20 dB lower. Noise of codecs
/// and converters, and comfort noise, stay below -50 dBFS.
pub(super) const AUDIBLE: Level = Level(-47.0);

/// The cutoff of the high-pass filter, which removes hum; the overtones of speech are above it.
const CUTOFF_HERTZ: f32 = 250.0;

/// What is softer, at -120 dBFS, is taken for zero. A decoder's silence is not zero but some 1e-30, and a filter that it
/// leaves lets it decay to numbers so small that a processor takes twenty times longer for them.
const ALMOST_ZERO: f32 = 1e-6;

/// Windows per second whose level is measured: a sound at the end of a frame counts as much as one that fills it.
const WINDOWS_PER_SECOND: u32 = 100;

/// A sound whose frequency, as a root mean square over its spectrum, is above this is bright. Voiced speech is not: its
/// energy is in the first two formants.
const BRIGHT_HERTZ: f32 = 2_000.0;

/// Ten milliseconds of a signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) level: Level,
    /// Whether most of its energy is above that of voiced speech, as in clicks, hiss and an `s`.
    pub(super) is_bright: bool,
}

/// Measures consecutive pieces of one signal, after a high-pass filter.
#[derive(Debug, Clone)]
pub(super) struct LoudnessMeter {
    window: usize,
    coefficient: f32,
    stages: [HighPass; 2],
    /// From this ratio of the energy of differences between samples to that of samples, a window is bright.
    bright: f32,
    /// The last sample, filtered.
    last: f32,
    /// The windows of the piece that was measured last.
    windows: Vec<Window>,
}

/// A first-order high-pass filter: `y[n] = coefficient * (y[n-1] + x[n] - x[n-1])`.
#[derive(Debug, Clone, Copy, Default)]
struct HighPass {
    input: f32,
    output: f32,
}

impl HighPass {
    fn filter(&mut self, coefficient: f32, input: f32) -> f32 {
        // The parentheses leave one sum and one product that wait for the sample before.
        self.output = coefficient * (self.output + (input - self.input));
        self.input = input;
        self.output
    }
}

impl LoudnessMeter {
    pub(super) fn new(rate: DecodeRate) -> Self {
        let hertz = rate.hertz();
        let coefficient = 1.0 / (1.0 + TAU * CUTOFF_HERTZ / hertz as f32);
        Self {
            window: (hertz / WINDOWS_PER_SECOND) as usize,
            coefficient,
            stages: [HighPass::default(); 2],
            // The differences of a sine of this frequency have so many times its energy.
            bright: (2.0 * (PI * BRIGHT_HERTZ / hertz as f32).sin()).powi(2),
            last: 0.0,
            windows: Vec::new(),
        }
    }

    /// Forgets the signal, as if new.
    pub(super) fn reset(&mut self) {
        self.forget_signal();
        self.windows.clear();
    }

    fn forget_signal(&mut self) {
        self.stages = [HighPass::default(); 2];
        self.last = 0.0;
    }

    /// Whether a window is silent, and nothing is left in the filters of what was before it.
    fn is_over(&self, window: &[f32]) -> bool {
        let is_silent = |sample: f32| sample.abs() < ALMOST_ZERO;
        self.stages.iter().all(|stage| is_silent(stage.output))
            && window.iter().all(|sample| is_silent(*sample))
    }

    /// The level of the loudest 10 ms of the next samples.
    pub(super) fn measure(&mut self, samples: &[f32]) -> Level {
        let mut loudest = 0.0_f32;
        self.windows.clear();
        for window in samples.chunks(self.window) {
            if self.is_over(window) {
                self.forget_signal();
                self.windows.push(Window { level: Level::SILENCE, is_bright: false });
                continue;
            }
            let (mut sum, mut differences) = (0.0, 0.0);
            for &sample in window {
                let [first, second] = &mut self.stages;
                let filtered =
                    second.filter(self.coefficient, first.filter(self.coefficient, sample));
                sum += filtered * filtered;
                differences += (filtered - self.last) * (filtered - self.last);
                self.last = filtered;
            }
            let mean_square = sum / window.len() as f32;
            loudest = loudest.max(mean_square);
            self.windows.push(Window {
                level: Level::from_mean_square(mean_square),
                is_bright: differences > self.bright * sum,
            });
        }
        Level::from_mean_square(loudest)
    }

    /// The windows of what was measured last, in order.
    pub(super) fn windows(&self) -> &[Window] {
        &self.windows
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
    fn a_voice_has_the_level_of_its_samples_and_hum_is_inaudible() {
        for rate in [DecodeRate::Narrowband, DecodeRate::Wideband, DecodeRate::Fullband] {
            // A sine is 3 dB below a square wave.
            let level = LoudnessMeter::new(rate).measure(&sine(2_000.0, 0.1, rate));
            assert!((level.0 + 23.0).abs() < 2.0, "{rate:?}: {level}");
            let hum = LoudnessMeter::new(rate).measure(&sine(50.0, 0.05, rate));
            assert!(hum < AUDIBLE, "{rate:?}: {hum}");
        }
        let silence = LoudnessMeter::new(DecodeRate::Wideband).measure(&[0.0; 320]);
        assert_eq!(silence, Level::SILENCE);
        assert_eq!(silence.to_string(), "-100.0 dBFS");
    }

    #[test]
    fn clicks_and_hiss_are_bright_and_voices_are_not() {
        let rate = DecodeRate::Wideband;
        for (hertz, is_bright) in
            [(300.0, false), (1_500.0, false), (2_500.0, true), (5_000.0, true)]
        {
            let mut meter = LoudnessMeter::new(rate);
            meter.measure(&sine(hertz, 0.1, rate));
            let found: Vec<bool> = meter.windows()[1..].iter().map(|one| one.is_bright).collect();
            assert_eq!(found, vec![is_bright; 19], "{hertz} Hz");
        }
    }

    #[test]
    fn a_sound_that_is_over_leaves_no_numbers_that_are_almost_zero() {
        for rate in [DecodeRate::Narrowband, DecodeRate::Wideband, DecodeRate::Fullband] {
            let mut meter = LoudnessMeter::new(rate);
            meter.measure(&sine(1_000.0, 0.5, rate));
            let silence = vec![1e-30; rate.hertz() as usize];
            meter.measure(&silence);
            assert_eq!(meter.measure(&silence), Level::SILENCE);
            let left = meter.stages.map(|stage| (stage.input, stage.output));
            assert_eq!(left, [(0.0, 0.0); 2], "{rate:?}");
        }
    }

    #[test]
    fn the_loudest_window_counts() {
        let mut samples = vec![0.0; 320];
        samples[160..].copy_from_slice(&sine(2_000.0, 0.1, DecodeRate::Wideband)[..160]);
        let level = LoudnessMeter::new(DecodeRate::Wideband).measure(&samples);
        assert!((level.0 + 23.0).abs() < 1.0, "{level}");
    }
}
