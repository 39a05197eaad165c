//! What a caller hears: packets of any streams in, beginnings and ends of speech out.

use super::super::participant::AudioPacket;
use super::level_meter::LevelMeter;
use super::opus::OpusError;
use super::talk_spurt::SpeechEdge;
use super::track::IncomingTrack;
use rushhour_core::units::{Micros, SessionTime};

/// How long it must be silent for speech to have ended, where nothing else is set: longer than the pauses within words.
pub const DEFAULT_HANGOVER: Micros = Micros::from_millis(200);

/// How many streams are heard at a time; those that come on top are not.
const MOST_TRACKS: usize = 4;

/// A stream without a packet for so long makes room for another one.
const ABANDONED: Micros = Micros::from_secs(2);

/// Hears whether one participant speaks, on however many tracks.
///
/// Packets are decoded only where an edge of speech may be, so edges are told late: beginnings by up to 200 ms, ends
/// by the hangover. The times they carry are exact to one packet all the same. In a stream that describes its
/// silence, a lone sound shorter than 100 ms whose packets are no larger than those of the silence may be missed.
#[derive(Debug)]
pub struct VoiceActivity {
    hangover: Micros,
    listener: LevelMeter,
    tracks: Vec<IncomingTrack>,
    speaking: usize,
    latest_audible_at: SessionTime,
}

impl VoiceActivity {
    /// An ear that has heard nothing yet. A pause shorter than `hangover` does not split speech.
    ///
    /// # Errors
    /// Where libopus finds no memory.
    pub fn new(hangover: Micros) -> Result<Self, OpusError> {
        Ok(Self {
            hangover,
            listener: LevelMeter::new()?,
            tracks: Vec::new(),
            speaking: 0,
            latest_audible_at: SessionTime::START,
        })
    }

    /// Takes in a packet and tells the edges of speech that are known by now, in order.
    pub fn hear(&mut self, packet: &AudioPacket) -> Vec<SpeechEdge> {
        let mut told = Vec::new();
        let Some(index) = self.track_of(packet, &mut told) else { return told };
        let mut edges = Vec::new();
        self.tracks[index].take(packet, &mut self.listener, &mut edges);
        self.merge(&edges, &mut told);
        told
    }

    /// Time has come to `now`: tells what there is to tell although no packet came. Packets that arrived before `now`
    /// are to be heard first.
    pub fn tick(&mut self, now: SessionTime) -> Vec<SpeechEdge> {
        let mut told = Vec::new();
        let mut edges = Vec::new();
        for track in &mut self.tracks {
            track.pass(now, &mut self.listener, &mut edges);
        }
        self.merge(&edges, &mut told);
        told
    }

    /// When [`Self::tick`] has something to do, if no packet comes before; never is [`SessionTime::NEVER`].
    pub fn deadline(&self) -> SessionTime {
        let deadlines = self.tracks.iter().map(|track| track.deadline(self.hangover));
        deadlines.min().unwrap_or(SessionTime::NEVER)
    }

    /// Whether somebody speaks: since a beginning was told, and until its end is.
    pub const fn is_speaking(&self) -> bool {
        self.speaking > 0
    }

    /// While somebody speaks, the last moment at which that is known to have been heard.
    pub fn last_audible_at(&self) -> Option<SessionTime> {
        self.tracks.iter().filter_map(IncomingTrack::last_audible_at).max()
    }

    /// How many packets have been decoded so far, which is what hearing costs.
    pub const fn decoded_packets(&self) -> u64 {
        self.listener.decoded()
    }

    fn track_of(&mut self, packet: &AudioPacket, told: &mut Vec<SpeechEdge>) -> Option<usize> {
        let known = self.tracks.iter().position(|track| track.ssrc() == packet.ssrc);
        if known.is_some() {
            return known;
        }
        if self.tracks.len() == MOST_TRACKS {
            let since = |track: &IncomingTrack| packet.at.since(track.heard_at());
            let abandoned = self.tracks.iter().position(|track| since(track) > ABANDONED)?;
            let mut edges = Vec::new();
            self.tracks.swap_remove(abandoned).finish(&mut self.listener, &mut edges);
            self.merge(&edges, told);
        }
        self.tracks.push(IncomingTrack::new(packet.ssrc, self.hangover));
        Some(self.tracks.len() - 1)
    }

