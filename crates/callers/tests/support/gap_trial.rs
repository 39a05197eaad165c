//! Trials of gaps in speech: voices as different engines make them, cut at seeded moments or not at all, sent as LiveKit's
//! agents send, and what is found.

use std::path::Path;
use std::sync::Arc;

use rushhour_callers::audio::{
    Clip, DEFAULT_HANGOVER, DecodeRate, Decoder, Dtx, Encoder, FRAME_DURATION, FRAME_SAMPLES,
    Noise, SpeechSound, VoiceActivity,
};
use rushhour_callers::participant::AudioPacket;
use rushhour_core::event::SpeechQuality;
use rushhour_core::rng::SeededRng;
use rushhour_core::units::{Micros, SessionTime, SoundLevel};

/// Samples of 10 ms, in which LiveKit's agents send.
const TICK: usize = FRAME_SAMPLES / 2;
/// Where a voice is at least this loud on both sides, everybody hears that it is cut, in dBFS.
const LOUD: f32 = -38.0;
/// Where it is softer than this, it pauses, and a cut is a longer pause.
const PAUSE: f32 = -60.0;

/// What an engine makes of a voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// As it was read.
    Plain,
    /// With the tone of a room beneath it.
    RoomTone,
    /// What is softer than -55 dBFS is digital silence, with fades of 8 ms.
    DigitalPauses,
    /// What is softer than -45 dBFS is digital silence, with fades of 2 ms: noise suppression that cuts hard.
    HardGate,
    /// 8 dB softer.
    Soft,
}

impl Engine {
    pub(crate) const ALL: [Self; 5] =
        [Self::Plain, Self::RoomTone, Self::DigitalPauses, Self::HardGate, Self::Soft];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "as it is",
            Self::RoomTone => "with a room's tone at -62 dBFS",
            Self::DigitalPauses => "digital silence below -55 dBFS, fades of 8 ms",
            Self::HardGate => "digital silence below -45 dBFS, fades of 2 ms",
            Self::Soft => "8 dB softer",
        }
    }

    pub(crate) fn speak(self, voice: &[f32]) -> Vec<f32> {
        match self {
            Self::Plain => voice.to_vec(),
            Self::RoomTone => {
                let tone = Noise::Pink.samples(voice.len(), SoundLevel::dbfs(-62), 3);
                voice.iter().zip(&tone).map(|(one, other)| one + other).collect()
            }
            Self::DigitalPauses => gated(voice, -55.0, 8.0),
            Self::HardGate => gated(voice, -45.0, 2.0),
            Self::Soft => voice.iter().map(|one| one * 0.4).collect(),
        }
    }
}

/// The codec's settings: LiveKit's agents send up to 48 kbit/s, with discontinuous transmission.
pub(crate) const CODECS: [(u32, Dtx); 4] =
    [(24_000, Dtx::Off), (24_000, Dtx::On), (32_000, Dtx::On), (48_000, Dtx::On)];

/// The level of samples in dBFS.
fn level(samples: &[f32]) -> f32 {
    let mean = samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32;
    10.0 * mean.max(1e-12).log10()
}

/// A voice without what is softer than a floor.
fn gated(samples: &[f32], floor: f32, fade_ms: f32) -> Vec<f32> {
    let open: Vec<bool> = samples.chunks(TICK).map(|tick| level(tick) > floor).collect();
    let (mut gain, step) = (0.0_f32, 1.0 / (fade_ms * 48.0));
    let gate = |(index, sample): (usize, &f32)| {
        let target = if open[index / TICK] { 1.0 } else { 0.0 };
        gain += (target - gain).clamp(-step, step);
        sample * gain
    };
    samples.iter().enumerate().map(gate).collect()
}

/// The clips in a folder, decoded, each with a second of digital silence before and after it.
pub(crate) fn voices(folder: &Path) -> Vec<Vec<f32>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "opus" || end == "wav"))
        .collect();
    paths.sort();
    let voice = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).expect("a clip can be read");
        let clip = Clip::from_bytes(&bytes).expect("it is a clip");
        let mut decoder = Decoder::new(DecodeRate::Fullband).expect("there is memory");
        let (mut all, mut samples) = (vec![0.0; 50 * FRAME_SAMPLES], Vec::new());
        for frame in clip.frames() {
            decoder.decode(frame, &mut samples).expect("a frame of ours");
            all.extend_from_slice(&samples);
        }
        all.extend(vec![0.0; 50 * FRAME_SAMPLES]);
        all
    };
    paths.iter().map(voice).collect()
}

/// A cut in a voice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) length: Micros,
    /// Whether the voice is loud on both sides.
    pub(crate) is_loud: bool,
}

