//! Voice activity of one track, with as little decoding as possible.
//!
//! Between two audible packets that are closer than the hangover nothing can change, so during speech one packet in
//! that time is decoded. In silence, packets that are no larger than those that were silent wait, and one for all of
//! them is decoded. Such a probe may show that speech began or ended among the waiting packets; all of them are then
//! decoded, in order. So skipped packets delay when an edge of speech is reported, but not where it is found.
//!
//! Short bright sounds are no speech (`clicks`): where speech may begin, and while such sounds are heard, all packets are
//! decoded.
//!
//! In noise a probe seldom settles anything: to decode it with its history, and all that waits once more, is more than
//! to decode every packet once, in order.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::participant::AudioPacket;
use super::clicks::{Clicks, SoundShape};
use super::first_sounds::{FirstSound, FirstSounds};
use super::level_meter::LevelMeter;
use super::loudness::Level;
use super::noise_floor::NoiseFloor;
use super::opus_packet;
use super::talk_spurt::{SpeechEdge, TalkSpurt};
use rushhour_core::profile::SpeechSettings;
use rushhour_core::units::{Micros, SessionTime};

/// Packets that are decoded before one whose level counts, because Opus predicts each from those before it.
const WARM_UP_PACKETS: usize = 3;
/// The same for a probe, whose level counts only if it is clearly above or below the threshold.
const PROBE_WARM_UP_PACKETS: usize = 1;
/// How far above the threshold a probe's level is clear, in decibels,
const CLEARLY_LOUDER: f32 = 5.0;
/// and how far below: a voice that is decoded without its history comes out too soft rather than too loud.
const CLEARLY_SOFTER: f32 = 10.0;
/// During speech, how long before the end of the hangover a packet is probed: early enough for more probes, if the
/// first is not clear, and for late packets.
const PROBE_BEFORE_HANGOVER: Micros = Micros::from_millis(80);
/// During speech, one of so many probes is decoded with its history, to learn from its level; all while nothing is known.
const LEARNING_PROBES: u32 = 16;
/// In silence, how often a packet is probed however small it is.
const PROBE_INTERVAL: Micros = Micros::from_millis(100);
/// After a probe in silence that was not clear, for how long packets are decoded in order instead.
const IN_ORDER: Micros = Micros::from_secs(1);
/// How long packets wait for a probe.
const MAX_WAIT: Micros = Micros::from_millis(200);
/// How many packets wait for a probe.
const MAX_WAITING: usize = 64;
/// A sequence number further away than this begins a new stream.
const MAX_SEQUENCE_JUMP: u16 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PacketVerdict {
    /// Not decoded yet.
    Waiting,
    Silent,
    Audible,
}

#[derive(Debug)]
struct BufferedPacket {
    /// The extended sequence number.
    sequence: i64,
    at: SessionTime,
    payload: Arc<[u8]>,
    verdict: PacketVerdict,
    /// What it sounds like, if it was decoded.
    shape: Option<SoundShape>,
}

/// What this track's packets look like in silence.
#[derive(Debug, Default)]
struct SilencePattern {
    largest: usize,
    /// A payload that came twice in a row and was silent, and its level.
    repeated: Option<(Arc<[u8]>, Level)>,
}

/// The voice activity of one track, which an SSRC identifies.
#[derive(Debug)]
pub(super) struct TrackActivity {
    ssrc: u32,
    /// The highest extended sequence number.
    newest: Option<i64>,
    /// The latest packets, by sequence number. The first `settled` are only history for the decoder.
    packets: VecDeque<BufferedPacket>,
    settled: usize,
    spurt: TalkSpurt,
    silence: SilencePattern,
    noise: NoiseFloor,
    first_sounds: FirstSounds,
    clicks: Clicks,
    /// Whether the agent is known to listen, so that what is heard is not its voice.
    agent_listens: bool,
    /// Packets that were probed so far.
    probes: u32,
    /// When the packet arrived that was decoded last.
    probed_at: SessionTime,
    /// Until when packets in silence are decoded in order, without probes.
    in_order_until: SessionTime,
    last_packet_at: SessionTime,
}

