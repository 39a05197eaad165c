//! Voice activity of a participant: packets of its tracks in, beginnings and ends of speech out.

use super::super::participant::AudioPacket;
use super::level_meter::LevelMeter;
use super::loudness::Level;
use super::opus::OpusError;
use super::talk_spurt::SpeechEdge;
use super::track_activity::TrackActivity;
use rushhour_core::profile::SpeechSettings;
use rushhour_core::units::{Micros, SessionTime, SoundLevel};

/// The usual hangover: longer than the pauses within words.
pub const DEFAULT_HANGOVER: Micros = Micros::from_millis(200);

/// Tracks that are analysed at a time; packets of others are ignored.
pub(crate) const MAX_TRACKS: usize = 4;

/// A track without a packet for this long is replaced by a new one.
const TRACK_TIMEOUT: Micros = Micros::from_secs(2);

/// Detects when a participant speaks, on any of its tracks.
///
/// Packets are decoded only where speech may begin or end, so edges are reported late: beginnings by up to 200 ms, ends
/// by the hangover. Their times are exact to one packet nevertheless. In a stream without discontinuous transmission, a
/// single sound shorter than 100 ms may be missed if its packets are no larger than those of the silence.
#[derive(Debug)]
pub struct VoiceActivity {
    hangover: Micros,
    settings: SpeechSettings,
    meter: LevelMeter,
    tracks: Vec<TrackActivity>,
    speaking_tracks: usize,
    agent_listens: Option<bool>,
    latest_audible_at: SessionTime,
}

impl VoiceActivity {
    /// A detector without history, with the default threshold and margin. A pause shorter than `hangover` does not
    /// split speech.
    ///
    /// # Errors
    /// If libopus cannot allocate a decoder.
    pub fn new(hangover: Micros) -> Result<Self, OpusError> {
        Self::with_settings(hangover, SpeechSettings::default())
    }

    /// The same, with a threshold and a margin above each track's noise.
    ///
    /// # Errors
    /// If libopus cannot allocate a decoder.
    pub fn with_settings(hangover: Micros, settings: SpeechSettings) -> Result<Self, OpusError> {
        Ok(Self {
            hangover,
            settings,
            meter: LevelMeter::new()?,
            tracks: Vec::new(),
            speaking_tracks: 0,
            agent_listens: None,
            latest_audible_at: SessionTime::START,
        })
    }

    /// Begins to decode packets apart from detection; the decoder's history is forgotten.
    pub(super) fn begin_apart(&mut self) {
        self.meter.reset();
    }

    /// Decodes the next packet apart from detection, to samples at 16 kHz; none if it is invalid.
    pub(super) fn decode_apart(&mut self, payload: &[u8]) -> &[f32] {
        self.meter.decode(payload)
    }

    /// Handles a packet. Returns the edges of speech that are known by now, in order.
    pub fn handle_packet(&mut self, packet: &AudioPacket) -> Vec<SpeechEdge> {
        let mut merged = Vec::new();
        let Some(index) = self.track_of(packet, &mut merged) else { return merged };
        let mut edges = Vec::new();
        self.tracks[index].handle_packet(packet, &mut self.meter, &mut edges);
        self.merge(&edges, &mut merged);
        merged
    }

    /// Advances to `now`. Returns the edges of speech that are known although no packet came. Packets that arrived
    /// before `now` must have been handled.
    pub fn handle_timeout(&mut self, now: SessionTime) -> Vec<SpeechEdge> {
        let mut merged = Vec::new();
        let mut edges = Vec::new();
        for track in &mut self.tracks {
            track.handle_timeout(now, &mut self.meter, &mut edges);
        }
        self.merge(&edges, &mut merged);
        merged
    }

    /// Notes whether the participant listens; `None` if it does not tell. What is heard of it while it listens is not its
    /// voice: how loud a background gets that is never silent, such as other voices, is learnt then.
    pub fn set_agent_listens(&mut self, listens: Option<bool>) {
        self.agent_listens = listens;
        for track in &mut self.tracks {
            track.set_agent_listens(listens);
        }
    }

    /// Whether something is heard of which it is not known yet whether it is speech or noise: the first seconds of a track.
    pub fn is_undecided(&self) -> bool {
        self.tracks.iter().any(TrackActivity::is_undecided)
    }

    /// When [`Self::handle_timeout`] must be called if no packet comes before, or [`SessionTime::NEVER`].
    pub fn deadline(&self) -> SessionTime {
        let deadlines = self.tracks.iter().map(|track| track.deadline(self.hangover));
        deadlines.min().unwrap_or(SessionTime::NEVER)
    }

