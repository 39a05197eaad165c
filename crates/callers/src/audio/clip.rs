//! Clips: what callers say, as Opus frames of 20 ms.

use std::f32::consts::TAU;
use std::iter::repeat_n;
use std::sync::{Arc, LazyLock};

use super::clip_error::ClipError;
use super::level_meter::LevelMeter;
use super::loudness::AUDIBLE;
use super::opus::{
    DecodeRate, Decoder, Dtx, Encoder, FRAME_DURATION, FRAME_SAMPLES, OpusError, SAMPLE_RATE,
};
use super::{ogg_opus, wav};
use rushhour_core::units::Micros;

/// The longest clip.
pub const MAX_CLIP_DURATION: Micros = Micros::from_secs(60);

/// Frames of silence after a clip in which its end may still be audible, because Opus overlaps frames.
const OVERLAP_FRAMES: usize = 2;

/// The bit rate, which is that of LiveKit's own SDKs for speech.
const BITS_PER_SECOND: u32 = 24_000;

/// How often a synthesized vowel pauses, and for how long, in samples: 5 s and 140 ms.
const BREATH_INTERVAL: usize = 250 * FRAME_SAMPLES;
const BREATH: usize = 7 * FRAME_SAMPLES;

/// A CELT frame, fullband, 20 ms, mono, with only the silence flag (RFC 6716, 3.1 and 4.3).
const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

/// A piece of speech as Opus frames, and which of them are audible. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clip(Arc<Frames>);

#[derive(Debug)]
struct Frames {
    all: Vec<Arc<[u8]>>,
    first_audible: usize,
    last_audible: usize,
}

impl Clip {
    /// Reads a WAV or Ogg Opus file, and encodes it at 24 kbit/s.
    ///
    /// # Errors
    /// If the file is neither, is damaged or truncated, lasts longer than [`MAX_CLIP_DURATION`], or is silent.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClipError> {
        Self::from_samples(&read_samples(bytes)?)
    }

    /// Encodes samples at 48 kHz.
    pub(crate) fn from_samples(samples: &[f32]) -> Result<Self, ClipError> {
        Self::from_frames(encode(samples)?)
    }

    /// Synthesizes a vowel at 160 Hz, audible from the first frame to the last. It lasts `duration`, rounded up to
    /// whole frames, at least one and at most [`MAX_CLIP_DURATION`]; one more frame holds its decay. A long one pauses
    /// for breath every five seconds, shorter than the end of speech: a sound without a gap is noise.
    ///
    /// # Errors
    /// If libopus cannot allocate its state.
    pub fn tone(duration: Micros) -> Result<Self, ClipError> {
        let frames = duration.min(MAX_CLIP_DURATION).0.max(1).div_ceil(FRAME_DURATION.0);
        let count = usize::try_from(frames).expect("a minute has 3,000 frames");
        let mut frames = encode(&vowel(count * FRAME_SAMPLES))?;
        // The codec's delay needs one more frame, which is added below only if it is audible.
        frames.truncate(count);
        Self::from_frames(frames)
    }

    /// Noise that is played over and over beneath or between clips: all of its frames count as audible. A rest that
    /// fills no frame is left out.
    ///
    /// # Errors
    /// If there is no whole frame, or libopus cannot allocate its state.
    pub fn noise(samples: &[f32]) -> Result<Self, ClipError> {
        let count = samples.len() / FRAME_SAMPLES;
        if count == 0 {
            return Err(ClipError::Empty);
        }
        // The second time round, the encoder knows what comes before the first frame.
        let mut all = encode(&samples[..count * FRAME_SAMPLES].repeat(2))?.split_off(count);
        all.truncate(count);
        Ok(Self(Arc::new(Frames { all, first_audible: 0, last_audible: count - 1 })))
    }

    /// The same clip with noise beneath it, which is repeated where it is shorter. The same frames count as audible.
    ///
    /// # Errors
    /// If libopus cannot allocate its state.
    pub fn with_noise(&self, noise: &[f32]) -> Result<Self, ClipError> {
        let mut decoder = Decoder::new(DecodeRate::Fullband)?;
        let (mut mixed, mut samples) = (Vec::new(), Vec::new());
        for frame in self.frames() {
            decoder.decode(frame, &mut samples)?;
            mixed.extend_from_slice(&samples);
        }
        // What is decoded is late by the codec's delay, and would be so once more.
        let delay = Encoder::new(BITS_PER_SECOND, Dtx::Off)?.delay_samples();
        let shift = delay.min(mixed.len());
        mixed.rotate_left(shift);
        for (sample, noise) in mixed.iter_mut().zip(noise.iter().cycle()) {
            *sample += noise;
        }
        let mut all = encode(&mixed)?;
        all.truncate(self.frames().len());
        let Frames { first_audible, last_audible, .. } = *self.0;
        Ok(Self(Arc::new(Frames { all, first_audible, last_audible })))
    }

    fn from_frames(mut all: Vec<Arc<[u8]>>) -> Result<Self, ClipError> {
        let mut meter = LevelMeter::new()?;
        let silence = Self::silence_frame();
        let played = all.iter().chain(repeat_n(&silence, OVERLAP_FRAMES));
        let levels = (0..).zip(played).map(|(index, frame)| meter.measure((0, index), frame));
        let mut audible = levels.enumerate().filter(|(_, l)| *l > AUDIBLE).map(|(index, _)| index);
        let first_audible = audible.next().ok_or(ClipError::Silent)?;
        let last_audible = audible.last().unwrap_or(first_audible);
        // What is still audible in the silence after the clip belongs to the clip.
        let count = all.len().max(last_audible + 1);
        all.resize(count, silence);
        Ok(Self(Arc::new(Frames { all, first_audible, last_audible })))
    }

    /// The frames of 20 ms, in order.
    pub fn frames(&self) -> &[Arc<[u8]>] {
        &self.0.all
    }

    /// The index of the first audible frame.
    pub fn first_audible(&self) -> usize {
        self.0.first_audible
    }

    /// The index of the last audible frame.
    pub fn last_audible(&self) -> usize {
        self.0.last_audible
    }

    /// The duration, with the silence at both ends.
    pub fn duration(&self) -> Micros {
        Micros(FRAME_DURATION.0 * self.0.all.len() as u64)
    }

    /// A frame of 20 ms of silence, in three bytes: what is sent between clips.
    pub fn silence_frame() -> Arc<[u8]> {
        static FRAME: LazyLock<Arc<[u8]>> = LazyLock::new(|| Arc::from(SILENCE.as_slice()));
        Arc::clone(&FRAME)
    }
}