impl TrackActivity {
    pub(super) fn new(ssrc: u32, hangover: Micros, settings: SpeechSettings) -> Self {
        Self {
            ssrc,
            newest: None,
            packets: VecDeque::new(),
            settled: 0,
            spurt: TalkSpurt::new(hangover),
            silence: SilencePattern::default(),
            noise: NoiseFloor::new(settings),
            first_sounds: FirstSounds::default(),
            clicks: Clicks::default(),
            agent_listens: false,
            probes: 0,
            probed_at: SessionTime::START,
            in_order_until: SessionTime::START,
            last_packet_at: SessionTime::START,
        }
    }

    /// A track that may go on with speech of another: what is heard on it is judged at once.
    pub(super) fn going_on(self) -> Self {
        Self { first_sounds: FirstSounds::none(), ..self }
    }

    /// Notes whether the agent listens, or that it does not tell.
    pub(super) fn set_agent_listens(&mut self, listens: Option<bool>) {
        self.agent_listens = listens == Some(true);
        match listens {
            Some(true) => {}
            Some(false) => self.noise.stop_listening(),
            None => self.noise.forget_background(),
        }
    }

    pub(super) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(super) const fn last_packet_at(&self) -> SessionTime {
        self.last_packet_at
    }

    /// The noise on this track.
    pub(super) const fn noise(&self) -> &NoiseFloor {
        &self.noise
    }

    /// During speech, the last moment that is known to be audible.
    pub(super) const fn last_audible_at(&self) -> Option<SessionTime> {
        self.spurt.last_audible_at()
    }

    const fn in_speech(&self) -> bool {
        self.last_audible_at().is_some()
    }

    /// Whether the track has sound that is speech or noise, which is not known yet.
    pub(super) fn is_undecided(&self) -> bool {
        self.first_sounds.is_undecided() || self.clicks.undecided_since().is_some()
    }

    /// When [`Self::handle_timeout`] must be called.
    pub(super) fn deadline(&self, hangover: Micros) -> SessionTime {
        let edge = match (self.last_audible_at(), self.waiting_since()) {
            // A sound that is not decided yet may go on with speech.
            (Some(last), _) if self.clicks.undecided_since().is_some() => {
                (last + hangover).max(self.clicks.deadline())
            }
            (Some(last), _) => last + hangover,
            (None, Some(first)) => first + MAX_WAIT,
            (None, None) => SessionTime::NEVER,
        };
        let undecided = if self.in_speech() { SessionTime::NEVER } else { self.clicks.deadline() };
        edge.min(undecided).min(self.first_sounds.deadline(self.last_packet_at))
    }

    /// When the first waiting packet arrived.
    fn waiting_since(&self) -> Option<SessionTime> {
        let mut unsettled = self.packets.range(self.settled..);
        unsettled.find(|packet| packet.verdict == PacketVerdict::Waiting).map(|packet| packet.at)
    }

    pub(super) fn handle_packet(
        &mut self,
        packet: &AudioPacket,
        meter: &mut LevelMeter,
        edges: &mut Vec<SpeechEdge>,
    ) {
        self.last_packet_at = self.last_packet_at.max(packet.at);
        if self.first_sounds.note_packet(packet.at, &self.noise) {
            self.decode_waiting(meter, edges);
        } else if packet.payload.len() <= opus_packet::MAX_DTX_BYTES && self.first_sounds.is_open()
        {
            self.first_sounds_were_speech(meter, edges);
        }
        let sequence = self.extend_sequence(packet.sequence, meter, edges);
        let index = self.packets.partition_point(|buffered| buffered.sequence < sequence);
        let is_new = self.packets.get(index).is_none_or(|buffered| buffered.sequence != sequence);
        if index < self.settled || !is_new {
            return;
        }
        let verdict = self.verdict_without_decoding(index, packet);
        let payload = Arc::clone(&packet.payload);
        let (at, shape) = (packet.at, None);
        self.packets.insert(index, BufferedPacket { sequence, at, payload, verdict, shape });
        let is_newest = index + 1 == self.packets.len();
        if is_newest && verdict == PacketVerdict::Waiting && self.should_probe() {
            self.probe(meter, edges);
        } else if self.is_overdue(packet.at) {
            self.decode_waiting(meter, edges);
        } else if !self.in_speech() && self.waiting_since().is_none() {
            self.settle_all();
        }
    }

