//! The cost of detecting when an agent speaks: `cargo bench -- hearing`.

use std::sync::Arc;
use std::time::Instant;

use rushhour_callers::audio::{
    Clip, DEFAULT_HANGOVER, DecodeRate, Decoder, Dtx, Encoder, FRAME_DURATION, FRAME_SAMPLES,
    SpeechSound, VoiceActivity,
};
use rushhour_callers::participant::AudioPacket;
use rushhour_core::units::{Micros, SessionTime};

const CLIPS: [&str; 3] = ["book-a-table", "phone-number", "no-goodbye"];
const PACKETS_PER_SECOND: f64 = 50.0;

/// Speech for a third of the time. Silence is a frame of 3 bytes, a frame of 1 byte, or noise encoded in full.
pub(crate) fn figures() {
    let three_bytes = clips_and_silence();
    let one_byte = encode_again(&three_bytes, Background::Silence, Dtx::On);
    let noise = encode_again(&three_bytes, Background::Noise, Dtx::Off);
    for (name, frames, target) in [
        ("speech a third, silence frames of 3 bytes", &three_bytes, 0.05),
        ("speech a third, discontinuous silence", &one_byte, 0.05),
        ("speech a third, noise described in full", &noise, 0.1),
    ] {
        let shares: Vec<(f64, f64)> = (0..5).map(|_| measure(frames)).collect();
        let (share, decoded) =
            shares.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).expect("there are five");
        super::support::figure(
            &format!("{name}, share of a core"),
            &format!("{share:.3} %"),
            &format!("< {target} %"),
            share < target,
        );
        println!("  packets decoded {:.0} %", decoded * 100.0);
        let more = (0..5).map(|_| measure_sound(frames)).fold(f64::INFINITY, f64::min);
        super::support::figure(
            "  gaps in speech, share of a core",
            &format!("{more:.4} %"),
            &format!("< {SOUND_TARGET} %"),
            more < SOUND_TARGET,
        );
    }
}

/// What gaps in speech may take of a core for each caller, in percent.
const SOUND_TARGET: f64 = 0.02;

/// The processor time of finding gaps in speech alone, in percent of a core at 50 packets per second.
fn measure_sound(frames: &[Arc<[u8]>]) -> f64 {
    let mut activity = VoiceActivity::new(DEFAULT_HANGOVER).expect("there is memory");
    let mut sound = SpeechSound::default();
    let mut spent = std::time::Duration::ZERO;
    let packets = packets(frames);
    for packet in &packets {
        let edges = activity.handle_packet(packet);
        let start = Instant::now();
        sound.handle_packet(packet, &mut activity);
        for edge in edges {
            sound.note_edge(edge);
        }
        spent += start.elapsed();
    }
    spent.as_secs_f64() / packets.len() as f64 * PACKETS_PER_SECOND * 100.0
}

/// The processor time in percent of a core at 50 packets per second, and the share of the packets that was decoded.
fn measure(frames: &[Arc<[u8]>]) -> (f64, f64) {
    let packets = packets(frames);
    let mut activity = VoiceActivity::new(DEFAULT_HANGOVER).expect("there is memory");
    let start = Instant::now();
    let edges: usize = packets.iter().map(|packet| activity.handle_packet(packet).len()).sum();
    let each = start.elapsed().as_secs_f64() / packets.len() as f64;
    assert!(edges > 20, "{edges} edges");
    let decoded = activity.decoded_packets() as f64 / packets.len() as f64;
    (each * PACKETS_PER_SECOND * 100.0, decoded)
}

fn packets(frames: &[Arc<[u8]>]) -> Vec<AudioPacket> {
    (0_u16..)
        .zip(frames)
        .map(|(sequence, payload)| AudioPacket {
            ssrc: 1,
            sequence,
            rtp_time: u32::from(sequence) * 960,
            payload: Arc::clone(payload),
            at: SessionTime::START + Micros(FRAME_DURATION.0 * u64::from(sequence)),
        })
        .collect()
}

/// Clips, each followed by twice its length of silence, several times over.
fn clips_and_silence() -> Vec<Arc<[u8]>> {
    let mut frames = Vec::new();
    for _ in 0..8 {
        for name in CLIPS {
            let path = format!("{}/profiles/scripts/clips/{name}.opus", env!("CARGO_MANIFEST_DIR"));
            let bytes = std::fs::read(path).expect("the clip is shipped");
            let clip = Clip::from_bytes(&bytes).expect("it is a clip");
            frames.extend_from_slice(clip.frames());
            frames.extend(vec![Clip::silence_frame(); clip.frames().len() * 2]);
        }
    }
    frames
}

#[derive(Clone, Copy)]
enum Background {
    Silence,
    Noise,
}

/// Decodes the frames, adds the background, and encodes them again.
fn encode_again(frames: &[Arc<[u8]>], background: Background, dtx: Dtx) -> Vec<Arc<[u8]>> {
    let mut decoder = Decoder::new(DecodeRate::Fullband).expect("there is memory");
    let mut encoder = Encoder::new(32_000, dtx).expect("there is memory");
    let mut samples = Vec::new();
    let mut state = 1_u32;
    frames
        .iter()
        .map(|frame| {
            decoder.decode(frame, &mut samples).expect("it is a frame of ours");
            let mut sound = [0.0; FRAME_SAMPLES];
            for (to, from) in sound.iter_mut().zip(&samples) {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = state as f32 / u32::MAX as f32 * 2.0 - 1.0;
                *to = match background {
                    Background::Silence => *from,
                    Background::Noise => from + noise * 0.001,
                };
            }
            let mut bytes = Vec::new();
            encoder.encode(&sound, &mut bytes).expect("it is sound");
            Arc::from(bytes.as_slice())
        })
        .collect()
}
