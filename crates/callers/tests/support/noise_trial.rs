//! Trials of voice activity detection: utterances of the shipped clips in seeded noise, and what a detector makes of
//! them. Shared by the test and by `cargo bench -- noise`.

use std::fmt;
use std::sync::Arc;

use rushhour_callers::audio::{
    Clip, DEFAULT_HANGOVER, DecodeRate, Decoder, Dtx, Encoder, FRAME_DURATION, FRAME_SAMPLES,
    Noise, SpeechEdge, VoiceActivity,
};
use rushhour_callers::participant::AudioPacket;
use rushhour_core::profile::SpeechSettings;
use rushhour_core::rng::SeededRng;
use rushhour_core::units::{Micros, SessionTime, SoundLevel};

/// The level of the loudest second or so of an utterance: its root mean square where it is active.
const SPEECH_DBFS: f32 = -24.0;
/// An utterance is found if speech begins this close to its first audible frame.
const TOLERANCE: Micros = Micros::from_millis(200);
/// Speech within this time after an utterance belongs to it: its own pauses and its end.
const TAIL: Micros = Micros::from_millis(400);
const VOICES: usize = 6;
/// A state comes so much later than the sound that it goes with: 100 ms.
const STATE_LAG_FRAMES: usize = 5;

/// What surrounds the utterances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Background {
    Silence,
    Pink,
    Hum,
    /// Six voices at once.
    Babble,
    Keyboard,
}

impl Background {
    pub(crate) const NOISES: [Self; 4] = [Self::Pink, Self::Hum, Self::Babble, Self::Keyboard];
}

impl fmt::Display for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Silence => "none",
            Self::Pink => "pink",
            Self::Hum => "hum",
            Self::Babble => "babble",
            Self::Keyboard => "keyboard",
        })
    }
}

/// What a detector made of a mixture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rates {
    /// Beginnings of speech where nobody spoke, per minute of the mixture.
    pub(crate) false_starts_per_minute: f64,
    /// The share of the utterances whose beginning was not found.
    pub(crate) missed: f64,
    /// The share of the time between utterances that was taken for speech.
    pub(crate) false_speech: f64,
    /// How far the beginnings that were found are from the first audible frames, in milliseconds: the median and the
    /// largest.
    pub(crate) onset_error_ms: (f64, f64),
    /// The share of the packets that was decoded.
    pub(crate) decoded: f64,
}

/// Utterances in noise, as Opus packets every 20 ms.
pub(crate) struct Mixture {
    frames: Vec<Vec<u8>>,
    /// The first and the last audible frame of each utterance.
    utterances: Vec<(usize, usize)>,
}

/// The shipped clips, decoded.
pub(crate) struct Voices(Vec<(Vec<f32>, usize, usize)>);

impl Voices {
    /// Reads the clips from `profiles/scripts/clips`.
    pub(crate) fn read(root: &str) -> Self {
        let folder = format!("{root}/profiles/scripts/clips");
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .expect("the clips are shipped")
            .map(|entry| entry.expect("the folder can be read").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "opus"))
            .collect();
        paths.sort();
        let voice = |path: &std::path::PathBuf| {
            let bytes = std::fs::read(path).expect("a clip can be read");
            let clip = Clip::from_bytes(&bytes).expect("it is a clip");
            let mut decoder = Decoder::new(DecodeRate::Fullband).expect("there is memory");
            let (mut all, mut samples) = (Vec::new(), Vec::new());
            for frame in clip.frames() {
                decoder.decode(frame, &mut samples).expect("a frame of ours");
                all.extend_from_slice(&samples);
            }
            let active = &all[clip.first_audible() * FRAME_SAMPLES
                ..(clip.last_audible() * FRAME_SAMPLES).min(all.len())];
            let gain = 10.0_f32.powf(SPEECH_DBFS / 20.0) / active_rms(active);
            for sample in &mut all {
                *sample *= gain;
            }
            (all, clip.first_audible(), clip.last_audible())
        };
        Self(paths.iter().map(voice).collect())
    }
}

/// The root mean square of the windows of 20 ms that are within 20 dB of the loudest.
fn active_rms(samples: &[f32]) -> f32 {
    let powers: Vec<f32> = samples
        .chunks(FRAME_SAMPLES)
        .map(|window| window.iter().map(|one| one * one).sum::<f32>() / window.len() as f32)
        .collect();
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    let active: Vec<f32> = powers.into_iter().filter(|power| *power > loudest / 100.0).collect();
    (active.iter().sum::<f32>() / active.len() as f32).sqrt()
}