    /// Extends a sequence number beyond 65,535. A jump begins the stream anew.
    fn extend_sequence(
        &mut self,
        sequence: u16,
        meter: &mut LevelMeter,
        edges: &mut Vec<SpeechEdge>,
    ) -> i64 {
        let Some(newest) = self.newest else {
            return *self.newest.insert(i64::from(sequence));
        };
        let low_bits = u16::try_from(newest & 0xffff).expect("masked to 16 bits");
        let ahead = sequence.wrapping_sub(low_bits).cast_signed();
        if ahead.unsigned_abs() > MAX_SEQUENCE_JUMP {
            self.decode_waiting(meter, edges);
            self.packets.clear();
            self.settled = 0;
            self.silence = SilencePattern::default();
            // Beyond all numbers before, so that no position is mistaken for the decoder's.
            return *self.newest.insert(((newest >> 16) + 2) << 16 | i64::from(sequence));
        }
        let extended = newest + i64::from(ahead);
        self.newest = Some(newest.max(extended));
        extended
    }

    fn verdict_without_decoding(&mut self, index: usize, packet: &AudioPacket) -> PacketVerdict {
        // Says nothing about noise: a sender's own detector takes noise for silence.
        if packet.payload.len() <= opus_packet::MAX_DTX_BYTES {
            return PacketVerdict::Silent;
        }
        let in_silence =
            !self.in_speech() && index == self.packets.len() && self.waiting_since().is_none();
        match &self.silence.repeated {
            Some((payload, level)) if in_silence && *payload == packet.payload => {
                self.noise.learn(packet.at, *level);
                PacketVerdict::Silent
            }
            _ => PacketVerdict::Waiting,
        }
    }

    /// Whether the newest packet should be decoded now.
    fn should_probe(&self) -> bool {
        let Some(newest) = self.packets.back() else { return false };
        if self.packets.len() - self.settled > MAX_WAITING {
            return true;
        }
        if self.in_speech() {
            !self.spurt.continues_at(newest.at + PROBE_BEFORE_HANGOVER)
        } else {
            (newest.payload.len() > self.silence.largest && !self.noise.decides())
                || newest.at.since(self.probed_at) >= PROBE_INTERVAL
        }
    }

    fn is_overdue(&self, now: SessionTime) -> bool {
        if self.in_speech() {
            !self.spurt.continues_at(now)
        } else {
            self.waiting_since().is_some_and(|first| now.since(first) >= MAX_WAIT)
        }
    }

    /// Decodes the newest packet; and all waiting packets, if it shows that an edge of speech may be among them.
    fn probe(&mut self, meter: &mut LevelMeter, edges: &mut Vec<SpeechEdge>) {
        let index = self.packets.len() - 1;
        let at = self.packets[index].at;
        self.probed_at = at;
        if self.decodes_in_order(at) {
            self.decode_waiting(meter, edges);
            return;
        }
        // A level without history is too soft to learn noise from, so some probes have it.
        self.probes = self.probes.wrapping_add(1);
        let learns = self.in_speech()
            && (self.noise.is_learning() || self.probes.is_multiple_of(LEARNING_PROBES));
        let warm_up = if learns { WARM_UP_PACKETS } else { PROBE_WARM_UP_PACKETS };
        self.warm_up(index, warm_up, meter);
        let level = self.measure(index, meter);
        let speech = self.noise.speech_level();
        let is_clear =
            level > speech.louder_by(CLEARLY_LOUDER) || level < speech.louder_by(-CLEARLY_SOFTER);
        let has_history = meter.packets_since_reset() > WARM_UP_PACKETS.min(index);
        let is_reliable = is_clear || has_history;
        let continues = self.spurt.continues_at(at);
        if !is_reliable && continues {
            // The next packet is probed as well, with more history.
            return;
        }
        if !is_reliable {
            self.in_order_until = at + IN_ORDER;
            self.decode_waiting(meter, edges);
            return;
        }
        if has_history || level <= speech {
            self.noise.learn(at, level);
        }
        match (self.in_speech(), level > speech) {
            (true, true) if continues => {
                self.spurt.audible_at(at, edges);
                self.settle_all();
            }
            (true, false) if continues => {
                self.packets[index].verdict = PacketVerdict::Silent;
            }
            (false, false) => {
                self.learn_silence(index, level);
                self.settle_all();
            }
            (_, is_audible) => {
                self.packets[index].verdict = Self::verdict(is_audible);
                self.packets[index].shape = Some(SoundShape::new(meter.windows(), speech));
                self.decode_waiting(meter, edges);
            }
        }
    }

