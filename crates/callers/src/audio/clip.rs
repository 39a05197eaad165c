//! Clips: what callers say, as Opus frames of 20 ms that are ready to be sent.

use std::f32::consts::TAU;
use std::iter::repeat_n;
use std::sync::{Arc, LazyLock};

use super::clip_error::ClipError;
use super::level_meter::LevelMeter;
use super::loudness::AUDIBLE;
use super::opus::{Dtx, Encoder, FRAME_LENGTH, FRAME_SAMPLES, OpusError, SAMPLE_RATE};
use super::{ogg_opus, wav};
use rushhour_core::units::Micros;

/// The longest that a clip may last.
pub const LONGEST_CLIP: Micros = Micros::from_secs(60);

/// So many frames of silence may still sound of what came before: each is blended with the one before it.
const OVERLAP_FRAMES: usize = 2;

/// What speech in full is sent with; LiveKit's own clients take as much for a voice.
const BITS_PER_SECOND: u32 = 24_000;

/// A frame of CELT, full band, 20 ms, mono, whose only word is that it is silent (RFC 6716, 3.1 and 4.3).
const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

/// What a caller says in one breath; cheap to clone.
#[derive(Debug, Clone)]
pub struct Clip(Arc<Frames>);

#[derive(Debug)]
struct Frames {
    all: Vec<Arc<[u8]>>,
    first_audible: usize,
    last_audible: usize,
}

impl Clip {
    /// A clip from the bytes of a WAV or an Ogg Opus file, encoded anew at 24 kbit/s.
    ///
    /// # Errors
    /// Where the bytes are neither, are damaged or cut off, last longer than [`LONGEST_CLIP`], or hold no sound.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClipError> {
        if bytes.is_empty() {
            return Err(ClipError::Empty);
        }
        let samples = if bytes.starts_with(wav::MAGIC) {
            wav::read(bytes)?
        } else if bytes.starts_with(ogg_opus::MAGIC) {
            ogg_opus::read(bytes)?
        } else {
            return Err(ClipError::UnknownFormat);
        };
        Self::of_frames(encode(&samples)?)
    }

    /// A sound like a held vowel, made of harmonics of 160 Hz. It is audible from its first to its last frame and lasts
    /// `length` rounded up to whole frames, at least one and at most [`LONGEST_CLIP`], and dies away in one more.
    ///
    /// # Errors
    /// Where libopus finds no memory.
    pub fn tone(length: Micros) -> Result<Self, ClipError> {
        let length = length.min(LONGEST_CLIP).0.max(1).div_ceil(FRAME_LENGTH.0);
        let count = usize::try_from(length).expect("a minute has 3,000 frames");
        let mut frames = encode(&vowel(count * FRAME_SAMPLES))?;
        // The codec's delay spills into one more.
        frames.truncate(count);
        Self::of_frames(frames)
    }

    fn of_frames(mut all: Vec<Arc<[u8]>>) -> Result<Self, ClipError> {
        let mut listener = LevelMeter::new()?;
        let silence = Self::silence_frame();
        let played = all.iter().chain(repeat_n(&silence, OVERLAP_FRAMES));
        let levels = (0..).zip(played).map(|(place, frame)| listener.hear((0, place), frame));
        let mut audible = levels.enumerate().filter(|(_, l)| *l > AUDIBLE).map(|(index, _)| index);
        let first_audible = audible.next().ok_or(ClipError::NoSound)?;
        let last_audible = audible.last().unwrap_or(first_audible);
        // What the decoder carries over into the silence that follows is part of what is heard.
        let length = all.len().max(last_audible + 1);
        all.resize(length, silence);
        Ok(Self(Arc::new(Frames { all, first_audible, last_audible })))
    }

    /// Its frames of 20 ms, in order.
    pub fn frames(&self) -> &[Arc<[u8]>] {
        &self.0.all
    }

    /// The index of the first frame that a decoder makes audible sound of.
    pub fn first_audible(&self) -> usize {
        self.0.first_audible
    }

    /// The index of the last frame that a decoder makes audible sound of.
    pub fn last_audible(&self) -> usize {
        self.0.last_audible
    }

    /// How long it lasts, with the silence at its ends.
    pub fn length(&self) -> Micros {
        Micros(FRAME_LENGTH.0 * self.0.all.len() as u64)
    }

    /// A frame of 20 ms of silence, in three bytes: what is sent while nobody speaks.
    pub fn silence_frame() -> Arc<[u8]> {
        static FRAME: LazyLock<Arc<[u8]>> = LazyLock::new(|| Arc::from(SILENCE.as_slice()));
        Arc::clone(&FRAME)
    }
}