impl Mixture {
    /// About `minutes` of utterances, each after a pause of 2 to 4 s, `ratio` decibels above the background.
    pub(crate) fn new(
        voices: &Voices,
        background: Background,
        ratio: f32,
        minutes: usize,
        seed: u64,
    ) -> Self {
        let mut rng = SeededRng::new(seed);
        let count = minutes * 60 * 50;
        let level: SoundLevel = format!("{}dBFS", SPEECH_DBFS - ratio).parse().expect("in range");
        let samples = count * FRAME_SAMPLES;
        let mixed = match background {
            Background::Silence => vec![0.0; samples],
            Background::Pink => Noise::Pink.samples(samples, level, seed),
            Background::Hum => Noise::Hum.samples(samples, level, seed),
            Background::Keyboard => Noise::Keyboard.samples(samples, level, seed),
            Background::Babble => babble(voices, samples, level.as_dbfs(), &mut rng),
        };
        Self::over(voices, mixed, &mut rng)
    }

    /// Utterances over a background.
    fn over(voices: &Voices, mut mixed: Vec<f32>, rng: &mut SeededRng) -> Self {
        let mut utterances = Vec::new();
        let mut frame = 0;
        loop {
            frame += 100 + usize::try_from(rng.below(100)).expect("small");
            let chosen = usize::try_from(rng.below(voices.0.len() as u64)).expect("small");
            let (voice, first, last) = &voices.0[chosen];
            if frame * FRAME_SAMPLES + voice.len() > mixed.len() {
                break;
            }
            for (to, from) in mixed[frame * FRAME_SAMPLES..].iter_mut().zip(voice) {
                *to += from;
            }
            utterances.push((frame + first, frame + last));
            frame += voice.len() / FRAME_SAMPLES;
        }
        let mut encoder = Encoder::new(32_000, Dtx::Off).expect("there is memory");
        let frames = mixed
            .chunks_exact(FRAME_SAMPLES)
            .map(|chunk| {
                let mut bytes = Vec::new();
                let chunk = chunk.try_into().expect("a whole frame");
                encoder.encode(chunk, &mut bytes).expect("it is sound");
                bytes
            })
            .collect();
        Self { frames, utterances }
    }

    /// Runs a detector over the packets. With `tells_state`, it knows from the agent's state when the agent listens.
    pub(crate) fn rates(&self, settings: SpeechSettings, tells_state: bool) -> Rates {
        let mut activity =
            VoiceActivity::with_settings(DEFAULT_HANGOVER, settings).expect("there is memory");
        let mut edges = Vec::new();
        for (packet, sequence) in self.frames.iter().zip(0_u16..=u16::MAX) {
            let at = arrival(usize::from(sequence));
            if tells_state {
                activity.set_agent_listens(Some(self.listens(usize::from(sequence))));
            }
            while activity.deadline() < at {
                edges.extend(activity.handle_timeout(activity.deadline()));
            }
            edges.extend(activity.handle_packet(&AudioPacket {
                ssrc: 1,
                sequence,
                rtp_time: u32::from(sequence) * 960,
                payload: Arc::from(packet.as_slice()),
                at,
            }));
        }
        while activity.deadline() < SessionTime::NEVER {
            edges.extend(activity.handle_timeout(activity.deadline()));
        }
        self.score(&edges, activity.decoded_packets())
    }

    /// Whether the state says at a frame that the agent listens.
    fn listens(&self, frame: usize) -> bool {
        let speaks = |(first, last): &(usize, usize)| {
            (first + STATE_LAG_FRAMES..last + STATE_LAG_FRAMES).contains(&frame)
        };
        !self.utterances.iter().any(speaks)
    }

