//! Clips as they sound from a bad telephone or a loud room: in a narrow band, at a level, with noise beneath.

use std::f32::consts::TAU;
use std::io::Cursor;

use hound::{SampleFormat, WavSpec, WavWriter};

use super::clip::{Clip, read_samples};
use super::clip_error::ClipError;
use super::noise::Noise;
use super::opus::{FRAME_SAMPLES, SAMPLE_RATE};
use super::resample::resample;
use rushhour_core::profile::{VoiceBand, VoiceConditions};
use rushhour_core::units::SoundLevel;

/// The band of a telephone line (ITU-T G.712), in hertz, and its sample rate.
const TELEPHONE: (f32, f32) = (300.0, 3_400.0);
const TELEPHONE_RATE: u32 = 8_000;

/// The quality factors of the sections of Butterworth filters of the fourth and eighth order.
const FOURTH_ORDER: [f32; 2] = [0.541_196, 1.306_563];
const EIGHTH_ORDER: [f32; 4] = [0.509_796, 0.601_345, 0.899_976, 2.562_916];

/// Parts of a clip that are this much quieter than its loudest 20 ms are pauses, in decibels: the level of speech is that
/// of the rest, as a root mean square.
const PAUSES_BELOW: f32 = 25.0;
/// What a codec delays its sound by, which is known of a clip's frames: 6.5 ms.
const CODEC_DELAY: usize = 312;
/// How long noise between clips is until it repeats.
const BACKGROUND_SECONDS: usize = 5;
/// The loudest that noise is made, in dBFS.
const LOUDEST_NOISE: f32 = -3.0;

/// A clip under conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionedClip {
    /// A WAV file: the speech without silence at its ends, with its noise.
    pub wav: Vec<u8>,
    /// The level of the noise beneath it, in dBFS.
    pub noise: Option<f32>,
}

impl ConditionedClip {
    /// Reads a WAV or Ogg Opus file, and puts it under conditions. The seed decides the noise.
    ///
    /// # Errors
    /// If it cannot be read as a clip, or would be too loud to be sent without being cut.
    pub fn new(bytes: &[u8], conditions: &VoiceConditions, seed: u64) -> Result<Self, ClipError> {
        let mut speech = read_samples(bytes)?;
        in_band(&mut speech, conditions.band);
        if let Some(level) = conditions.level {
            let gain = level.as_dbfs() - speech_level(&speech);
            amplify(&mut speech, gain);
        }
        let peak = speech.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        if peak > 1.0 {
            let over = 20.0 * peak.log10();
            return Err(ClipError::TooLoud { over });
        }
        let mut speech = without_silence_at_its_ends(&speech)?;
        let noise = conditions.snr.map(|snr| speech_level(&speech) - snr.as_db());
        if let Some(level) = noise {
            let noise = noise_at(level, speech.len(), conditions.band, seed);
            for (sample, noise) in speech.iter_mut().zip(noise) {
                *sample += noise;
            }
        }
        Ok(Self { wav: wav_of(&speech, conditions.band)?, noise })
    }
}

/// The noise between clips, as loud as beneath them on average: a WAV file that is repeated. `None` without noise, and
/// where it would be inaudible.
///
/// # Errors
/// If libopus cannot allocate its state.
pub fn background_noise(
    levels: &[f32],
    band: VoiceBand,
    seed: u64,
) -> Result<Option<Vec<u8>>, ClipError> {
    if levels.is_empty() {
        return Ok(None);
    }
    let mean_square =
        levels.iter().map(|level| 10.0_f32.powf(level / 10.0)).sum::<f32>() / levels.len() as f32;
    let level = 10.0 * mean_square.log10();
    let samples = noise_at(level, SAMPLE_RATE as usize * BACKGROUND_SECONDS, band, seed);
    let wav = wav_of(&samples, band)?;
    match Clip::from_bytes(&wav) {
        Ok(_) => Ok(Some(wav)),
        Err(ClipError::Silent) => Ok(None),
        Err(error) => Err(error),
    }
}

fn noise_at(level: f32, count: usize, band: VoiceBand, seed: u64) -> Vec<f32> {
    let mut noise = Noise::Pink.samples(count, SoundLevel::dbfs(-20), seed);
    in_band(&mut noise, band);
    let measured = 10.0 * mean_square(&noise).log10();
    amplify(&mut noise, level.min(LOUDEST_NOISE) - measured);
    noise
}

fn in_band(samples: &mut [f32], band: VoiceBand) {
    if band == VoiceBand::Telephone {
        let (low, high) = TELEPHONE;
        for quality in FOURTH_ORDER {
            Biquad::high_pass(low, quality).run(samples);
        }
        for quality in EIGHTH_ORDER {
            Biquad::low_pass(high, quality).run(samples);
        }
    }
}