/// A voice that is cut by 40 to 400 ms of digital silence every 300 to 900 ms, where it does not pause anyway.
pub(crate) fn cut(samples: &[f32], rng: &mut SeededRng) -> (Vec<f32>, Vec<Cut>) {
    let (mut out, mut cuts) = (Vec::new(), Vec::new());
    let below = |rng: &mut SeededRng, bound| usize::try_from(rng.below(bound)).expect("small");
    let mut next = 110;
    for (tick, chunk) in samples.chunks(TICK).enumerate() {
        if tick >= next {
            let edge = tick * TICK;
            let sides = [
                level(&samples[edge - TICK..edge]),
                level(&samples[edge..(edge + TICK).min(samples.len())]),
            ];
            if sides.iter().all(|side| *side > PAUSE) {
                let ticks = 4 + below(rng, 37);
                let length = Micros::from_millis(10 * ticks as u64);
                let is_loud = sides.iter().all(|side| *side > LOUD);
                cuts.push(Cut { length, is_loud });
                out.extend(vec![0.0; ticks * TICK]);
                next = tick + 30 + below(rng, 60);
            }
        }
        out.extend_from_slice(chunk);
    }
    (out, cuts)
}

/// What is found in samples that are sent.
pub(crate) fn heard(samples: &[f32], (bits, dtx): (u32, Dtx)) -> SpeechQuality {
    let mut encoder = Encoder::new(bits, dtx).expect("there is memory");
    let mut activity = VoiceActivity::new(DEFAULT_HANGOVER).expect("there is memory");
    let mut sound = SpeechSound::default();
    let mut bytes = Vec::new();
    let mut at = SessionTime(1_000_000);
    for (number, chunk) in samples.chunks(FRAME_SAMPLES).enumerate() {
        let mut frame = [0.0; FRAME_SAMPLES];
        frame[..chunk.len()].copy_from_slice(chunk);
        bytes.clear();
        encoder.encode(&frame, &mut bytes).expect("it is sound");
        let number = u32::try_from(number).expect("some minutes");
        at = SessionTime(1_000_000 + FRAME_DURATION.0 * u64::from(number));
        let packet = AudioPacket {
            ssrc: 1,
            sequence: u16::try_from(number % 65_536).expect("it is below"),
            rtp_time: number * 960,
            payload: Arc::from(bytes.as_slice()),
            at,
        };
        for edge in activity.handle_timeout(at) {
            sound.note_edge(edge);
        }
        let edges = activity.handle_packet(&packet);
        sound.handle_packet(&packet, &mut activity);
        for edge in edges {
            sound.note_edge(edge);
        }
    }
    let end = at + Micros::from_secs(2);
    for edge in activity.handle_timeout(end) {
        sound.note_edge(edge);
    }
    sound.take(end, &mut activity).unwrap_or_default()
}

/// What was found in all voices of an engine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trial {
    /// Speech that was not cut, and the gaps that were found in it.
    pub(crate) whole: SpeechQuality,
    /// Speech that was cut, and the gaps that were found in it.
    pub(crate) cut: SpeechQuality,
    /// The cuts, and those where the voice was loud on both sides.
    pub(crate) cuts: u64,
    pub(crate) loud_cuts: u64,
    /// How long they were.
    pub(crate) length: Micros,
    pub(crate) loud_length: Micros,
}

impl Trial {
    pub(crate) fn of(voices: &[Vec<f32>], engine: Engine, rounds: u64, seed: u64) -> Self {
        let mut trial = Self::default();
        let mut rng = SeededRng::new(seed);
        for voice in voices {
            let spoken = engine.speak(voice);
            for codec in CODECS {
                trial.whole = trial.whole.plus(&heard(&spoken, codec));
                for _ in 0..rounds {
                    let (samples, cuts) = cut(&spoken, &mut rng);
                    trial.cut = trial.cut.plus(&heard(&samples, codec));
                    for one in cuts {
                        trial.cuts += 1;
                        trial.length = trial.length + one.length;
                        if one.is_loud {
                            trial.loud_cuts += 1;
                            trial.loud_length = trial.loud_length + one.length;
                        }
                    }
                }
            }
        }
        trial
    }

    /// Gaps that were found for each minute of speech that was whole.
    pub(crate) fn false_gaps(&self) -> f64 {
        self.whole.gaps() as f64 / (self.whole.speech.as_secs_f64() / 60.0).max(1e-9)
    }

    /// Gaps that were found for each cut, and for each that is loud on both sides.
    pub(crate) fn found(&self) -> (f64, f64) {
        let found = self.cut.gaps() as f64;
        (found / self.cuts as f64, found / self.loud_cuts as f64)
    }

    /// How long the gaps that were found are, for each millisecond of a cut, and of one that is loud on both sides.
    pub(crate) fn length_found(&self) -> (f64, f64) {
        let found = self.cut.unheard().as_secs_f64();
        (found / self.length.as_secs_f64(), found / self.loud_length.as_secs_f64())
    }
}
