use proptest::prelude::*;

use super::super::loudness::Level;
use super::super::ogg_opus;
use super::super::opus::Dtx;
use super::super::testing::{SignalPart, arrival, encode, packets, signal};
use super::*;

/// When the recordings of these tests begin: a second before the first packet.
const START: SessionTime = SessionTime(0);

/// Half a second of voice each at 0.2, 1.2 and 2.2 s, in 150 packets.
fn three_words() -> Vec<AudioPacket> {
    let word = [SignalPart::Quiet(200), SignalPart::Voice(500), SignalPart::Quiet(300)];
    packets(&encode(&signal(&word.repeat(3), Level(-90.0)), 24_000, Dtx::Off), 5)
}

fn record(packets: &[AudioPacket]) -> (Vec<u8>, RecordedTrack) {
    let mut recorder = TrackRecorder::new(START, 1, &["TITLE=test".to_owned()]);
    let mut bytes = Vec::new();
    for packet in packets {
        recorder.handle_packet(packet);
        bytes.extend(recorder.take(1_000).unwrap_or_default());
    }
    let (rest, track) = recorder.finish(arrival(150));
    bytes.extend(rest);
    (bytes, track)
}

/// When the sound begins and ends, in milliseconds, in steps of 10 ms; pauses shorter than 100 ms are none.
fn heard(file: &[u8]) -> Vec<(usize, usize)> {
    let samples = ogg_opus::read(file).expect("the reader reads it");
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (index, chunk) in samples.chunks(480).enumerate() {
        if chunk.iter().all(|sample| sample.abs() < 0.02) {
            continue;
        }
        let (from, to) = (index * 10, index * 10 + 10);
        match spans.last_mut() {
            Some((_, last)) if from - *last < 100 => *last = to,
            _ => spans.push((from, to)),
        }
    }
    spans
}

#[track_caller]
fn assert_heard(file: &[u8], expected: &[(usize, usize)]) {
    let heard = heard(file);
    let is_near = |(one, other): (&(usize, usize), &(usize, usize))| {
        one.0.abs_diff(other.0) <= 20 && one.1.abs_diff(other.1) <= 40
    };
    let same = heard.len() == expected.len() && heard.iter().zip(expected).all(is_near);
    assert!(same, "heard {heard:?}, expected {expected:?}");
}

const ON_TIME: [(usize, usize); 3] = [(1_200, 1_700), (2_200, 2_700), (3_200, 3_700)];

#[test]
fn what_comes_on_time_is_heard_when_it_came() {
    let (file, track) = record(&three_words());
    assert_heard(&file, &ON_TIME);
    assert_eq!((track.packets, track.gaps), (150, vec![]));
    assert_eq!(ogg_opus::read(&file).unwrap().len(), 4_000 * 48, "up to the end");
}

#[test]
fn a_side_that_sends_nothing_more_or_nothing_at_all_is_silent_until_the_end() {
    for count in [0, 60] {
        let (file, track) = record(&three_words()[..count]);
        assert_heard(&file, &ON_TIME[..count / 50]);
        assert_eq!(ogg_opus::read(&file).unwrap().len(), 4_000 * 48);
        assert_eq!((track.packets, track.gaps), (count as u64, vec![]));
    }
}

#[test]
fn lost_packets_do_not_move_what_follows() {
    let mut packets = three_words();
    // 100 ms within the first word, and all of the second.
    packets.retain(|one| !(1_300_000..1_400_000).contains(&one.at.0));
    packets.retain(|one| !(2_100_000..2_800_000).contains(&one.at.0));
    let (file, track) = record(&packets);
    assert_heard(&file, &[ON_TIME[0], ON_TIME[2]]);
    let gaps: Vec<_> = track.gaps.iter().map(|gap| (gap.from.0, gap.to.0, gap.cause)).collect();
    let lost = RecordedGapCause::Lost;
    assert_eq!(gaps, [(1_300_000, 1_400_000, lost), (2_100_000, 2_800_000, lost)]);
}

#[test]
fn a_cut_in_speech_is_marked_where_it_is_heard_among_the_other_gaps() {
    let mut packets = three_words();
    packets.retain(|one| !(2_100_000..2_800_000).contains(&one.at.0));
    let mut recorder = TrackRecorder::new(START, 1, &[]);
    for packet in &packets {
        recorder.handle_packet(packet);
    }
    let length = Micros::from_millis(200);
    // It is known long after, when the stream has wrapped; that of another stream is not on this track.
    let at = |index: usize| three_words()[index].rtp_time;
    recorder.add_cut(SpeechCut { ssrc: 5, rtp_time: at(15), length });
    recorder.add_cut(SpeechCut { ssrc: 6, rtp_time: at(15), length });
    recorder.add_cut(SpeechCut { ssrc: 5, rtp_time: at(0).wrapping_sub(1 << 30), length });
    let (_, track) = recorder.finish(arrival(150));
    let gaps: Vec<_> = track.gaps.iter().map(|gap| (gap.from.0, gap.to.0, gap.cause)).collect();
    let expected = [
        (1_300_000, 1_500_000, RecordedGapCause::Starved),
        (2_100_000, 2_800_000, RecordedGapCause::Lost),
    ];
    assert_eq!(gaps, expected);
}