fn amplify(samples: &mut [f32], decibels: f32) {
    let gain = 10.0_f32.powf(decibels / 20.0);
    for sample in samples {
        *sample *= gain;
    }
}

fn mean_square(samples: &[f32]) -> f32 {
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32)
        .max(1e-12)
}

/// The level of speech without its pauses, in dBFS.
fn speech_level(samples: &[f32]) -> f32 {
    let frames: Vec<f32> = samples.chunks(FRAME_SAMPLES).map(mean_square).collect();
    let loudest = frames.iter().copied().fold(0.0, f32::max);
    let least = loudest * 10.0_f32.powf(-PAUSES_BELOW / 10.0);
    let spoken: Vec<f32> = frames.into_iter().filter(|frame| *frame >= least).collect();
    10.0 * (spoken.iter().sum::<f32>() / spoken.len().max(1) as f32).max(1e-12).log10()
}

/// With noise beneath, nobody could tell where speech begins and ends, from which latencies are counted.
fn without_silence_at_its_ends(samples: &[f32]) -> Result<Vec<f32>, ClipError> {
    let clip = Clip::from_samples(samples)?;
    let from = (clip.first_audible() * FRAME_SAMPLES).saturating_sub(CODEC_DELAY);
    let to = ((clip.last_audible() + 1) * FRAME_SAMPLES).min(samples.len());
    Ok(samples.get(from..to).unwrap_or(samples).to_vec())
}