/// Refuses what lasts longer than a clip may.
pub(super) fn check_length(length: Micros) -> Result<(), ClipError> {
    if length > LONGEST_CLIP { Err(ClipError::TooLong { length }) } else { Ok(()) }
}

/// Frames that hold all of `samples`, also what the codec's delay puts after the last of them.
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

/// Harmonics under the formants of an open vowel (730, 1,090 and 2,440 Hz), a little louder and softer four times a second.
fn vowel(count: usize) -> Vec<f32> {
    const FUNDAMENTAL: f32 = 160.0;
    const FORMANTS: [(f32, f32, f32); 3] =
        [(730.0, 130.0, 1.0), (1_090.0, 150.0, 0.6), (2_440.0, 250.0, 0.3)];
    let weights: Vec<f32> = (1_u8..=24)
        .map(|harmonic| {
            let hertz = FUNDAMENTAL * f32::from(harmonic);
            let near = |(centre, width, gain): (f32, f32, f32)| {
                gain / (1.0 + ((hertz - centre) / width).powi(2))
            };
            0.05 + FORMANTS.into_iter().map(near).sum::<f32>()
        })
        .collect();
    let whole: f32 = weights.iter().sum();
    (0..count)
        .map(|index| {
            let seconds = index as f32 / SAMPLE_RATE as f32;
            let sum: f32 = (1_u8..)
                .zip(&weights)
                // Phases that differ keep the peaks from piling up (Schroeder).
                .map(|(harmonic, weight)| {
                    let n = f32::from(harmonic);
                    let turns = (FUNDAMENTAL * n * seconds).fract() + n * n / 48.0;
                    weight * (TAU * turns).sin()
                })
                .sum();
            let swell = 0.8 + 0.2 * (TAU * 4.0 * seconds).cos();
            0.9 * swell * sum / whole
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::loudness::Level;
    use super::super::testing::{
        BOOK, SHIPPED, SMITH, SoundPart, hear, packets, sound, spurts, wav_of,
    };
    use super::super::{VoiceActivity, packet};
    use super::*;

    fn levels(clip: &Clip) -> Vec<Level> {
        let mut listener = LevelMeter::new().unwrap();
        (0..).zip(clip.frames()).map(|(place, frame)| listener.hear((0, place), frame)).collect()
    }

    #[test]
    fn a_shipped_clip_is_frames_of_20_ms_that_know_their_sound() {
        for bytes in [SMITH, BOOK] {
            let clip = Clip::from_bytes(bytes).unwrap();
            let lengths: Vec<_> = clip.frames().iter().map(|frame| packet::length(frame)).collect();
            assert!(lengths.iter().all(|length| *length == Some(FRAME_LENGTH)));
            assert!(clip.length() > Micros::from_secs(1) && clip.length() < Micros::from_secs(6));
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
    fn sound_is_found_in_a_file_of_any_rate() {
        let samples = sound(
            &[SoundPart::Quiet(200), SoundPart::Voice(500), SoundPart::Quiet(300)],
            Level(-70.0),
        );
        for (rate, channels) in [(8_000, 1), (16_000, 2), (44_100, 1), (48_000, 2)] {
            let clip = Clip::from_bytes(&wav_of(&samples, rate, channels)).unwrap();
            assert!(clip.frames().len().abs_diff(51) <= 1, "{rate}");
            assert!(clip.first_audible().abs_diff(10) <= 1, "{rate}: {}", clip.first_audible());
            assert!(clip.last_audible().abs_diff(35) <= 1, "{rate}: {}", clip.last_audible());
        }
    }

    #[test]
    fn a_tone_is_well_audible_from_end_to_end() {
        for (millis, count) in [(0, 1), (20, 1), (21, 2), (1_000, 50)] {
            let clip = Clip::tone(Micros::from_millis(millis)).unwrap();
            assert_eq!(clip.frames().len(), count + 1);
            assert_eq!((clip.first_audible(), clip.last_audible()), (0, count));
            let levels = &levels(&clip)[..count];
            let quietest = levels.iter().map(|level| level.0).fold(f32::MAX, f32::min);
            let loudest = levels.iter().map(|level| level.0).fold(f32::MIN, f32::max);
            assert!(quietest > AUDIBLE.0 + 10.0 && loudest < -3.0, "{quietest} {loudest}");
        }
        let longest = Clip::tone(Micros::from_secs(1_000)).unwrap().length();
        assert_eq!(longest, LONGEST_CLIP + FRAME_LENGTH);
    }

    #[test]
    fn the_silence_frame_is_silent_for_20_ms() {
        let frame = Clip::silence_frame();
        assert_eq!(packet::length(&frame), Some(FRAME_LENGTH));
        let mut listener = LevelMeter::new().unwrap();
        assert!((0..20).all(|place| listener.hear((0, place), &frame) < Level(-80.0)));
        assert_eq!(listener.decoded(), 20);
    }

    #[test]
    fn a_listener_hears_a_clip_end_where_the_clip_says() {
        let shipped =
            SHIPPED.map(|(name, bytes)| (name.to_owned(), Clip::from_bytes(bytes).unwrap()));
        let tones = [20, 100, 200, 400, 1_000, 1_010].map(|millis| {
            (format!("{millis} ms"), Clip::tone(Micros::from_millis(millis)).unwrap())
        });
        // A file that ends in the middle of a word, at all places within a frame.
        let cut = (0..20).step_by(3).map(|more| {
            let sound = sound(&[SoundPart::Quiet(60), SoundPart::Voice(300 + more)], Level(-70.0));
            (format!("cut at {more} ms"), Clip::from_bytes(&wav_of(&sound, 48_000, 1)).unwrap())
        });
        let mut longer = 0;
        for (name, clip) in shipped.into_iter().chain(tones).chain(cut) {
            let silence = vec![Clip::silence_frame().to_vec(); 30];
            let said: Vec<_> = clip.frames().iter().map(|frame| frame.to_vec()).collect();
            let frames = [silence.clone(), said, silence].concat();
            let mut hearing = VoiceActivity::new(Micros::from_secs(1)).unwrap();
            let heard = spurts(&hear(&mut hearing, &packets(&frames, 5)));
            let is = vec![(30 + clip.first_audible(), 30 + clip.last_audible())];
            assert_eq!(heard, is, "{name}");
            longer += usize::from(clip.frames().last() == Some(&Clip::silence_frame()));
        }
        assert!(longer > 0, "of some the overlap into silence is audible");
    }

    #[test]
    fn what_is_no_clip_is_refused_with_the_reason() {
        let refused = |bytes: &[u8]| Clip::from_bytes(bytes).unwrap_err();
        assert_eq!(refused(b""), ClipError::Empty);
        assert_eq!(refused(b"hello, world"), ClipError::UnknownFormat);
        let silent = vec![0.0; 48_000];
        assert_eq!(refused(&wav_of(&silent, 48_000, 1)), ClipError::NoSound);
        let long = vec![0.0; 61 * 48_000];
        let error = refused(&wav_of(&long, 48_000, 1));
        assert_eq!(error, ClipError::TooLong { length: Micros::from_secs(61) });
        assert!(error.to_string().contains("longer than 60.0s"), "{error}");
        assert_eq!(refused(&SMITH[..SMITH.len() / 2]), ClipError::Truncated);
        assert!(error.hint().starts_with("cut it"));
    }

    proptest! {
        // Each encodes a second or so of sound.
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn no_bytes_make_it_panic(
            noise in prop::collection::vec(any::<u8>(), 0..400),
            magic in prop::sample::select(vec![&b""[..], b"RIFF", b"OggS", b"RIFF\0\0\0\0WAVEfmt "]),
        ) {
            prop_assert!(Clip::from_bytes(&[magic, noise.as_slice()].concat()).is_err());
        }

        #[test]
        fn no_damage_makes_it_panic(
            at in 0..SMITH.len(),
            to in any::<u8>(),
            cut in 0..SMITH.len(),
            is_wav in any::<bool>(),
        ) {
            let sound = sound(&[SoundPart::Voice(60)], Level(-70.0));
            let mut bytes = if is_wav { wav_of(&sound, 16_000, 1) } else { SMITH.to_vec() };
            let at = if is_wav { at % 60 } else { at };
            bytes[at] = to;
            let _ = Clip::from_bytes(&bytes);
            bytes.truncate(cut);
            let _ = Clip::from_bytes(&bytes);
        }
    }
}
