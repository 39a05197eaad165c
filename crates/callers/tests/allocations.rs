//! What hearing allocates: nothing for a packet, only for edges of speech and for dips that may be cuts.

use std::alloc::System;
use std::sync::Arc;

use rushhour_callers::audio::{Clip, DEFAULT_HANGOVER, FRAME_DURATION, SpeechSound, VoiceActivity};
use rushhour_callers::participant::AudioPacket;
use rushhour_core::units::{Micros, SessionTime};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// At most so many dips of the clip are looked at, each with two buffers.
const DIPS: usize = 15;
/// How often the clip is said.
const TIMES: usize = 6;

#[test]
fn only_edges_of_speech_and_dips_are_allocated() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../profiles/scripts/clips/book-a-table.opus");
    let clip = Clip::from_bytes(&std::fs::read(path).unwrap()).unwrap();
    let mut activity = VoiceActivity::new(DEFAULT_HANGOVER).unwrap();
    let mut sound = SpeechSound::default();
    let mut sequence = 0_u16;
    let mut counts = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let region = Region::new(ALLOCATOR);
        let mut edges = 0;
        let silence = std::iter::repeat_with(Clip::silence_frame).take(100);
        for payload in clip.frames().iter().map(Arc::clone).chain(silence) {
            let packet = AudioPacket {
                ssrc: 1,
                sequence,
                rtp_time: u32::from(sequence) * 960,
                payload,
                at: SessionTime::START + Micros(FRAME_DURATION.0 * u64::from(sequence)),
            };
            sequence += 1;
            let found = activity.handle_packet(&packet);
            sound.handle_packet(&packet, &mut activity);
            edges += found.len();
            for edge in found {
                sound.note_edge(edge);
            }
        }
        let taken = region.change();
        counts.push((taken.allocations + taken.reallocations, edges));
    }
    // Buffers have their sizes after the first times, all but a few; there are some 250 packets each time.
    for (allocations, edges) in &counts[2..] {
        assert!(*edges >= 2 && *allocations <= 3 * edges + 2 * DIPS, "{counts:?}");
    }
}
