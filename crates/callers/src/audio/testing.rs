//! Test fixtures: signals with known edges, their packets, and a reference detector that decodes everything.

use std::f32::consts::TAU;
use std::sync::Arc;

use super::super::participant::AudioPacket;
use super::loudness::{AUDIBLE, Level, LoudnessMeter};
use super::opus::{DecodeRate, Decoder, Dtx, Encoder, FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};
use super::resample::resample;
use super::talk_spurt::SpeechEdge;
use super::{Clip, VoiceActivity};
use rushhour_core::units::{Micros, SessionTime};

pub(super) const SMITH: &[u8] =
    include_bytes!("../../../../profiles/scripts/clips/name-is-smith.opus");
pub(super) const BOOK: &[u8] =
    include_bytes!("../../../../profiles/scripts/clips/book-a-table.opus");
pub(super) const GOODBYE: &[u8] =
    include_bytes!("../../../../profiles/scripts/clips/no-goodbye.opus");

/// All clips in `profiles/scripts`, by name.
pub(super) const SHIPPED: [(&str, &[u8]); 8] = [
    ("book-a-table", BOOK),
    ("name-is-smith", SMITH),
    ("no-goodbye", GOODBYE),
    ("change-to-eight", include_bytes!("../../../../profiles/scripts/clips/change-to-eight.opus")),
    ("phone-number", include_bytes!("../../../../profiles/scripts/clips/phone-number.opus")),
    (
        "tomorrow-at-seven",
        include_bytes!("../../../../profiles/scripts/clips/tomorrow-at-seven.opus"),
    ),
    ("vegetarian-menu", include_bytes!("../../../../profiles/scripts/clips/vegetarian-menu.opus")),
    ("yes-thank-you", include_bytes!("../../../../profiles/scripts/clips/yes-thank-you.opus")),
];

/// A part of a signal, and its duration in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum SignalPart {
    Quiet(usize),
    Voice(usize),
}

/// The parts one after the other, with noise at a level.
pub(super) fn signal(parts: &[SignalPart], noise: Level) -> Vec<f32> {
    let amplitude = 10.0_f32.powf(noise.0 / 20.0) * 3.0_f32.sqrt();
    let mut state = 1_u32;
    let mut samples = Vec::new();
    for part in parts {
        let (SignalPart::Quiet(millis) | SignalPart::Voice(millis)) = *part;
        for index in 0..millis * 48 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state as f32 / u32::MAX as f32 * 2.0 - 1.0) * amplitude;
            let turns = index as f32 / SAMPLE_RATE as f32;
            let voice = (1_u8..8)
                .map(|n| (TAU * (180.0 * f32::from(n) * turns).fract()).sin() / f32::from(n))
                .sum::<f32>();
            let gain = if matches!(part, SignalPart::Voice(_)) { 0.12 } else { 0.0 };
            samples.push(voice * gain + noise);
        }
    }
    samples
}

pub(super) fn encode(samples: &[f32], bits_per_second: u32, dtx: Dtx) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(bits_per_second, dtx).unwrap();
    let frames = samples.chunks(FRAME_SAMPLES).map(|chunk| {
        let mut frame = [0.0; FRAME_SAMPLES];
        frame[..chunk.len()].copy_from_slice(chunk);
        let mut bytes = Vec::new();
        encoder.encode(&frame, &mut bytes).unwrap();
        bytes
    });
    frames.collect()
}

/// The frames of a clip with silence before and after it.
pub(super) fn frames_of(bytes: &[u8], silent_frames: usize) -> Vec<Vec<u8>> {
    let clip = Clip::from_bytes(bytes).unwrap();
    let silence = vec![Clip::silence_frame().to_vec(); silent_frames];
    let mut frames = silence.clone();
    frames.extend(clip.frames().iter().map(|frame| frame.to_vec()));
    frames.extend(silence);
    frames
}

/// When packet number `index` arrives if none is late.
pub(super) fn arrival(index: usize) -> SessionTime {
    SessionTime(1_000_000) + Micros(FRAME_DURATION.0 * index as u64)
}

/// The frames as packets that arrive every 20 ms. Sequence numbers and timestamps wrap early.
pub(super) fn packets(frames: &[Vec<u8>], ssrc: u32) -> Vec<AudioPacket> {
    (0_u16..)
        .zip(frames)
        .map(|(index, frame)| AudioPacket {
            ssrc,
            sequence: index.wrapping_sub(20),
            rtp_time: (u32::from(index) * 960).wrapping_sub(9_600),
            payload: Arc::from(frame.as_slice()),
            at: arrival(index.into()),
        })
        .collect()
}

/// The edges that are detected in the packets and in the silence after them.
pub(super) fn detect(activity: &mut VoiceActivity, packets: &[AudioPacket]) -> Vec<SpeechEdge> {
    let mut edges = Vec::new();
    for packet in packets {
        while activity.deadline() < packet.at {
            edges.extend(activity.handle_timeout(activity.deadline()));
        }
        edges.extend(activity.handle_packet(packet));
    }
    while activity.deadline() < SessionTime::NEVER {
        edges.extend(activity.handle_timeout(activity.deadline()));
    }
    edges
}

/// The talk spurts between edges, by their first and last frames.
pub(super) fn spurts(edges: &[SpeechEdge]) -> Vec<(usize, usize)> {
    let index = |at: SessionTime| (at.since(arrival(0)).0 / FRAME_DURATION.0) as usize;
    edges
        .chunks(2)
        .map(|pair| match *pair {
            [SpeechEdge::Started { at }, SpeechEdge::Ended { last_audible_at }] => {
                (index(at), index(last_audible_at))
            }
            _ => panic!("not a beginning and an end: {pair:?}"),
        })
        .collect()
}

/// The talk spurts that a detector finds that decodes every frame.
pub(super) fn reference_spurts(
    frames: &[Vec<u8>],
    hangover_frames: usize,
    rate: DecodeRate,
) -> Vec<(usize, usize)> {
    let mut decoder = Decoder::new(rate).unwrap();
    let mut meter = LoudnessMeter::new(rate);
    let mut samples = Vec::new();
    let mut spurts: Vec<(usize, usize)> = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        decoder.decode(frame, &mut samples).unwrap();
        if meter.measure(&samples) <= AUDIBLE {
            continue;
        }
        match spurts.last_mut() {
            Some((_, last)) if index - *last < hangover_frames => *last = index,
            _ => spurts.push((index, index)),
        }
    }
    spurts
}

/// Asserts that both have the same spurts, with edges at most one frame apart.
pub(super) fn assert_close(detected: &[(usize, usize)], expected: &[(usize, usize)], what: &str) {
    let close = |left: usize, right: usize| left.abs_diff(right) <= 1;
    let same = detected.len() == expected.len()
        && detected.iter().zip(expected).all(|(d, e)| close(d.0, e.0) && close(d.1, e.1));
    assert!(same, "{what}: detected {detected:?}, expected {expected:?}");
}

/// A WAV file of 16 bits of a signal at 48 kHz, at another rate.
pub(super) fn wav_file(samples: &[f32], rate: u32, channels: u16) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for sample in resample(samples, SAMPLE_RATE, rate) {
        for _ in 0..channels {
            #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
            writer.write_sample((sample * 32_767.0) as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}