fn wav_of(samples: &[f32], band: VoiceBand) -> Result<Vec<u8>, ClipError> {
    let (sample_rate, samples) = match band {
        VoiceBand::Full => (SAMPLE_RATE, samples.to_vec()),
        VoiceBand::Telephone => (TELEPHONE_RATE, resample(samples, SAMPLE_RATE, TELEPHONE_RATE)),
    };
    let spec =
        WavSpec { channels: 1, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut bytes = Cursor::new(Vec::new());
    let write = |bytes: &mut Cursor<Vec<u8>>| -> hound::Result<()> {
        let mut writer = WavWriter::new(bytes, spec)?;
        for sample in samples {
            #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
            let sample = (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16;
            writer.write_sample(sample)?;
        }
        writer.finalize()
    };
    write(&mut bytes).map_err(|error| ClipError::Damaged(error.to_string()))?;
    Ok(bytes.into_inner())
}

/// A filter of the second order (R. Bristow-Johnson, "Audio EQ Cookbook"), in direct form 2 transposed.
struct Biquad {
    forward: [f32; 3],
    backward: [f32; 2],
}

impl Biquad {
    fn low_pass(hertz: f32, quality: f32) -> Self {
        Self::new(hertz, quality, |cosine| [(1.0 - cosine) / 2.0, 1.0 - cosine])
    }

    fn high_pass(hertz: f32, quality: f32) -> Self {
        Self::new(hertz, quality, |cosine| [f32::midpoint(1.0, cosine), -(1.0 + cosine)])
    }

    fn new(hertz: f32, quality: f32, forward: impl Fn(f32) -> [f32; 2]) -> Self {
        let turn = TAU * hertz / SAMPLE_RATE as f32;
        let alpha = turn.sin() / (2.0 * quality);
        let [outer, middle] = forward(turn.cos());
        let scale = 1.0 + alpha;
        Self {
            forward: [outer / scale, middle / scale, outer / scale],
            backward: [-2.0 * turn.cos() / scale, (1.0 - alpha) / scale],
        }
    }

    fn run(&self, samples: &mut [f32]) {
        let ([b0, b1, b2], [a1, a2]) = (self.forward, self.backward);
        let (mut one, mut two) = (0.0, 0.0);
        for sample in samples {
            let input = *sample;
            let output = b0 * input + one;
            one = b1 * input - a1 * output + two;
            two = b2 * input - a2 * output;
            *sample = output;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{BOOK, SMITH, wav_file};
    use super::super::wav;
    use super::*;
    use rushhour_core::units::Decibels;

    const CLEAN: VoiceConditions =
        VoiceConditions { snr: None, band: VoiceBand::Full, level: None };

    fn samples(clip: &ConditionedClip) -> Vec<f32> {
        wav::read(&clip.wav).unwrap()
    }

    fn difference(one: &[f32], other: &[f32]) -> Vec<f32> {
        one.iter().zip(other).map(|(one, other)| one - other).collect()
    }

    #[test]
    fn noise_is_as_far_below_the_speech_as_it_is_asked_to_be() {
        for (decibels, band) in
            [(5, VoiceBand::Full), (20, VoiceBand::Full), (10, VoiceBand::Telephone)]
        {
            let quiet = VoiceConditions { band, ..CLEAN };
            let noisy = VoiceConditions { snr: Some(Decibels::whole(decibels)), ..quiet };
            for bytes in [SMITH, BOOK] {
                let clean = samples(&ConditionedClip::new(bytes, &quiet, 7).unwrap());
                let clip = ConditionedClip::new(bytes, &noisy, 7).unwrap();
                let noise = difference(&samples(&clip), &clean);
                let noise_level = 10.0 * mean_square(&noise).log10();
                let snr = speech_level(&clean) - noise_level;
                assert!((snr - f32::from(decibels)).abs() < 0.3, "{snr} of {decibels} dB");
                assert!((clip.noise.unwrap() - noise_level).abs() < 0.3, "{clip:?}");
            }
        }
        let noisy = VoiceConditions { snr: Some(Decibels::whole(10)), ..CLEAN };
        let with = |seed| ConditionedClip::new(SMITH, &noisy, seed).unwrap().wav;
        assert_eq!(with(7), with(7));
        assert_ne!(with(7), with(8));
    }

    #[test]
    fn speech_has_the_level_it_is_asked_to_have_or_is_refused() {
        for level in [-40, -26, -20] {
            let conditions = VoiceConditions { level: Some(SoundLevel::dbfs(level)), ..CLEAN };
            let clip = ConditionedClip::new(SMITH, &conditions, 7).unwrap();
            let measured = speech_level(&samples(&clip));
            assert!((measured - f32::from(level)).abs() < 0.3, "{measured} of {level}");
        }
        let conditions = VoiceConditions { level: Some(SoundLevel::dbfs(0)), ..CLEAN };
        let error = ConditionedClip::new(SMITH, &conditions, 7).unwrap_err();
        assert!(matches!(error, ClipError::TooLoud { over } if over > 3.0), "{error}");
    }

    /// The gain of the band at a frequency, in decibels, by what a sine has before and after.
    fn gain_at(hertz: f32) -> f32 {
        let sine: Vec<f32> = (0..48_000)
            .map(|index| 0.3 * (TAU * (hertz * index as f32 / 48_000.0).fract()).sin())
            .collect();
        let file = wav_file(&sine, 48_000, 1);
        let telephone = VoiceConditions { band: VoiceBand::Telephone, ..CLEAN };
        let mut filtered = wav::read(&file).unwrap();
        in_band(&mut filtered, telephone.band);
        let filtered = wav::read(&wav_of(&filtered, telephone.band).unwrap()).unwrap();
        // Without the beginning, in which the filter settles.
        let level = |samples: &[f32]| 10.0 * mean_square(&samples[9_600..40_000]).log10();
        level(&filtered) - level(&sine)
    }

    #[test]
    fn a_telephone_passes_300_to_3400_hertz() {
        for (hertz, least, most) in [
            (100.0, -200.0, -35.0),
            (150.0, -200.0, -20.0),
            (300.0, -4.0, -2.0),
            (500.0, -0.5, 0.5),
            (1_000.0, -0.2, 0.2),
            (2_500.0, -0.7, 0.3),
            (3_400.0, -4.0, -2.0),
            (5_000.0, -200.0, -25.0),
            (8_000.0, -200.0, -50.0),
        ] {
            let gain = gain_at(hertz);
            assert!((least..=most).contains(&gain), "{gain} dB at {hertz} Hz");
        }
    }

    #[test]
    fn a_noisy_clip_begins_and_ends_with_its_speech() {
        let clean = Clip::from_bytes(SMITH).unwrap();
        let speech = clean.last_audible() - clean.first_audible();
        for band in [VoiceBand::Full, VoiceBand::Telephone] {
            let snr = Some(Decibels::whole(5));
            let noisy = VoiceConditions { snr, band, ..CLEAN };
            let clip = ConditionedClip::new(SMITH, &noisy, 7).unwrap();
            let clip = Clip::from_bytes(&clip.wav).unwrap();
            assert!(clip.first_audible() <= 1, "{}", clip.first_audible());
            let found = clip.last_audible() - clip.first_audible();
            assert!(found.abs_diff(speech) <= 2, "{found} and {speech}");
        }
    }

    #[test]
    fn noise_goes_on_between_clips_unless_nobody_hears_it() {
        let noise = |levels: &[f32]| background_noise(levels, VoiceBand::Full, 7).unwrap();
        assert_eq!(noise(&[]), None);
        assert_eq!(noise(&[-70.0]), None);
        let wav = noise(&[-40.0, -30.0]).unwrap();
        let level = 10.0 * mean_square(&wav::read(&wav).unwrap()).log10();
        assert!((level + 32.6).abs() < 0.3, "{level}");
    }
}