/// The samples of a WAV or Ogg Opus file at 48 kHz, in one channel.
pub(super) fn read_samples(bytes: &[u8]) -> Result<Vec<f32>, ClipError> {
    if bytes.is_empty() {
        Err(ClipError::Empty)
    } else if bytes.starts_with(wav::MAGIC) {
        wav::read(bytes)
    } else if bytes.starts_with(ogg_opus::MAGIC) {
        ogg_opus::read(bytes)
    } else {
        Err(ClipError::UnknownFormat)
    }
}

pub(super) fn check_duration(duration: Micros) -> Result<(), ClipError> {
    if duration > MAX_CLIP_DURATION { Err(ClipError::TooLong { duration }) } else { Ok(()) }
}

/// Encodes all of `samples`, followed by as much silence as the codec's delay.
fn encode(samples: &[f32]) -> Result<Vec<Arc<[u8]>>, OpusError> {
    let mut encoder = Encoder::new(BITS_PER_SECOND, Dtx::Off)?;
    let count = (samples.len() + encoder.delay_samples()).div_ceil(FRAME_SAMPLES);
    let mut bytes = Vec::new();
    let mut frames = Vec::with_capacity(count);
    for index in 0..count {
        let mut frame = [0.0; FRAME_SAMPLES];
        let rest = samples.get(index * FRAME_SAMPLES..).unwrap_or_default();
        let length = rest.len().min(FRAME_SAMPLES);
        frame[..length].copy_from_slice(&rest[..length]);
        bytes.clear();
        encoder.encode(&frame, &mut bytes)?;
        frames.push(Arc::from(bytes.as_slice()));
    }
    Ok(frames)
}

