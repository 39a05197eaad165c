//! What it costs to hear when an agent speaks: `cargo bench -- hearing`.

use std::sync::Arc;
use std::time::Instant;

use rushhour_callers::audio::{
    Clip, DEFAULT_HANGOVER, DecodeRate, Decoder, Dtx, Encoder, FRAME_DURATION, FRAME_SAMPLES,
    VoiceActivity,
};
use rushhour_callers::participant::AudioPacket;
use rushhour_core::units::{Micros, SessionTime};

const CLIPS: [&str; 3] = ["book-a-table", "phone-number", "no-goodbye"];
const PACKETS_A_SECOND: f64 = 50.0;

/// Speech for a third of the time, and silence in 3 bytes, in one, or described as the noise that it is.
pub(crate) fn figures() {
    let described = described();
    let one_byte = encoded(&described, Level::Nothing, Dtx::On);
    let noise = encoded(&described, Level::Noise, Dtx::Off);
    for (what, frames, target) in [
        ("speech a third, silence frames of 3 bytes", &described, 0.05),
        ("speech a third, discontinuous silence", &one_byte, 0.05),
        ("speech a third, noise described in full", &noise, 0.1),
    ] {
        let shares: Vec<(f64, f64)> = (0..5).map(|_| heard(frames)).collect();
        let (share, decoded) =
            shares.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).expect("there are five");
        super::support::figure(
            &format!("{what}, share of a core"),
            &format!("{share:.3} %"),
            &format!("< {target} %"),
            share < target,
        );
        println!("  packets decoded {:.0} %", decoded * 100.0);
    }
}

/// In percent of a core at 50 packets a second, and which part of them was decoded.
fn heard(frames: &[Arc<[u8]>]) -> (f64, f64) {
    let packets: Vec<AudioPacket> = (0_u16..)
        .zip(frames)
        .map(|(sequence, payload)| AudioPacket {
            ssrc: 1,
            sequence,
            rtp_time: u32::from(sequence) * 960,
            payload: Arc::clone(payload),
            at: SessionTime::START + Micros(FRAME_DURATION.0 * u64::from(sequence)),
        })
        .collect();
    let mut hearing = VoiceActivity::new(DEFAULT_HANGOVER).expect("there is memory");
    let begun = Instant::now();
    let edges: usize = packets.iter().map(|packet| hearing.handle_packet(packet).len()).sum();
    let each = begun.elapsed().as_secs_f64() / packets.len() as f64;
    assert!(edges > 20, "it heard {edges} edges");
    let decoded = hearing.decoded_packets() as f64 / packets.len() as f64;
    (each * PACKETS_A_SECOND * 100.0, decoded)
}

/// Clips with twice their length of silence after each, several times over.
fn described() -> Vec<Arc<[u8]>> {
    let mut frames = Vec::new();
    for _ in 0..8 {
        for name in CLIPS {
            let path = format!("{}/profiles/scripts/clips/{name}.opus", env!("CARGO_MANIFEST_DIR"));
            let bytes = std::fs::read(path).expect("it is shipped");
            let clip = Clip::from_bytes(&bytes).expect("it is a clip");
            frames.extend_from_slice(clip.frames());
            frames.extend(vec![Clip::silence_frame(); clip.frames().len() * 2]);
        }
    }
    frames
}

#[derive(Clone, Copy)]
enum Level {
    Nothing,
    Noise,
}

fn encoded(frames: &[Arc<[u8]>], level: Level, dtx: Dtx) -> Vec<Arc<[u8]>> {
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
                *to = match level {
                    Level::Nothing => *from,
                    Level::Noise => from + noise * 0.001,
                };
            }
            let mut bytes = Vec::new();
            encoder.encode(&sound, &mut bytes).expect("it is sound");
            Arc::from(bytes.as_slice())
        })
        .collect()
}