    #[cfg(test)]
    const fn is_speaking(&self) -> bool {
        self.speaking_tracks > 0
    }

    #[cfg(test)]
    fn last_audible_at(&self) -> Option<SessionTime> {
        self.tracks.iter().filter_map(TrackActivity::last_audible_at).max()
    }

    /// Packets decoded so far, which is the main cost of detection.
    pub const fn decoded_packets(&self) -> u64 {
        self.meter.decoded_packets()
    }

    /// The noise of the track whose noise is loudest, if it is so loud that it decides what is speech.
    pub fn noise_level(&self) -> Option<SoundLevel> {
        let decides = |track: &&TrackActivity| track.noise().decides();
        let noises = self.tracks.iter().filter(decides).map(|track| track.noise().level());
        noises.max_by(|one, other| one.0.total_cmp(&other.0)).map(Level::rounded)
    }

    fn track_of(&mut self, packet: &AudioPacket, merged: &mut Vec<SpeechEdge>) -> Option<usize> {
        let known = self.tracks.iter().position(|track| track.ssrc() == packet.ssrc);
        if known.is_some() {
            return known;
        }
        if self.tracks.len() == MAX_TRACKS {
            let idle = |track: &TrackActivity| packet.at.since(track.last_packet_at());
            let abandoned = self.tracks.iter().position(|track| idle(track) > TRACK_TIMEOUT)?;
            let mut edges = Vec::new();
            self.tracks.swap_remove(abandoned).finish(&mut self.meter, &mut edges);
            self.merge(&edges, merged);
        }
        let mut track = TrackActivity::new(packet.ssrc, self.hangover, self.settings);
        track.set_agent_listens(self.agent_listens);
        self.tracks.push(if self.speaking_tracks > 0 { track.going_on() } else { track });
        Some(self.tracks.len() - 1)
    }

