use super::super::loudness::Level;
use super::super::opus::{DecodeRate, Decoder, Dtx, FRAME_SAMPLES};
use super::super::testing::{SignalPart, encode, packets, signal};
use super::super::{Clip, DEFAULT_HANGOVER};
use super::*;
use rushhour_core::rng::SeededRng;

/// What is heard of packets, with the silence after them.
fn heard(packets: &[AudioPacket]) -> SpeechQuality {
    heard_in_turns(packets, &[]).pop().unwrap_or_default()
}

/// What is found in each turn; a turn ends before the packets with these indices.
fn heard_in_turns(packets: &[AudioPacket], ends: &[usize]) -> Vec<SpeechQuality> {
    let mut turns = Vec::new();
    let mut activity = VoiceActivity::new(DEFAULT_HANGOVER).unwrap();
    let mut sound = SpeechSound::default();
    for (number, packet) in packets.iter().enumerate() {
        if ends.contains(&number) {
            turns.extend(sound.take(packet.at, &mut activity));
        }
        while activity.deadline() < packet.at {
            let edges = activity.handle_timeout(activity.deadline());
            for edge in edges {
                sound.note_edge(edge);
            }
        }
        let edges = activity.handle_packet(packet);
        sound.handle_packet(packet, &mut activity);
        for edge in edges {
            sound.note_edge(edge);
        }
    }
    let end = packets.last().unwrap().at + Micros::from_secs(2);
    let edges = activity.handle_timeout(end);
    for edge in edges {
        sound.note_edge(edge);
    }
    turns.extend(sound.take(end, &mut activity));
    turns
}

/// A voice without a pause.
fn spoken(seconds: usize) -> Vec<Vec<u8>> {
    let parts =
        [SignalPart::Quiet(500), SignalPart::Voice(seconds * 1_000), SignalPart::Quiet(500)];
    encode(&signal(&parts, Level(-70.0)), 32_000, Dtx::Off)
}

#[test]
fn packets_that_never_come_are_gaps_of_their_length() {
    let mut all = packets(&spoken(10), 7);
    // One, three, and ten of them in speech; twenty in the silence before it.
    let gone = [100..101, 150..153, 200..210, 2..22];
    let mut number = 0;
    all.retain(|_| {
        number += 1;
        !gone.iter().any(|gap| gap.contains(&(number - 1)))
    });
    let quality = heard(&all);
    assert_eq!((quality.starved, quality.late, quality.lost), (0, 0, 2), "{quality:?}");
    assert_eq!(quality.concealed, Micros::from_millis(280));
    assert_eq!(quality.longest_gap, Micros::from_millis(200));
}

#[test]
fn packets_that_come_late_and_at_once_are_a_gap_by_how_late_they_are() {
    let mut all = packets(&spoken(10), 7);
    // The sender stalls for 400 ms, of which the buffer hides 100; and for 80 ms, which it hides.
    for (from, stall) in [(100, 20), (300, 4)] {
        let late = all[from + stall].at;
        all[from..from + stall].iter_mut().for_each(|packet| packet.at = late);
    }
    let quality = heard(&all);
    assert_eq!((quality.starved, quality.late, quality.lost), (0, 1, 0), "{quality:?}");
    let wrong = quality.concealed.0.abs_diff(300_000);
    assert!(wrong <= 5_000, "{quality:?}");
    // A route that is slower from then on is late once.
    let mut all = packets(&spoken(10), 7);
    all[200..].iter_mut().for_each(|packet| packet.at += Micros::from_millis(250));
    let quality = heard(&all);
    assert_eq!((quality.late, quality.concealed.0 / 10_000), (1, 15), "{quality:?}");
}

#[test]
fn packets_that_are_only_out_of_order_are_heard() {
    let mut all = packets(&spoken(10), 7);
    for from in (50..450).step_by(7) {
        let (one, other) = (all[from].at, all[from + 2].at);
        all.swap(from, from + 2);
        (all[from].at, all[from + 2].at) = (one, other);
    }
    let quality = heard(&all);
    assert_eq!((quality.gaps(), quality.unheard()), (0, Micros::ZERO), "{quality:?}");
    // A sound without a pause is taken for noise after some seconds.
    assert!(quality.speech > Micros::from_secs(6), "{quality:?}");
}

#[test]
fn keys_and_other_tracks_are_no_gaps() {
    // Key strokes: short sounds, and digital silence between them.
    let mut parts = vec![SignalPart::Quiet(500)];
    for _ in 0..30 {
        parts.extend([SignalPart::Voice(20), SignalPart::Quiet(120)]);
    }
    let quality = heard(&packets(&encode(&signal(&parts, Level::SILENCE), 32_000, Dtx::On), 7));
    assert_eq!(quality.gaps(), 0, "{quality:?}");
    let mut all = packets(&spoken(5), 7);
    let music = packets(&spoken(5), 8);
    all.extend(
        music
            .into_iter()
            .map(|packet| AudioPacket { sequence: packet.sequence.wrapping_add(9_000), ..packet }),
    );
    all.sort_by_key(|packet| packet.at);
    assert_eq!(heard(&all).gaps(), 0);
}

#[test]
fn nothing_panics_on_any_packets() {
    let mut rng = SeededRng::new(5);
    let real = spoken(1);
    let mut all = Vec::new();
    let mut at = 0;
    let low = |number: u64| u16::try_from(number % 65_536).unwrap();
    for (number, payload) in (0_u32..5_000).zip(real.iter().cycle()) {
        at += rng.below(60_000);
        let short = payload.len().min(usize::try_from(rng.below(200)).unwrap());
        let jumps = rng.below(10) == 0;
        all.push(AudioPacket {
            ssrc: u32::from(rng.below(20) == 0),
            sequence: if jumps { low(rng.next_u64()) } else { low(number.into()) },
            rtp_time: if rng.below(10) == 0 {
                rng.below(u32::MAX.into()).try_into().unwrap()
            } else {
                number * 960
            },
            payload: payload[..short].into(),
            at: SessionTime(at),
        });
    }
    let quality = heard(&all);
    assert!(quality.unheard() < Micros::from_secs(1_000), "{quality:?}");
}