    fn score(&self, edges: &[SpeechEdge], decoded: u64) -> Rates {
        let starts: Vec<SessionTime> = edges
            .iter()
            .filter_map(|edge| match edge {
                SpeechEdge::Started { at } => Some(*at),
                SpeechEdge::Ended { .. } => None,
            })
            .collect();
        let spoken = |at: SessionTime| {
            self.utterances.iter().any(|(first, last)| {
                at + TOLERANCE >= arrival(*first) && at <= arrival(*last) + TAIL
            })
        };
        let mut errors: Vec<f64> = Vec::new();
        for (first, _) in &self.utterances {
            let first = arrival(*first);
            let error = |at: &SessionTime| at.0.abs_diff(first.0);
            let nearest = starts.iter().map(error).min().filter(|error| *error <= TOLERANCE.0);
            errors.extend(nearest.map(|error| error as f64 / 1_000.0));
        }
        errors.sort_by(f64::total_cmp);
        let false_starts = starts.iter().filter(|at| !spoken(**at)).count();
        let in_speech: Vec<(SessionTime, SessionTime)> = edges
            .chunks(2)
            .filter_map(|pair| match pair {
                [SpeechEdge::Started { at }, SpeechEdge::Ended { last_audible_at }] => {
                    Some((*at, *last_audible_at))
                }
                _ => None,
            })
            .collect();
        let unspoken: Vec<SessionTime> =
            (0..self.frames.len()).map(arrival).filter(|at| !spoken(*at)).collect();
        let taken = unspoken
            .iter()
            .filter(|at| in_speech.iter().any(|(from, to)| (*from..=*to).contains(at)))
            .count();
        let minutes = self.frames.len() as f64 / 3_000.0;
        Rates {
            false_starts_per_minute: false_starts as f64 / minutes,
            missed: 1.0 - errors.len() as f64 / self.utterances.len() as f64,
            false_speech: taken as f64 / unspoken.len() as f64,
            onset_error_ms: (
                errors.get(errors.len() / 2).copied().unwrap_or_default(),
                errors.last().copied().unwrap_or_default(),
            ),
            decoded: decoded as f64 / self.frames.len() as f64,
        }
    }
}

/// The mean of voices that speak without a pause, scaled to a level.
fn babble(voices: &Voices, count: usize, level: f32, rng: &mut SeededRng) -> Vec<f32> {
    let mut sum = vec![0.0_f32; count];
    for _ in 0..VOICES {
        let mut at = 0;
        while at < count {
            let chosen = usize::try_from(rng.below(voices.0.len() as u64)).expect("small");
            let (voice, first, last) = &voices.0[chosen];
            let voice = &voice[first * FRAME_SAMPLES..(last * FRAME_SAMPLES).min(voice.len())];
            // Begins within its first word, so that the voices are not in step.
            let skipped = usize::try_from(rng.below(voice.len() as u64 / 2)).expect("small");
            for (to, from) in sum[at..].iter_mut().zip(&voice[skipped..]) {
                *to += from;
            }
            at += voice.len() - skipped;
        }
    }
    let power = sum.iter().map(|sample| sample * sample).sum::<f32>() / count as f32;
    let gain = 10.0_f32.powf(level / 20.0) / power.sqrt();
    for sample in &mut sum {
        *sample *= gain;
    }
    sum
}

fn arrival(index: usize) -> SessionTime {
    SessionTime(1_000_000) + Micros(FRAME_DURATION.0 * index as u64)
}

impl Mixture {
    /// What is found with the threshold alone, with the margin above the noise floor, and with that of an agent that tells
    /// its state.
    pub(crate) fn rates_by_rule(&self) -> [Rates; 3] {
        let fixed = SpeechSettings { margin: None, ..SpeechSettings::default() };
        let adaptive = SpeechSettings::default();
        [(fixed, false), (adaptive, false), (adaptive, true)]
            .map(|(settings, tells_state)| self.rates(settings, tells_state))
    }
}

/// The ratios of speech to noise, in decibels.
const RATIOS: [u8; 5] = [0, 5, 10, 15, 20];
/// The length of each mixture.
const MINUTES: usize = 4;
const SEED: u64 = 7;

/// The table of docs/statistics.md. Each cell has the threshold alone, then the margin above the noise floor, then that of an
/// agent that tells its state.
pub(crate) fn table(voices: &Voices) -> String {
    let mut rows = vec![
        "| noise | speech above it | false starts per minute | missed | pauses heard as speech | onset late, p50 and largest | packets decoded |".to_owned(),
        "| --- | --- | --- | --- | --- | --- | --- |".to_owned(),
        row(voices, Background::Silence, 20),
    ];
    for background in Background::NOISES {
        rows.extend(RATIOS.map(|ratio| row(voices, background, ratio)));
    }
    rows.join("\n")
}

fn row(voices: &Voices, background: Background, ratio: u8) -> String {
    let mixture = Mixture::new(voices, background, f32::from(ratio), MINUTES, SEED);
    let rates = mixture.rates_by_rule();
    let cell = |show: fn(&Rates) -> String| rates.each_ref().map(show).join(", ");
    format!(
        "| {background} | {ratio} dB | {} | {} | {} | {} | {} |",
        cell(|rates| format!("{:.1}", rates.false_starts_per_minute)),
        cell(|rates| format!("{:.0} %", rates.missed * 100.0)),
        cell(|rates| format!("{:.0} %", rates.false_speech * 100.0)),
        cell(|rates| format!("{:.0}/{:.0} ms", rates.onset_error_ms.0, rates.onset_error_ms.1)),
        cell(|rates| format!("{:.0} %", rates.decoded * 100.0)),
    )
}