    /// Merges overlapping speech of several tracks, from the first beginning to the last end.
    fn merge(&mut self, edges: &[SpeechEdge], merged: &mut Vec<SpeechEdge>) {
        for edge in edges {
            match *edge {
                SpeechEdge::Started { at } => {
                    self.speaking_tracks += 1;
                    if self.speaking_tracks == 1 {
                        self.latest_audible_at = at;
                        merged.push(*edge);
                    }
                }
                SpeechEdge::Ended { last_audible_at } => {
                    self.speaking_tracks -= 1;
                    self.latest_audible_at = self.latest_audible_at.max(last_audible_at);
                    if self.speaking_tracks == 0 {
                        let last_audible_at = self.latest_audible_at;
                        merged.push(SpeechEdge::Ended { last_audible_at });
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

    use super::super::Clip;
    use super::super::opus::{DecodeRate, Dtx};
    use super::super::testing::{
        BOOK, GOODBYE, SMITH, SignalPart, arrival, assert_close, detect, encode, frames_of,
        packets, reference_spurts, signal, spurts,
    };
    use super::*;

    const HANGOVER_FRAMES: usize = 10;

    fn activity() -> VoiceActivity {
        VoiceActivity::new(DEFAULT_HANGOVER).unwrap()
    }

    fn detected(frames: &[Vec<u8>]) -> Vec<(usize, usize)> {
        spurts(&detect(&mut activity(), &packets(frames, 7)))
    }

    const PARTS: [SignalPart; 9] = [
        SignalPart::Quiet(1_000),
        SignalPart::Voice(700),
        // A pause within speech.
        SignalPart::Quiet(130),
        SignalPart::Voice(500),
        SignalPart::Quiet(400),
        SignalPart::Voice(120),
        SignalPart::Quiet(950),
        SignalPart::Voice(333),
        SignalPart::Quiet(1_500),
    ];
    /// The first and last frames of the three spurts, with the codec's delay of 6.5 ms.
    const SPURTS: [(usize, usize); 3] = [(50, 116), (136, 142), (190, 206)];

    #[test]
    fn bursts_are_detected_where_they_are() {
        for noise in [Level::SILENCE, Level(-66.0), Level(-56.0)] {
            for bits in [12_000, 24_000, 40_000, 96_000] {
                for dtx in [Dtx::On, Dtx::Off] {
                    let frames = encode(&signal(&PARTS, noise), bits, dtx);
                    let what = format!("noise {noise}, {bits} bit/s, DTX {dtx:?}");
                    assert_close(&detected(&frames), &SPURTS, &what);
                    let reference =
                        reference_spurts(&frames, HANGOVER_FRAMES, DecodeRate::Fullband);
                    assert_close(&reference, &SPURTS, &what);
                }
            }
        }
    }

    #[test]
    fn speech_is_detected_where_a_detector_that_decodes_everything_finds_it() {
        for (name, clip) in [("smith", SMITH), ("book", BOOK), ("goodbye", GOODBYE)] {
            let frames = frames_of(clip, 30);
            let reference = reference_spurts(&frames, HANGOVER_FRAMES, DecodeRate::Wideband);
            assert_close(&detected(&frames), &reference, name);
        }
    }

    #[test]
    fn speech_ends_when_packets_stop_coming() {
        let parts = [SignalPart::Quiet(200), SignalPart::Voice(560)];
        let frames = encode(&signal(&parts, Level::SILENCE), 24_000, Dtx::Off);
        let mut activity = activity();
        let packets = packets(&frames, 7);
        let mut edges = Vec::new();
        for packet in &packets {
            edges.extend(activity.handle_packet(packet));
        }
        assert_eq!(edges, [SpeechEdge::Started { at: arrival(10) }]);
        assert!(activity.is_speaking());
        // Not all packets have been decoded yet.
        let last = arrival(37);
        assert!(activity.last_audible_at().unwrap() < last);
        assert_eq!(activity.handle_timeout(last + Micros(DEFAULT_HANGOVER.0 - 1)), []);
        assert_eq!(activity.deadline(), last + DEFAULT_HANGOVER);
        let ended = SpeechEdge::Ended { last_audible_at: last };
        assert_eq!(activity.handle_timeout(activity.deadline()), [ended]);
        assert!(!activity.is_speaking());
        assert_eq!(activity.deadline(), SessionTime::NEVER);
    }

    #[test]
    fn a_pause_as_long_as_the_hangover_splits_speech() {
        let parts = [
            SignalPart::Voice(300),
            SignalPart::Quiet(300),
            SignalPart::Voice(300),
            SignalPart::Quiet(500),
        ];
        let packets = packets(&encode(&signal(&parts, Level(-60.0)), 24_000, Dtx::Off), 7);
        for (hangover, count) in [(40, 2), (280, 2), (340, 1), (1_000, 1)] {
            let mut activity = VoiceActivity::new(Micros::from_millis(hangover)).unwrap();
            let detected = spurts(&detect(&mut activity, &packets));
            assert_eq!(detected.len(), count, "{hangover} ms: {detected:?}");
            assert_eq!(detected[0].0, 0);
            assert!(detected[count - 1].1.abs_diff(45) <= 1, "{detected:?}");
        }
    }

    #[test]
    fn loss_duplicates_and_reordering_hardly_move_edges() {
        let frames = encode(&signal(&PARTS, Level(-60.0)), 24_000, Dtx::Off);
        let whole = packets(&frames, 7);
        let lossy: Vec<_> =
            whole.iter().enumerate().filter(|(i, _)| i % 7 != 3).map(|(_, p)| p.clone()).collect();
        assert_close(&spurts(&detect(&mut activity(), &lossy)), &SPURTS, "one in seven lost");
        let mut mixed: Vec<_> = whole.iter().flat_map(|p| [p.clone(), p.clone()]).collect();
        for index in (2..mixed.len() - 4).step_by(6) {
            mixed.swap(index, index + 2);
        }
        for (index, packet) in mixed.iter_mut().enumerate() {
            packet.at = arrival(index / 2);
        }
        assert_close(
            &spurts(&detect(&mut activity(), &mixed)),
            &SPURTS,
            "duplicated and reordered",
        );
        // Speech in late packets is detected late.
        let mut late = whole.clone();
        for packet in &mut late[48..54] {
            packet.at = arrival(54);
        }
        let detected = spurts(&detect(&mut activity(), &late));
        assert_close(&detected, &[(54, 116), SPURTS[1], SPURTS[2]], "late");
    }

    #[test]
    fn a_track_that_continues_under_another_ssrc_is_the_same_speech() {
        let parts = [SignalPart::Quiet(200), SignalPart::Voice(1_000), SignalPart::Quiet(600)];
        let frames = encode(&signal(&parts, Level(-60.0)), 24_000, Dtx::Off);
        let mut packets = packets(&frames, 7);
        for packet in &mut packets[33..] {
            packet.ssrc = 8;
            packet.sequence = packet.sequence.wrapping_add(30_000);
        }
        assert_close(&spurts(&detect(&mut activity(), &packets)), &[(10, 60)], "another SSRC");
        for packet in &mut packets[33..] {
            packet.ssrc = 7;
        }
        assert_close(&spurts(&detect(&mut activity(), &packets)), &[(10, 60)], "a jump");
    }

    #[test]
    fn two_tracks_at_once_are_one_speech() {
        let track = |before, voice| {
            let parts =
                [SignalPart::Quiet(before), SignalPart::Voice(voice), SignalPart::Quiet(1_400)];
            encode(&signal(&parts, Level(-60.0)), 24_000, Dtx::Off)
        };
        let mut both = packets(&track(200, 600), 7);
        both.extend(packets(&track(600, 400), 8));
        both.sort_by_key(|packet| packet.at);
        assert_close(&spurts(&detect(&mut activity(), &both)), &[(10, 50)], "two at once");
        for number in 9..20 {
            both.extend(packets(&track(600, 400), number));
        }
        both.sort_by_key(|packet| packet.at);
        assert_close(
            &spurts(&detect(&mut activity(), &both)),
            &[(10, 50)],
            "more tracks than are analysed",
        );
    }

    /// What is detected in noise with a voice from 14 s to 15 s, in frames.
    fn in_noise(noise: Level, settings: SpeechSettings) -> Vec<(usize, usize)> {
        let parts = [SignalPart::Quiet(14_000), SignalPart::Voice(1_000), SignalPart::Quiet(4_000)];
        let packets = packets(&encode(&signal(&parts, noise), 32_000, Dtx::Off), 7);
        let mut activity = VoiceActivity::with_settings(DEFAULT_HANGOVER, settings).unwrap();
        spurts(&detect(&mut activity, &packets))
    }

    #[test]
    fn noise_on_the_track_is_not_speech_once_it_is_known() {
        let fixed = SpeechSettings { margin: None, ..SpeechSettings::default() };
        assert_eq!(in_noise(Level(-32.0), fixed).len(), 1, "noise without end");
        assert_close(
            &in_noise(Level(-32.0), SpeechSettings::default()),
            &[(700, 750)],
            "the voice",
        );
        assert_close(
            &in_noise(Level(-60.0), SpeechSettings::default()),
            &[(700, 750)],
            "noise below the threshold",
        );
    }

    #[test]
    fn what_is_heard_before_the_noise_is_known_is_judged_for_when_it_was_heard() {
        let found = |parts: &[SignalPart], noise| {
            detected(&encode(&signal(parts, noise), 32_000, Dtx::Off))
        };
        let at_once = [
            SignalPart::Voice(700),
            SignalPart::Quiet(130),
            SignalPart::Voice(500),
            SignalPart::Quiet(3_000),
        ];
        assert_close(&found(&at_once, Level::SILENCE), &[(0, 66)], "a voice from the first packet");
        let soon = [SignalPart::Quiet(1_000), SignalPart::Voice(600), SignalPart::Quiet(3_000)];
        assert_close(&found(&soon, Level(-32.0)), &[(50, 80)], "a voice in the noise");
        assert_eq!(found(&[SignalPart::Quiet(5_000)], Level(-32.0)), [], "the noise alone");
        let with_pauses = encode(&signal(&at_once, Level::SILENCE), 32_000, Dtx::On);
        assert_close(&detected(&with_pauses), &[(0, 66)], "with discontinuous transmission");
    }

    #[test]
    fn in_noise_no_packet_is_decoded_twice() {
        let mut parts = vec![SignalPart::Quiet(3_000)];
        for _ in 0..10 {
            parts.extend([SignalPart::Voice(1_000), SignalPart::Quiet(1_000)]);
        }
        for noise in [Level(-32.0), Level(-40.0), Level(-46.0)] {
            let frames = encode(&signal(&parts, noise), 32_000, Dtx::Off);
            let mut activity = activity();
            detect(&mut activity, &packets(&frames, 7));
            // When the noise begins to decide, the decoder is warmed up once.
            let most = frames.len() as u64 + 20;
            assert!(activity.decoded_packets() <= most, "{noise}: {}", activity.decoded_packets());
        }
    }

    #[test]
    fn noise_that_begins_later_is_learnt_and_forgotten() {
        let sound = |millis, noise| signal(&[SignalPart::Quiet(millis)], noise);
        let mut samples = sound(10_000, Level::SILENCE);
        samples.extend(sound(15_000, Level(-32.0)));
        samples.extend(sound(3_000, Level::SILENCE));
        samples.extend(signal(&[SignalPart::Voice(1_000)], Level(-55.0)));
        let mut activity = activity();
        let packets = packets(&encode(&samples, 32_000, Dtx::Off), 7);
        let mut edges = detect(&mut activity, &packets[..1_200]);
        assert!(activity.noise_level().is_some_and(|level| level.as_dbfs() > -46.0));
        edges.extend(detect(&mut activity, &packets[1_200..]));
        let found = spurts(&edges);
        let &[(start, end), voice] = &found[..] else { panic!("{found:?}") };
        assert!(start.abs_diff(500) <= 1 && (840..980).contains(&end), "{found:?}");
        assert_close(&[voice], &[(1_400, 1_450)], "after the noise");
    }

    #[test]
    fn a_long_vowel_that_pauses_for_breath_is_one_speech() {
        let clip = Clip::tone(Micros::from_secs(30)).unwrap();
        let mut frames = vec![Clip::silence_frame().to_vec(); 100];
        frames.extend(clip.frames().iter().map(|frame| frame.to_vec()));
        frames.extend(vec![Clip::silence_frame().to_vec(); 50]);
        assert_close(&detected(&frames), &[(100, 100 + clip.last_audible())], "thirty seconds");
    }

    #[test]
    fn the_default_threshold_is_that_of_clips() {
        let threshold = SpeechSettings::default().threshold.as_dbfs();
        assert!((threshold - super::super::loudness::AUDIBLE.0).abs() < f32::EPSILON);
    }

    #[test]
    fn steady_speech_and_silence_need_little_decoding() {
        let parts = [SignalPart::Quiet(4_000), SignalPart::Voice(4_000), SignalPart::Quiet(4_000)];
        let decoded = |frames: &[Vec<u8>]| {
            let mut activity = activity();
            assert_eq!(detect(&mut activity, &packets(frames, 7)).len(), 2);
            activity.decoded_packets() as f64 / frames.len() as f64
        };
        let in_full = decoded(&encode(&signal(&parts, Level(-60.0)), 24_000, Dtx::Off));
        let discontinuous = decoded(&encode(&signal(&parts, Level::SILENCE), 24_000, Dtx::On));
        // In the first tenth of a second, all packets are.
        assert!(in_full < 0.52, "{in_full}");
        assert!(discontinuous < 0.4, "{discontinuous}");
        let spoken = frames_of(BOOK, 0);
        let mut activity = VoiceActivity::new(DEFAULT_HANGOVER).unwrap();
        detect(&mut activity, &packets(&spoken, 7));
        let share = activity.decoded_packets() as f64 / spoken.len() as f64;
        assert!(share < 0.8, "{share}");
        let mut frames = frames_of(SMITH, 2_000);
        frames.truncate(2_000);
        let mut activity = VoiceActivity::new(DEFAULT_HANGOVER).unwrap();
        assert_eq!(detect(&mut activity, &packets(&frames, 7)), []);
        assert!(activity.decoded_packets() < 10, "{}", activity.decoded_packets());
    }

    #[test]
    fn discontinuous_silence_is_never_decoded() {
        let frames: Vec<Vec<u8>> = (0..500).map(|n| vec![0x78; 1 + n % 2]).collect();
        let mut activity = activity();
        assert_eq!(detect(&mut activity, &packets(&frames, 7)), []);
        assert_eq!(activity.decoded_packets(), 0);
    }

    proptest! {
        #[test]
        fn arbitrary_packets_lead_to_ordered_edges(
            heads in prop::collection::vec(
                (0_u32..6, any::<u16>(), any::<bool>(), 0_u64..400_000, any::<bool>()), 1..80),
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 80),
            real in prop::sample::select(encode(&signal(&PARTS, Level(-60.0)), 24_000, Dtx::On)),
        ) {
            let mut activity = activity();
            let mut sequence = 65_500_u16;
            let mut edges = Vec::new();
            let mut base = 0;
            for ((ssrc, jump, jumps, at, ticks), payload) in heads.into_iter().zip(payloads) {
                sequence = if jumps { sequence.wrapping_add(jump) } else { sequence.wrapping_add(1) };
                let payload = if at % 3 == 0 { real.as_slice() } else { payload.as_slice() };
                let packet = AudioPacket {
                    ssrc,
                    sequence,
                    rtp_time: 0,
                    payload: Arc::from(payload),
                    at: SessionTime(base + at),
                };
                edges.extend(activity.handle_packet(&packet));
                if ticks {
                    base += 100_000;
                    edges.extend(activity.handle_timeout(SessionTime(base)));
                }
            }
            edges.extend(activity.handle_timeout(SessionTime(1_000_000_000)));
            prop_assert!(!activity.is_speaking());
            prop_assert_eq!(activity.deadline(), SessionTime::NEVER);
            for pair in edges.chunks(2) {
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