#[test]
fn a_sender_that_is_silent_by_sending_nothing_leaves_no_gap() {
    let mut packets = three_words();
    packets.retain(|one| !(1_800_000..2_100_000).contains(&one.at.0));
    for (sequence, packet) in (0..).zip(&mut packets) {
        packet.sequence = sequence;
    }
    let (file, track) = record(&packets);
    assert_heard(&file, &ON_TIME);
    assert_eq!(track.gaps, []);
}

#[test]
fn packets_out_of_order_are_put_in_order_and_those_that_come_twice_count_once() {
    let (ordered, _) = record(&three_words());
    let mut packets = three_words();
    for (one, other) in [(14, 15), (20, 22), (60, 61)] {
        packets.swap(one, other);
        let (at, later) = (packets[other].at, packets[one].at);
        (packets[one].at, packets[other].at) = (at, later);
    }
    packets.insert(31, packets[30].clone());
    packets.insert(40, packets[30].clone());
    let (file, track) = record(&packets);
    assert!(file == ordered, "it is the same file");
    assert_eq!((track.packets, track.gaps), (150, vec![]));
}

#[test]
fn what_comes_too_late_is_heard_late_until_a_pause_makes_up_for_it() {
    let mut packets = three_words();
    // Nothing comes for 300 ms in the middle of the first word, and then all at once.
    for packet in &mut packets {
        if (1_400_000..1_700_000).contains(&packet.at.0) {
            packet.at = SessionTime(1_700_000);
        }
    }
    // What encoders send in a pause.
    for packet in packets.iter_mut().filter(|one| one.at.0 > 2_760_000 && one.at.0 < 3_180_000) {
        packet.payload = Arc::from(silence(960).as_slice());
    }
    let (file, track) = record(&packets);
    assert_heard(&file, &[(1_200, 1_500), (1_700, 2_000), (2_500, 3_000), ON_TIME[2]]);
    let gaps: Vec<_> = track.gaps.iter().map(|gap| (gap.from.0, gap.to.0, gap.cause)).collect();
    assert_eq!(gaps, [(1_400_000, 1_700_000, RecordedGapCause::Late)]);
}

#[test]
fn jitter_within_a_listeners_buffer_changes_nothing() {
    let (smooth, _) = record(&three_words());
    let mut packets = three_words();
    for (index, packet) in packets.iter_mut().enumerate().skip(1) {
        packet.at += Micros::from_millis((index as u64 * 37) % 80);
    }
    packets.sort_by_key(|packet| packet.at);
    let (jittery, track) = record(&packets);
    assert!(jittery == smooth, "it is the same file");
    assert_eq!(track.gaps, []);
}

#[test]
fn another_stream_takes_over_when_the_first_is_silent_and_a_third_is_left_out_meanwhile() {
    let first = three_words();
    let mut packets: Vec<AudioPacket> = Vec::new();
    for packet in &first {
        // The first stream is silent from 1.9 s on; a second one has its sound.
        let is_second = packet.at.0 >= 1_900_000;
        let silent = AudioPacket { payload: Arc::from(silence(960).as_slice()), ..packet.clone() };
        let other =
            AudioPacket { ssrc: 6, rtp_time: packet.rtp_time ^ 0x8000_0000, ..packet.clone() };
        packets.push(if is_second { silent.clone() } else { packet.clone() });
        if is_second {
            packets.push(other);
        }
        packets.push(AudioPacket { ssrc: 7, ..silent });
    }
    let (file, _) = record(&packets);
    assert_heard(&file, &ON_TIME);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn whatever_comes_the_file_can_be_read_and_is_no_longer_than_what_it_records(
        packets in prop::collection::vec(
            (0_u32..3, any::<u16>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..12), 0_u64..60_000),
            1..200,
        ),
    ) {
        let mut recorder = TrackRecorder::new(START, 1, &[]);
        let mut at = START;
        for (ssrc, sequence, rtp_time, payload, after) in packets {
            at += Micros(after);
            // Timestamps near each other and anywhere.
            let rtp_time = if ssrc == 0 { rtp_time % 50_000 } else { rtp_time };
            recorder.handle_packet(&AudioPacket { ssrc, sequence, rtp_time, payload: Arc::from(payload), at });
        }
        let (file, _) = recorder.finish(at);
        let mut reader = ogg::PacketReader::new(std::io::Cursor::new(&file));
        let mut end = 0;
        while let Some(packet) = reader.read_packet().unwrap() {
            end = packet.absgp_page();
        }
        let longest = samples_of(at.since(START)) + FAR + 2 * samples_of(Micros::from_millis(120));
        prop_assert!(end <= longest + MAX_WAITING as u64 * STEP, "{end} {longest}");
    }
}