    /// Speech on several tracks is one speech, from the first beginning to the last end.
    fn merge(&mut self, edges: &[SpeechEdge], told: &mut Vec<SpeechEdge>) {
        for edge in edges {
            match *edge {
                SpeechEdge::Started { at } => {
                    self.speaking += 1;
                    if self.speaking == 1 {
                        self.latest_audible_at = at;
                        told.push(*edge);
                    }
                }
                SpeechEdge::Ended { last_audible_at } => {
                    self.speaking -= 1;
                    self.latest_audible_at = self.latest_audible_at.max(last_audible_at);
                    if self.speaking == 0 {
                        let last_audible_at = self.latest_audible_at;
                        told.push(SpeechEdge::Ended { last_audible_at });
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::loudness::Level;
    use super::super::opus::{DecodeRate, Dtx};
    use super::super::testing::{
        BOOK, GOODBYE, SMITH, SoundPart, arrival, assert_close, encode, frames_of, hear, packets,
        sound, spurts, truth,
    };
    use super::*;

    const HANGOVER_FRAMES: usize = 10;

    fn hearing() -> VoiceActivity {
        VoiceActivity::new(DEFAULT_HANGOVER).unwrap()
    }

    fn heard(frames: &[Vec<u8>]) -> Vec<(usize, usize)> {
        spurts(&hear(&mut hearing(), &packets(frames, 7)))
    }

    const PARTS: [SoundPart; 9] = [
        SoundPart::Quiet(1_000),
        SoundPart::Voice(700),
        // A pause within speech.
        SoundPart::Quiet(130),
        SoundPart::Voice(500),
        SoundPart::Quiet(400),
        SoundPart::Voice(120),
        SoundPart::Quiet(950),
        SoundPart::Voice(333),
        SoundPart::Quiet(1_500),
    ];
    /// The frames in which the sound of the three spurts begins and ends, the codec's delay of 6.5 ms included.
    const SPURTS: [(usize, usize); 3] = [(50, 116), (136, 142), (190, 206)];

    #[test]
    fn bursts_are_heard_where_they_are() {
        for noise in [Level::SILENCE, Level(-66.0), Level(-56.0)] {
            for bits in [12_000, 24_000, 40_000, 96_000] {
                for dtx in [Dtx::On, Dtx::Off] {
                    let frames = encode(&sound(&PARTS, noise), bits, dtx);
                    let what = format!("noise {noise}, {bits} bit/s, DTX {dtx:?}");
                    assert_close(&heard(&frames), &SPURTS, &what);
                    assert_close(
                        &truth(&frames, HANGOVER_FRAMES, DecodeRate::Full),
                        &SPURTS,
                        &what,
                    );
                }
            }
        }
    }

    #[test]
    fn spoken_words_are_heard_where_a_patient_listener_hears_them() {
        for (name, clip) in [("smith", SMITH), ("book", BOOK), ("goodbye", GOODBYE)] {
            let frames = frames_of(clip, 30);
            assert_close(&heard(&frames), &truth(&frames, HANGOVER_FRAMES, DecodeRate::Wide), name);
        }
    }

    #[test]
    fn speech_ends_although_no_packet_comes_any_more() {
        let frames = encode(&sound(&[SoundPart::Voice(560)], Level::SILENCE), 24_000, Dtx::Off);
        let mut hearing = hearing();
        let packets = packets(&frames, 7);
        let mut edges = Vec::new();
        for packet in &packets {
            edges.extend(hearing.hear(packet));
        }
        assert_eq!(edges, [SpeechEdge::Started { at: arrival(0) }]);
        assert!(hearing.is_speaking());
        // Where it is known to have been heard is behind where it was.
        let last = arrival(27);
        assert!(hearing.last_audible_at().unwrap() < last);
        assert_eq!(hearing.tick(last + Micros(DEFAULT_HANGOVER.0 - 1)), []);
        assert_eq!(hearing.deadline(), last + DEFAULT_HANGOVER);
        let ended = SpeechEdge::Ended { last_audible_at: last };
        assert_eq!(hearing.tick(hearing.deadline()), [ended]);
        assert!(!hearing.is_speaking());
        assert_eq!(hearing.deadline(), SessionTime::NEVER);
    }

    #[test]
    fn the_hangover_is_what_splits_speech() {
        let parts = [
            SoundPart::Voice(300),
            SoundPart::Quiet(300),
            SoundPart::Voice(300),
            SoundPart::Quiet(500),
        ];
        let packets = packets(&encode(&sound(&parts, Level(-60.0)), 24_000, Dtx::Off), 7);
        for (hangover, count) in [(40, 2), (280, 2), (340, 1), (1_000, 1)] {
            let mut hearing = VoiceActivity::new(Micros::from_millis(hangover)).unwrap();
            let heard = spurts(&hear(&mut hearing, &packets));
            assert_eq!(heard.len(), count, "{hangover} ms: {heard:?}");
            assert_eq!(heard[0].0, 0);
            assert!(heard[count - 1].1.abs_diff(45) <= 1, "{heard:?}");
        }
    }

    #[test]
    fn lost_doubled_and_swapped_packets_move_edges_by_little() {
        let frames = encode(&sound(&PARTS, Level(-60.0)), 24_000, Dtx::Off);
        let whole = packets(&frames, 7);
        let lossy: Vec<_> =
            whole.iter().enumerate().filter(|(i, _)| i % 7 != 3).map(|(_, p)| p.clone()).collect();
        assert_close(&spurts(&hear(&mut hearing(), &lossy)), &SPURTS, "one in seven lost");
        let mut mixed: Vec<_> = whole.iter().flat_map(|p| [p.clone(), p.clone()]).collect();
        for index in (2..mixed.len() - 4).step_by(6) {
            mixed.swap(index, index + 2);
        }
        for (index, packet) in mixed.iter_mut().enumerate() {
            packet.at = arrival(index / 2);
        }
        assert_close(&spurts(&hear(&mut hearing(), &mixed)), &SPURTS, "doubled and swapped");
        // A burst: what came late is heard late.
        let mut late = whole.clone();
        for packet in &mut late[48..54] {
            packet.at = arrival(54);
        }
        let heard = spurts(&hear(&mut hearing(), &late));
        assert_close(&heard, &[(54, 116), SPURTS[1], SPURTS[2]], "late");
    }

    #[test]
    fn a_track_that_goes_on_under_another_number_is_the_same_speech() {
        let parts = [SoundPart::Quiet(200), SoundPart::Voice(1_000), SoundPart::Quiet(600)];
        let frames = encode(&sound(&parts, Level(-60.0)), 24_000, Dtx::Off);
        let mut packets = packets(&frames, 7);
        for packet in &mut packets[33..] {
            packet.ssrc = 8;
            packet.sequence = packet.sequence.wrapping_add(30_000);
        }
        assert_close(&spurts(&hear(&mut hearing(), &packets)), &[(10, 60)], "another number");
        for packet in &mut packets[33..] {
            packet.ssrc = 7;
        }
        assert_close(&spurts(&hear(&mut hearing(), &packets)), &[(10, 60)], "a jump");
    }

    #[test]
    fn two_tracks_at_once_are_one_speech() {
        let quiet = |before, voice| {
            let parts =
                [SoundPart::Quiet(before), SoundPart::Voice(voice), SoundPart::Quiet(1_400)];
            encode(&sound(&parts, Level(-60.0)), 24_000, Dtx::Off)
        };
        let mut both = packets(&quiet(200, 600), 7);
        both.extend(packets(&quiet(600, 400), 8));
        both.sort_by_key(|packet| packet.at);
        assert_close(&spurts(&hear(&mut hearing(), &both)), &[(10, 50)], "two at once");
        for number in 9..20 {
            both.extend(packets(&quiet(600, 400), number));
        }
        both.sort_by_key(|packet| packet.at);
        assert_close(&spurts(&hear(&mut hearing(), &both)), &[(10, 50)], "more than are heard");
    }

    #[test]
    fn steady_speech_and_silence_cost_little() {
        let parts = [SoundPart::Quiet(4_000), SoundPart::Voice(4_000), SoundPart::Quiet(4_000)];
        let decoded = |frames: &[Vec<u8>]| {
            let mut hearing = hearing();
            assert_eq!(hear(&mut hearing, &packets(frames, 7)).len(), 2);
            hearing.decoded_packets() as f64 / frames.len() as f64
        };
        let described = decoded(&encode(&sound(&parts, Level(-60.0)), 24_000, Dtx::Off));
        let silent = decoded(&encode(&sound(&parts, Level::SILENCE), 24_000, Dtx::On));
        assert!(described < 0.5, "{described}");
        assert!(silent < 0.4, "{silent}");
        let spoken = frames_of(BOOK, 0);
        let mut hearing = VoiceActivity::new(DEFAULT_HANGOVER).unwrap();
        hear(&mut hearing, &packets(&spoken, 7));
        let share = hearing.decoded_packets() as f64 / spoken.len() as f64;

        assert!(share < 0.8, "{share}");
        let mut frames = frames_of(SMITH, 2_000);
        frames.truncate(2_000);
        let mut hearing = VoiceActivity::new(DEFAULT_HANGOVER).unwrap();
        assert_eq!(hear(&mut hearing, &packets(&frames, 7)), []);
        assert!(hearing.decoded_packets() < 5, "{}", hearing.decoded_packets());
    }

    #[test]
    fn a_track_of_discontinuous_silence_is_never_decoded() {
        let frames: Vec<Vec<u8>> = (0..500).map(|n| vec![0x78; 1 + n % 2]).collect();
        let mut hearing = hearing();
        assert_eq!(hear(&mut hearing, &packets(&frames, 7)), []);
        assert_eq!(hearing.decoded_packets(), 0);
    }

    proptest! {
        #[test]
        fn no_packets_make_it_panic_or_tell_ends_before_beginnings(
            heads in prop::collection::vec(
                (0_u32..6, any::<u16>(), any::<bool>(), 0_u64..400_000, any::<bool>()), 1..80),
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 80),
            real in prop::sample::select(encode(&sound(&PARTS, Level(-60.0)), 24_000, Dtx::On)),
        ) {
            let mut hearing = hearing();
            let mut sequence = 65_500_u16;
            let mut told = Vec::new();
            let mut base = 0;
            for ((ssrc, jump, jumps, at, ticks), payload) in heads.into_iter().zip(payloads) {
                sequence = if jumps { sequence.wrapping_add(jump) } else { sequence.wrapping_add(1) };
                let payload = if at % 3 == 0 { real.as_slice() } else { payload.as_slice() };
                let packet = AudioPacket {
                    mid: "0".into(),
                    ssrc,
                    sequence,
                    rtp_time: 0,
                    payload: Arc::from(payload),
                    at: SessionTime(base + at),
                };
                told.extend(hearing.hear(&packet));
                if ticks {
                    base += 100_000;
                    told.extend(hearing.tick(SessionTime(base)));
                }
            }
            told.extend(hearing.tick(SessionTime(1_000_000_000)));
            prop_assert!(!hearing.is_speaking());
            prop_assert_eq!(hearing.deadline(), SessionTime::NEVER);
            for pair in told.chunks(2) {
                let ordered = match *pair {
                    [SpeechEdge::Started { at }, SpeechEdge::Ended { last_audible_at }] => {
                        at <= last_audible_at
                    }
                    _ => false,
                };
                prop_assert!(ordered, "{:?}", pair);
            }
        }
    }
}