/// A hum that is cut by so many frames of silence after so many of its own.
fn hum_cut_by(frames: usize, after: usize) -> Vec<AudioPacket> {
    let clip = Clip::tone(Micros::from_secs(4)).unwrap();
    let mut decoder = Decoder::new(DecodeRate::Fullband).unwrap();
    let (mut samples, mut frame) = (vec![0.0; 60 * FRAME_SAMPLES], Vec::new());
    for (number, payload) in clip.frames().iter().enumerate() {
        if number == after {
            samples.extend(vec![0.0; frames * FRAME_SAMPLES]);
        }
        decoder.decode(payload, &mut frame).unwrap();
        samples.extend_from_slice(&frame);
    }
    samples.extend(vec![0.0; 60 * FRAME_SAMPLES]);
    packets(&encode(&samples, 24_000, Dtx::Off), 7)
}

#[test]
fn silence_between_two_answers_of_the_same_sound_is_no_gap() {
    let all = hum_cut_by(45, 72);
    assert_eq!(heard(&all).starved, 1, "within one answer it would be");
    // Which frame the caller's next turn begins in does not matter.
    for end in [140, 150, 170] {
        let turns = heard_in_turns(&all, &[end]);
        let starved: Vec<u32> = turns.iter().map(|turn| turn.starved).collect();
        assert_eq!(starved, [0, 0], "{end}: {turns:?}");
    }
}

#[test]
fn where_speech_was_cut_is_told_by_the_time_of_the_stream() {
    let (frames, after) = (45, 72);
    let all = hum_cut_by(frames, after);
    let mut activity = VoiceActivity::new(DEFAULT_HANGOVER).unwrap();
    let mut sound = SpeechSound::default();
    for packet in &all {
        for edge in activity.handle_packet(packet) {
            sound.note_edge(edge);
        }
        sound.handle_packet(packet, &mut activity);
    }
    sound.end_answer(&mut activity);
    let cuts: Vec<SpeechCut> = sound.take_cuts().collect();
    assert_eq!(cuts.len(), 1, "{cuts:?}");
    // The hum is preceded by 60 frames of silence.
    let truth = all[60 + after].rtp_time;
    let wrong = cuts[0].rtp_time.wrapping_sub(truth).cast_signed();
    assert!(wrong.abs() <= 960 && cuts[0].ssrc == 7, "{wrong} ticks, {cuts:?}");
    assert_eq!(cuts[0].length, sound.so_far().silent);
    assert_eq!(sound.take_cuts().count(), 0, "each is told once");
}

#[test]
fn a_gap_that_ends_a_talk_spurt_is_speech_all_the_same() {
    let whole = heard(&packets(&spoken(5), 7)).speech.0;
    assert!(whole.abs_diff(5_000_000) < 100_000, "{whole}");
    // Ten times half a second is heard, and 700 ms of what follows are lost or late.
    let stall = 35;
    let (mut lost, mut late) = (packets(&spoken(12), 7), packets(&spoken(12), 7));
    let gaps = (50..650).step_by(60).map(|from| from..from + stall);
    for gap in gaps.clone() {
        let at = late[gap.end].at;
        late[gap].iter_mut().for_each(|packet| packet.at = at);
    }
    let mut number = 0;
    lost.retain(|_| {
        number += 1;
        !gaps.clone().any(|gap| gap.contains(&(number - 1)))
    });
    let (lost, late) = (heard(&lost), heard(&late));
    // One may lie beside a soft sound, and is then taken for a pause.
    assert!(lost.lost >= 9, "{lost:?}");
    let missed = Micros::from_millis(700 * (10 - u64::from(lost.lost)));
    assert_eq!(lost.unheard() + missed, Micros::from_secs(7), "{lost:?}");
    assert!(late.late >= 1 && late.unheard() < Micros::from_secs(2), "{late:?}");
    for speech in [lost.speech + missed, late.speech] {
        assert!(speech.0.abs_diff(12_000_000) < 300_000, "{lost:?} {late:?}");
    }
    // A hum is cut by longer and longer silence.
    for frames in [5, 12, 30, 60] {
        let quality = heard(&hum_cut_by(frames, 72));
        let speech = 4_000_000 + 20_000 * frames as u64;
        assert_eq!(quality.starved, 1, "{frames}: {quality:?}");
        assert!(quality.speech.0.abs_diff(speech) < 100_000, "{frames}: {quality:?}");
    }
}

/// A cut whose edges an encoder has rounded off may be missed: what is found is a lower bound, and has the cut's length.
#[test]
fn a_gap_of_a_hum_that_is_cut_is_as_long_as_the_cut() {
    let mut found = 0;
    for frames in (3..16).step_by(3) {
        for after in (20..150).step_by(26) {
            let quality = heard(&hum_cut_by(frames, after));
            assert!(quality.starved <= 1, "{frames} after {after}: {quality:?}");
            if quality.starved == 1 {
                found += 1;
                let error = quality.silent.0.abs_diff(20_000 * frames as u64);
                assert!(error <= 20_000, "{frames} after {after}: {quality:?}");
            }
        }
    }
    assert!(found >= 13, "{found} of 25");
}