    /// Whether all packets are decoded, each once: noise is seldom clearly softer or louder than what is speech.
    fn decodes_in_order(&self, at: SessionTime) -> bool {
        self.noise.decides()
            || self.first_sounds.is_open()
            || self.clicks.undecided_since().is_some()
            || self.clicks.are_heard(at)
            || (self.agent_listens && self.in_speech() && self.noise.has_background())
            || (!self.in_speech() && at < self.in_order_until)
    }

    const fn verdict(is_audible: bool) -> PacketVerdict {
        if is_audible { PacketVerdict::Audible } else { PacketVerdict::Silent }
    }

    fn learn_silence(&mut self, index: usize, level: Level) {
        let payload = &self.packets[index].payload;
        // Shrinks slowly, so that one large packet does not hide speech forever.
        self.silence.largest = payload.len().max(self.silence.largest * 7 / 8);
        if index.checked_sub(1).is_some_and(|before| self.packets[before].payload == *payload) {
            self.silence.repeated = Some((Arc::clone(payload), level));
        }
    }

    /// Decodes the waiting packets in order, and derives the edges of speech.
    fn decode_waiting(&mut self, meter: &mut LevelMeter, edges: &mut Vec<SpeechEdge>) {
        let waits = |packet: &BufferedPacket| packet.verdict == PacketVerdict::Waiting;
        let mut unsettled = self.settled..self.packets.len();
        let first = unsettled.clone().find(|index| waits(&self.packets[*index]));
        let last = unsettled.rfind(|index| waits(&self.packets[*index]));
        if let (Some(first), Some(last)) = (first, last) {
            self.warm_up(first, WARM_UP_PACKETS, meter);
            let is_first = self.first_sounds.is_open();
            let speech = if is_first { self.noise.threshold() } else { self.noise.speech_level() };
            for index in first..=last {
                let level = self.measure(index, meter);
                let (at, is_loud) = (self.packets[index].at, level > speech);
                if self.packets[index].payload.len() <= opus_packet::MAX_DTX_BYTES {
                    continue;
                }
                self.noise.learn(at, level);
                if self.agent_listens {
                    self.noise.learn_background(at, level);
                }
                let shape = SoundShape::new(meter.windows(), speech);
                self.packets[index].shape = Some(shape).filter(|_| !is_first);
                if waits(&self.packets[index]) {
                    self.packets[index].verdict = Self::verdict(is_loud && !is_first);
                    if is_loud && is_first {
                        self.first_sounds.add(FirstSound { at, level, shape });
                    }
                }
            }
        }
        let first = self.first_sounds.take_speech(&self.noise);
        if first.is_empty() && self.packets.range(self.settled..).is_sorted_by_key(|one| one.at) {
            // The usual case takes no memory.
            for index in self.settled..self.packets.len() {
                let BufferedPacket { at, verdict, shape, .. } = self.packets[index];
                self.hear(at, verdict, shape, edges);
                self.probed_at = self.probed_at.max(at);
            }
        } else {
            self.hear_by_arrival(first, edges);
        }
        if self.in_speech() {
            self.silence = SilencePattern::default();
        }
        self.settle_all();
    }