/// `count` samples of harmonics shaped by the formants of an open vowel (730, 1,090 and 2,440 Hz), with a slow tremolo.
fn vowel(count: usize) -> Vec<f32> {
    const FUNDAMENTAL: f32 = 160.0;
    const FORMANTS: [(f32, f32, f32); 3] =
        [(730.0, 130.0, 1.0), (1_090.0, 150.0, 0.6), (2_440.0, 250.0, 0.3)];
    let weights: Vec<f32> = (1_u8..=24)
        .map(|harmonic| {
            let hertz = FUNDAMENTAL * f32::from(harmonic);
            let resonance = |(centre, width, gain): (f32, f32, f32)| {
                gain / (1.0 + ((hertz - centre) / width).powi(2))
            };
            0.05 + FORMANTS.into_iter().map(resonance).sum::<f32>()
        })
        .collect();
    let total: f32 = weights.iter().sum();
    (0..count)
        .map(|index| {
            let seconds = index as f32 / SAMPLE_RATE as f32;
            let sum: f32 = (1_u8..)
                .zip(&weights)
                // Schroeder's phases keep the peaks low.
                .map(|(harmonic, weight)| {
                    let n = f32::from(harmonic);
                    let turns = (FUNDAMENTAL * n * seconds).fract() + n * n / 48.0;
                    weight * (TAU * turns).sin()
                })
                .sum();
            let tremolo = 0.8 + 0.2 * (TAU * 4.0 * seconds).cos();
            let breathes = index % BREATH_INTERVAL >= BREATH_INTERVAL - BREATH
                && count - index > BREATH_INTERVAL / 10;
            if breathes { 0.0 } else { 0.9 * tremolo * sum / total }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::loudness::Level;
    use super::super::noise::Noise;
    use super::super::testing::{
        BOOK, SHIPPED, SMITH, SignalPart, detect, packets, signal, spurts, wav_file,
    };
    use super::super::{VoiceActivity, opus_packet};
    use super::*;
    use rushhour_core::units::SoundLevel;

    fn levels(clip: &Clip) -> Vec<Level> {
        let mut meter = LevelMeter::new().unwrap();
        (0..).zip(clip.frames()).map(|(index, frame)| meter.measure((0, index), frame)).collect()
    }

    #[test]
    fn noise_beneath_a_clip_does_not_move_what_is_audible() {
        let noise = Noise::Pink.samples(96_000, SoundLevel::dbfs(-35), 7);
        let clip = Clip::from_bytes(SMITH).unwrap();
        let noisy = clip.with_noise(&noise).unwrap();
        assert_eq!(noisy.frames().len(), clip.frames().len());
        assert_eq!(
            (noisy.first_audible(), noisy.last_audible()),
            (clip.first_audible(), clip.last_audible())
        );
        let (clean, noisy) = (levels(&clip), levels(&noisy));
        let loudest = (0..clean.len()).max_by(|a, b| clean[*a].0.total_cmp(&clean[*b].0)).unwrap();
        assert!((clean[loudest].0 - noisy[loudest].0).abs() < 2.0, "the speech is still there");
        let (clean, noisy) = (clean[clean.len() - 1], noisy[noisy.len() - 1]);
        assert!(clean < AUDIBLE && noisy > AUDIBLE, "{clean} {noisy}");
        let noise = Clip::noise(&noise).unwrap();
        assert_eq!(noise.frames().len(), 100);
        assert!(matches!(Clip::noise(&[0.0; 959]), Err(ClipError::Empty)));
    }

    #[test]
    fn a_clip_is_frames_of_20_ms_and_knows_which_are_audible() {
        for bytes in [SMITH, BOOK] {
            let clip = Clip::from_bytes(bytes).unwrap();
            let durations: Vec<_> =
                clip.frames().iter().map(|frame| opus_packet::duration(frame)).collect();
            assert!(durations.iter().all(|duration| *duration == Some(FRAME_DURATION)));
            assert!(
                clip.duration() > Micros::from_secs(1) && clip.duration() < Micros::from_secs(6)
            );
            let levels = levels(&clip);
            assert!(
                levels[clip.first_audible()] > AUDIBLE && levels[clip.last_audible()] > AUDIBLE
            );
            assert!(levels[..clip.first_audible()].iter().all(|level| *level <= AUDIBLE));
            assert!(levels[clip.last_audible() + 1..].iter().all(|level| *level <= AUDIBLE));
            assert!(clip.last_audible() + 1 < clip.frames().len(), "a quiet tail");
        }
    }

    #[test]
    fn audible_frames_are_found_at_any_sample_rate() {
        let samples = signal(
            &[SignalPart::Quiet(200), SignalPart::Voice(500), SignalPart::Quiet(300)],
            Level(-70.0),
        );
        for (rate, channels) in [(8_000, 1), (16_000, 2), (44_100, 1), (48_000, 2)] {
            let clip = Clip::from_bytes(&wav_file(&samples, rate, channels)).unwrap();
            assert!(clip.frames().len().abs_diff(51) <= 1, "{rate}");
            assert!(clip.first_audible().abs_diff(10) <= 1, "{rate}: {}", clip.first_audible());
            assert!(clip.last_audible().abs_diff(35) <= 1, "{rate}: {}", clip.last_audible());
        }
    }

    #[test]
    fn a_tone_is_audible_from_end_to_end() {
        for (millis, count) in [(0, 1), (20, 1), (21, 2), (1_000, 50)] {
            let clip = Clip::tone(Micros::from_millis(millis)).unwrap();
            assert_eq!(clip.frames().len(), count + 1);
            assert_eq!((clip.first_audible(), clip.last_audible()), (0, count));
            let levels = &levels(&clip)[..count];
            let quietest = levels.iter().map(|level| level.0).fold(f32::MAX, f32::min);
            let loudest = levels.iter().map(|level| level.0).fold(f32::MIN, f32::max);
            assert!(quietest > AUDIBLE.0 + 10.0 && loudest < -3.0, "{quietest} {loudest}");
        }
        let longest = Clip::tone(Micros::from_secs(1_000)).unwrap().duration();
        assert_eq!(longest, MAX_CLIP_DURATION + FRAME_DURATION);
    }

    #[test]
    fn the_silence_frame_is_silent_for_20_ms() {
        let frame = Clip::silence_frame();
        assert_eq!(opus_packet::duration(&frame), Some(FRAME_DURATION));
        let mut meter = LevelMeter::new().unwrap();
        assert!((0..20).all(|index| meter.measure((0, index), &frame) < Level(-80.0)));
        assert_eq!(meter.decoded_packets(), 20);
    }

    #[test]
    fn voice_activity_detection_agrees_with_the_clip_on_its_audible_frames() {
        let shipped =
            SHIPPED.map(|(name, bytes)| (name.to_owned(), Clip::from_bytes(bytes).unwrap()));
        let tones = [40, 100, 200, 400, 1_000, 1_010].map(|millis| {
            (format!("{millis} ms"), Clip::tone(Micros::from_millis(millis)).unwrap())
        });
        // Files that end while a voice is audible, at several offsets within a frame.
        let cut = (0..20).step_by(3).map(|more| {
            let parts = [SignalPart::Quiet(60), SignalPart::Voice(300 + more)];
            let file = wav_file(&signal(&parts, Level(-70.0)), 48_000, 1);
            (format!("cut at {more} ms"), Clip::from_bytes(&file).unwrap())
        });
        let mut extended = 0;
        for (name, clip) in shipped.into_iter().chain(tones).chain(cut) {
            let silence = vec![Clip::silence_frame().to_vec(); 30];
            let speech: Vec<_> = clip.frames().iter().map(|frame| frame.to_vec()).collect();
            let frames = [silence.clone(), speech, silence].concat();
            let mut activity = VoiceActivity::new(Micros::from_secs(1)).unwrap();
            let detected = spurts(&detect(&mut activity, &packets(&frames, 5)));
            let expected = vec![(30 + clip.first_audible(), 30 + clip.last_audible())];
            assert_eq!(detected, expected, "{name}");
            extended += usize::from(clip.frames().last() == Some(&Clip::silence_frame()));
        }
        assert!(extended > 0, "some clips are still audible in the silence after them");
    }

    #[test]
    fn unusable_files_are_errors_with_the_reason() {
        let error_of = |bytes: &[u8]| Clip::from_bytes(bytes).unwrap_err();
        assert_eq!(error_of(b""), ClipError::Empty);
        assert_eq!(error_of(b"hello, world"), ClipError::UnknownFormat);
        let silent = vec![0.0; 48_000];
        assert_eq!(error_of(&wav_file(&silent, 48_000, 1)), ClipError::Silent);
        let long = vec![0.0; 61 * 48_000];
        let error = error_of(&wav_file(&long, 48_000, 1));
        assert_eq!(error, ClipError::TooLong { duration: Micros::from_secs(61) });
        assert!(error.to_string().contains("longer than 60.0s"), "{error}");
        assert_eq!(error_of(&SMITH[..SMITH.len() / 2]), ClipError::Truncated);
        assert!(error.hint().starts_with("cut it"));
    }

    proptest! {
        // Each case encodes about a second of audio.
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn arbitrary_bytes_are_errors(
            noise in prop::collection::vec(any::<u8>(), 0..400),
            magic in prop::sample::select(vec![&b""[..], b"RIFF", b"OggS", b"RIFF\0\0\0\0WAVEfmt "]),
        ) {
            prop_assert!(Clip::from_bytes(&[magic, noise.as_slice()].concat()).is_err());
        }

        #[test]
        fn damaged_files_never_panic(
            at in 0..SMITH.len(),
            to in any::<u8>(),
            cut in 0..SMITH.len(),
            is_wav in any::<bool>(),
        ) {
            let samples = signal(&[SignalPart::Voice(60)], Level(-70.0));
            let mut bytes = if is_wav { wav_file(&samples, 16_000, 1) } else { SMITH.to_vec() };
            let at = if is_wav { at % 60 } else { at };
            bytes[at] = to;
            let _ = Clip::from_bytes(&bytes);
            bytes.truncate(cut);
            let _ = Clip::from_bytes(&bytes);
        }
    }
}
