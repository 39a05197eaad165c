//! Clips: what callers say, as Opus frames of 20 ms that are ready to be sent.

use std::f32::consts::TAU;
use std::sync::{Arc, LazyLock};

use super::clip_error::ClipError;
use super::listener::Listener;
use super::loudness::AUDIBLE;
use super::opus::{Dtx, Encoder, FRAME_LENGTH, FRAME_SAMPLES, OpusError, SAMPLE_RATE};
use super::{ogg_opus, wav};
use crate::units::Micros;

/// The longest that a clip may last.
pub const LONGEST_CLIP: Micros = Micros::from_secs(60);

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
    /// `length` rounded up to whole frames, at least one and at most [`LONGEST_CLIP`].
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

    fn of_frames(all: Vec<Arc<[u8]>>) -> Result<Self, ClipError> {
        let mut listener = Listener::new()?;
        let levels = (0..).zip(&all).map(|(place, frame)| listener.hear((0, place), frame));
        let mut audible = levels.enumerate().filter(|(_, l)| *l > AUDIBLE).map(|(index, _)| index);
        let first_audible = audible.next().ok_or(ClipError::NoSound)?;
        let last_audible = audible.last().unwrap_or(first_audible);
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
