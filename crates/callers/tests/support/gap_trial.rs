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
/// Where a voice is at least this loud on both sides, in dBFS, and sounds for so long, everybody hears that it is cut.
const LOUD: f32 = -38.0;
const SOUNDS: f32 = -58.0;
const SOUNDING_TICKS: usize = 4;
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
    /// Since the first sample that is sent.
    pub(crate) at: Micros,
    pub(crate) length: Micros,
    /// Whether the voice is loud on both sides.
    pub(crate) is_loud: bool,
}

/// A voice that is cut by 30 to 400 ms of digital silence every 300 to 900 ms, where it does not pause anyway.
pub(crate) fn cut(samples: &[f32], rng: &mut SeededRng) -> (Vec<f32>, Vec<Cut>) {
    let (mut out, mut cuts) = (Vec::new(), Vec::new());
    let below = |rng: &mut SeededRng, bound| usize::try_from(rng.below(bound)).expect("small");
    let mut next = 110;
    for (tick, chunk) in samples.chunks(TICK).enumerate() {
        if tick >= next {
            let of =
                |tick: usize| samples.get(tick * TICK..(tick + 1) * TICK).map_or(-120.0, level);
            let sides = [of(tick - 1), of(tick)];
            let sounds =
                (tick - SOUNDING_TICKS..tick + SOUNDING_TICKS).all(|tick| of(tick) > SOUNDS);
            if sides.iter().all(|side| *side > PAUSE) {
                let ticks = 3 + below(rng, 38);
                let length = Micros::from_millis(10 * ticks as u64);
                let is_loud = sounds && sides.iter().all(|side| *side > LOUD);
                let at = Micros(out.len() as u64 * 1_000 / 48);
                cuts.push(Cut { at, length, is_loud });
                out.extend(vec![0.0; ticks * TICK]);
                next = tick + 30 + below(rng, 60);
            }
        }
        out.extend_from_slice(chunk);
    }
    (out, cuts)
}

/// A gap that was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FoundGap {
    /// When the packet came after which it was known: some while after the gap.
    known: Micros,
    length: Micros,
}

/// A gap is known after it has ended, by so much: packets wait until it is known whether they are speech.
const KNOWN_AFTER: Micros = Micros::from_millis(700);
/// What is known of when a gap ended is this exact.
const ABOUT: u64 = 110_000;

/// What is found in samples that are sent, and gap by gap.
pub(crate) fn heard(samples: &[f32], (bits, dtx): (u32, Dtx)) -> (SpeechQuality, Vec<FoundGap>) {
    let mut encoder = Encoder::new(bits, dtx).expect("there is memory");
    let mut activity = VoiceActivity::new(DEFAULT_HANGOVER).expect("there is memory");
    let mut sound = SpeechSound::default();
    let (mut bytes, mut found) = (Vec::new(), Vec::new());
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
        let before = sound.so_far();
        sound.handle_packet(&packet, &mut activity);
        let after = sound.so_far();
        if after.starved > before.starved {
            let known = Micros(FRAME_DURATION.0 * u64::from(number));
            found.push(FoundGap { known, length: after.silent.saturating_sub(before.silent) });
        }
        for edge in edges {
            sound.note_edge(edge);
        }
    }
    let end = at + Micros::from_secs(2);
    for edge in activity.handle_timeout(end) {
        sound.note_edge(edge);
    }
    (sound.take(end, &mut activity).unwrap_or_default(), found)
}

/// Cuts, those of them that were found, and how long both are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Recall {
    pub(crate) cuts: u64,
    pub(crate) found: u64,
    pub(crate) length: Micros,
    pub(crate) found_length: Micros,
}

impl Recall {
    fn add(&mut self, cut: Cut, found: Option<&FoundGap>) {
        self.cuts += 1;
        self.length = self.length + cut.length;
        if let Some(found) = found {
            self.found += 1;
            self.found_length = self.found_length + found.length;
        }
    }

    pub(crate) fn share(&self) -> f64 {
        self.found as f64 / self.cuts.max(1) as f64
    }

    pub(crate) fn length_share(&self) -> f64 {
        self.found_length.as_secs_f64() / self.length.as_secs_f64().max(1e-9)
    }
}

/// What was found in all voices of an engine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trial {
    /// Speech that was not cut, and the gaps that were found in it.
    pub(crate) whole: SpeechQuality,
    /// Speech that was cut, and the gaps that were found in it.
    pub(crate) cut: SpeechQuality,
    /// All cuts, and those where the voice was loud on both sides.
    pub(crate) all: Recall,
    pub(crate) loud: Recall,
    /// Gaps that were found where no cut was.
    pub(crate) elsewhere: usize,
}

impl Trial {
    pub(crate) fn of(voices: &[Vec<f32>], engine: Engine, rounds: u64, seed: u64) -> Self {
        let mut trial = Self::default();
        let mut rng = SeededRng::new(seed);
        for voice in voices {
            let spoken = engine.speak(voice);
            for codec in CODECS {
                trial.whole = trial.whole.plus(&heard(&spoken, codec).0);
                for _ in 0..rounds {
                    let (samples, cuts) = cut(&spoken, &mut rng);
                    let (quality, found) = heard(&samples, codec);
                    trial.cut = trial.cut.plus(&quality);
                    trial.match_up(&cuts, found);
                }
            }
        }
        trial
    }

    fn match_up(&mut self, cuts: &[Cut], mut found: Vec<FoundGap>) {
        for one in cuts {
            let known = one.at + one.length + KNOWN_AFTER;
            let is_it = |gap: &FoundGap| gap.known.0.abs_diff(known.0) <= ABOUT;
            let gap = found.iter().position(is_it).map(|index| found.remove(index));
            self.all.add(*one, gap.as_ref());
            if one.is_loud {
                self.loud.add(*one, gap.as_ref());
            }
        }
        self.elsewhere += found.len();
    }

    /// Gaps that were found for each minute of speech that was whole.
    pub(crate) fn false_gaps(&self) -> f64 {
        self.whole.gaps() as f64 / (self.whole.speech.as_secs_f64() / 60.0).max(1e-9)
    }
}