    /// Derives the edges of speech from the packets that came, with the first sounds that turned out to be speech.
    fn hear_by_arrival(&mut self, first: Vec<FirstSound>, edges: &mut Vec<SpeechEdge>) {
        let is_first = |packet: &&BufferedPacket| first.iter().any(|one| one.at == packet.at);
        let mut by_arrival: Vec<(SessionTime, PacketVerdict, Option<SoundShape>)> = self
            .packets
            .range(self.settled..)
            .filter(|packet| !is_first(packet))
            .map(|packet| (packet.at, packet.verdict, packet.shape))
            .collect();
        let heard = |one: FirstSound| (one.at, PacketVerdict::Audible, Some(one.shape));
        by_arrival.extend(first.into_iter().map(heard));
        by_arrival.sort_by_key(|(at, ..)| *at);
        for (at, verdict, shape) in by_arrival {
            self.hear(at, verdict, shape, edges);
            self.probed_at = self.probed_at.max(at);
        }
    }

    /// Derives the edges of speech from a packet. A sound that may be a click is speech only once it is known to be a voice;
    /// during speech, only where clicks were heard before.
    fn hear(
        &mut self,
        at: SessionTime,
        verdict: PacketVerdict,
        shape: Option<SoundShape>,
        edges: &mut Vec<SpeechEdge>,
    ) {
        let may_click = !self.in_speech() || self.clicks.are_heard(at);
        match (verdict, shape) {
            (_, Some(shape)) if may_click => match self.clicks.hear(at, shape) {
                Some(since) => {
                    self.spurt.audible_at(since, edges);
                    self.spurt.audible_at(at, edges);
                }
                None => self.silent_until(at, edges),
            },
            (PacketVerdict::Audible, _) => {
                self.clicks.skip();
                self.spurt.audible_at(at, edges);
            }
            (PacketVerdict::Silent | PacketVerdict::Waiting, _) => {
                self.clicks.hear_silence();
                self.spurt.silent_until(at, edges);
            }
        }
    }

    /// Nothing was audible up to `now`, but for a sound that is not decided yet.
    fn silent_until(&mut self, now: SessionTime, edges: &mut Vec<SpeechEdge>) {
        let undecided = self.clicks.undecided_since().unwrap_or(now);
        self.spurt.silent_until(undecided.min(now), edges);
    }

    /// The sender was silent: what was heard before was no noise.
    fn first_sounds_were_speech(&mut self, meter: &mut LevelMeter, edges: &mut Vec<SpeechEdge>) {
        self.decode_waiting(meter, edges);
        for sound in self.first_sounds.take_all() {
            self.hear(sound.at, PacketVerdict::Audible, Some(sound.shape), edges);
        }
    }

    /// Decodes up to `count` packets before a packet, unless the decoder is there already.
    fn warm_up(&self, index: usize, count: usize, meter: &mut LevelMeter) {
        let before = index.checked_sub(1).map(|before| (self.ssrc, self.packets[before].sequence));
        if before.is_some() && meter.position() == before {
            return;
        }
        meter.reset();
        for earlier in index.saturating_sub(count)..index {
            self.measure(earlier, meter);
        }
    }

    fn measure(&self, index: usize, meter: &mut LevelMeter) -> Level {
        let packet = &self.packets[index];
        meter.measure((self.ssrc, packet.sequence), &packet.payload)
    }

    /// Keeps only the packets that warm the decoder up for those to come.
    fn settle_all(&mut self) {
        self.packets.drain(..self.packets.len().saturating_sub(WARM_UP_PACKETS));
        self.settled = self.packets.len();
    }

    /// Advances to `now`. Packets that arrived before must have been handled.
    pub(super) fn handle_timeout(
        &mut self,
        now: SessionTime,
        meter: &mut LevelMeter,
        edges: &mut Vec<SpeechEdge>,
    ) {
        let is_over = self.clicks.deadline() <= now || self.is_overdue(now);
        if is_over {
            self.decode_waiting(meter, edges);
        }
        // What was decoded just now may be the first sounds.
        let are_first = self.first_sounds.deadline(self.last_packet_at) <= now;
        if are_first {
            self.first_sounds_were_speech(meter, edges);
        }
        if is_over || are_first {
            if self.clicks.deadline() <= now {
                self.clicks.hear_silence();
            }
            self.silent_until(now, edges);
        }
    }

    /// Ends the track: no packet will follow.
    pub(super) fn finish(&mut self, meter: &mut LevelMeter, edges: &mut Vec<SpeechEdge>) {
        self.first_sounds_were_speech(meter, edges);
        self.spurt.silent_until(SessionTime::NEVER, edges);
    }
}
