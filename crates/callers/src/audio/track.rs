//! One stream of packets heard with as little decoding as its edges of speech allow.
//!
//! Between two audible packets that are closer than the hangover nothing can matter, so while somebody speaks one
//! packet in that time is decoded. In silence, packets no larger than those that were silent wait to be looked at
//! together. As soon as a look shows that an edge may lie among the packets that were passed over, all of them are
//! decoded, in order: where an edge is found does not depend on what was passed over, only when it is told does.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::participant::AudioPacket;
use super::level_meter::LevelMeter;
use super::loudness::{AUDIBLE, Level};
use super::packet;
use super::talk_spurt::{SpeechEdge, TalkSpurt};
use rushhour_core::units::{Micros, SessionTime};

/// How many packets a decoder hears before one whose loudness counts: Opus predicts each from those before it.
const RUN_UP: usize = 3;
/// The same for a look, which counts only if it is clear of the threshold; else all is decoded.
const RUN_UP_TO_LOOK: usize = 1;
/// How much louder than the threshold a look must be to count, and how much softer: a voice decoded without its past
/// comes out too soft rather than too loud.
const CLEARLY_LOUDER_DECIBELS: f32 = 5.0;
const CLEARLY_SOFTER_DECIBELS: f32 = 10.0;
/// While somebody speaks, how long before the hangover passes a packet is looked at: room for more
/// looks where the first is unsure, and for packets that are late.
const LOOK_BEFORE: Micros = Micros::from_millis(80);
/// In silence, after what time one of the small packets is looked at all the same.
const LOOK_EVERY: Micros = Micros::from_millis(100);
/// How long small packets wait for the next one to be looked at in their stead.
const LONGEST_WAIT: Micros = Micros::from_millis(200);
/// How many packets wait at the most.
const MOST_WAITING: usize = 64;
/// A sequence number that is further away than this belongs to a stream that began anew.
const LONGEST_JUMP: u16 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PacketVerdict {
    Waiting,
    Silent,
    Audible,
}

#[derive(Debug)]
struct KeptPacket {
    sequence: i64,
    at: SessionTime,
    payload: Arc<[u8]>,
    verdict: PacketVerdict,
}

/// What packets of this stream look like while nobody speaks.
#[derive(Debug, Default)]
struct SilencePattern {
    largest: usize,
    /// A payload that came twice in a row and was silent.
    repeated: Option<Arc<[u8]>>,
}

/// A stream, by its sender's number.
#[derive(Debug)]
pub(super) struct IncomingTrack {
    ssrc: u32,
    newest: Option<i64>,
    /// The last packets by their numbers; the first `settled` of them have had their say.
    kept: VecDeque<KeptPacket>,
    settled: usize,
    spurt: TalkSpurt,
    silence: SilencePattern,
    looked_at: SessionTime,
    heard_at: SessionTime,
}

impl IncomingTrack {
    pub(super) fn new(ssrc: u32, hangover: Micros) -> Self {
        Self {
            ssrc,
            newest: None,
            kept: VecDeque::new(),
            settled: 0,
            spurt: TalkSpurt::new(hangover),
            silence: SilencePattern::default(),
            looked_at: SessionTime::START,
            heard_at: SessionTime::START,
        }
    }

    pub(super) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// When its last packet arrived.
    pub(super) const fn heard_at(&self) -> SessionTime {
        self.heard_at
    }

    /// While speech goes on: the last moment at which it is known to have been heard.
    pub(super) const fn last_audible_at(&self) -> Option<SessionTime> {
        self.spurt.last_audible_at()
    }

    /// When [`Self::pass`] has something to do.
    pub(super) fn deadline(&self, hangover: Micros) -> SessionTime {
        match (self.spurt.last_audible_at(), self.waiting()) {
            (Some(last), _) => last + hangover,
            (None, Some(first)) => first + LONGEST_WAIT,
            (None, None) => SessionTime::NEVER,
        }
    }

    /// When the first packet came that has not been looked at yet.
    fn waiting(&self) -> Option<SessionTime> {
        let mut unsettled = self.kept.range(self.settled..);
        unsettled.find(|kept| kept.verdict == PacketVerdict::Waiting).map(|kept| kept.at)
    }

    /// Takes in one packet.
    pub(super) fn take(
        &mut self,
        packet: &AudioPacket,
        listener: &mut LevelMeter,
        edges: &mut Vec<SpeechEdge>,
    ) {
        self.heard_at = self.heard_at.max(packet.at);
        let Some(sequence) = self.place(packet.sequence, listener, edges) else { return };
        let index = self.kept.partition_point(|kept| kept.sequence < sequence);
        let is_new = self.kept.get(index).is_none_or(|kept| kept.sequence != sequence);
        if index < self.settled || !is_new {
            return;
        }
        let verdict = self.at_first_sight(index, &packet.payload);
        let payload = Arc::clone(&packet.payload);
        self.kept.insert(index, KeptPacket { sequence, at: packet.at, payload, verdict });
        let is_newest = index + 1 == self.kept.len();
        if is_newest && verdict == PacketVerdict::Waiting && self.is_worth_a_look() {
            self.look(listener, edges);
        } else if self.is_overdue(packet.at) {
            self.resolve(listener, edges);
        } else if self.spurt.last_audible_at().is_none() && self.waiting().is_none() {
            self.settle_all();
        }
    }

    /// The packet's number counted on past 65,535. A jump begins the stream anew.
    fn place(
        &mut self,
        sequence: u16,
        listener: &mut LevelMeter,
        edges: &mut Vec<SpeechEdge>,
    ) -> Option<i64> {
        let Some(newest) = self.newest else {
            self.newest = Some(i64::from(sequence));
            return self.newest;
        };
        let low_bits = u16::try_from(newest & 0xffff).expect("sixteen bits");
        let ahead = sequence.wrapping_sub(low_bits).cast_signed();
        if ahead.unsigned_abs() > LONGEST_JUMP {
            self.resolve(listener, edges);
            self.kept.clear();
            self.settled = 0;
            self.silence = SilencePattern::default();
            // Further on than any before, so that the decoder is not taken to be there.
            self.newest = Some(((newest >> 16) + 2) << 16 | i64::from(sequence));
            return self.newest;
        }
        let place = newest + i64::from(ahead);
        self.newest = Some(newest.max(place));
        Some(place)
    }

    /// What a packet says without being decoded.
    fn at_first_sight(&self, index: usize, payload: &[u8]) -> PacketVerdict {
        let in_silence = self.spurt.last_audible_at().is_none()
            && index == self.kept.len()
            && self.waiting().is_none();
        let is_repeated = in_silence && self.silence.repeated.as_deref() == Some(payload);
        if is_repeated || payload.len() <= packet::SILENT_BYTES {
            PacketVerdict::Silent
        } else {
            PacketVerdict::Waiting
        }
    }

    /// Whether the newest packet should be decoded now.
    fn is_worth_a_look(&self) -> bool {
        let Some(newest) = self.kept.back() else { return false };
        if self.kept.len() - self.settled > MOST_WAITING {
            return true;
        }
        match self.spurt.last_audible_at() {
            Some(_) => !self.spurt.reaches(newest.at + LOOK_BEFORE),
            None => {
                newest.payload.len() > self.silence.largest
                    || newest.at.since(self.looked_at) >= LOOK_EVERY
            }
        }
    }

    fn is_overdue(&self, now: SessionTime) -> bool {
        match self.spurt.last_audible_at() {
            Some(_) => !self.spurt.reaches(now),
            None => self.waiting().is_some_and(|first| now.since(first) >= LONGEST_WAIT),
        }
    }

    /// Decodes the newest packet, and all that wait where it shows that there may be an edge among them.
    fn look(&mut self, listener: &mut LevelMeter, edges: &mut Vec<SpeechEdge>) {
        let index = self.kept.len() - 1;
        let at = self.kept[index].at;
        self.looked_at = at;
        self.bring_to(index, RUN_UP_TO_LOOK, listener);
        let level = self.hear(index, listener);
        let is_clear = level > AUDIBLE.louder_by(CLEARLY_LOUDER_DECIBELS)
            || level < AUDIBLE.louder_by(-CLEARLY_SOFTER_DECIBELS);
        let is_sure = is_clear || listener.run() > RUN_UP.min(index);
        if !is_sure && self.spurt.reaches(at) {
            // The next packet is looked at as well, and the decoder is then surer of itself.
            return;
        }
        if !is_sure {
            self.resolve(listener, edges);
            return;
        }
        let in_speech = self.spurt.last_audible_at().is_some();
        match (in_speech, level > AUDIBLE) {
            (true, true) if self.spurt.reaches(at) => {
                self.spurt.sound(at, edges);
                self.settle_all();
            }
            (true, false) if self.spurt.reaches(at) => {
                self.kept[index].verdict = PacketVerdict::Silent;
            }
            (false, false) => {
                self.learn_silence(index);
                self.settle_all();
            }
            (_, is_audible) => {
                self.kept[index].verdict = Self::verdict(is_audible);
                self.resolve(listener, edges);
            }
        }
    }

    const fn verdict(is_audible: bool) -> PacketVerdict {
        if is_audible { PacketVerdict::Audible } else { PacketVerdict::Silent }
    }

    fn learn_silence(&mut self, index: usize) {
        let payload = &self.kept[index].payload;
        // Shrinks slowly, so that one large packet does not blind it for ever.
        self.silence.largest = payload.len().max(self.silence.largest * 7 / 8);
        if index.checked_sub(1).is_some_and(|before| self.kept[before].payload == *payload) {
            self.silence.repeated = Some(Arc::clone(payload));
        }
    }

    /// Decodes what still waits, in order, and draws the conclusions.
    fn resolve(&mut self, listener: &mut LevelMeter, edges: &mut Vec<SpeechEdge>) {
        let waits = |kept: &KeptPacket| kept.verdict == PacketVerdict::Waiting;
        let first = (self.settled..self.kept.len()).find(|index| waits(&self.kept[*index]));
        let last = (self.settled..self.kept.len()).rfind(|index| waits(&self.kept[*index]));
        if let (Some(first), Some(last)) = (first, last) {
            self.bring_to(first, RUN_UP, listener);
            for index in first..=last {
                let is_audible = self.hear(index, listener) > AUDIBLE;
                if waits(&self.kept[index]) {
                    self.kept[index].verdict = Self::verdict(is_audible);
                }
            }
        }
        let mut heard: Vec<(SessionTime, PacketVerdict)> =
            self.kept.range(self.settled..).map(|kept| (kept.at, kept.verdict)).collect();
        heard.sort_by_key(|(at, _)| *at);
        for (at, verdict) in heard {
            match verdict {
                PacketVerdict::Audible => self.spurt.sound(at, edges),
                PacketVerdict::Silent | PacketVerdict::Waiting => self.spurt.pass(at, edges),
            }
            self.looked_at = self.looked_at.max(at);
        }
        if self.spurt.last_audible_at().is_some() {
            self.silence = SilencePattern::default();
        }
        self.settle_all();
    }

    /// Sees to it that the decoder has heard what is before the packet.
    fn bring_to(&self, index: usize, run_up: usize, listener: &mut LevelMeter) {
        let before = index.checked_sub(1).map(|before| (self.ssrc, self.kept[before].sequence));
        if before.is_some() && listener.place() == before {
            return;
        }
        listener.start_anew();
        for earlier in index.saturating_sub(run_up)..index {
            self.hear(earlier, listener);
        }
    }

    fn hear(&self, index: usize, listener: &mut LevelMeter) -> Level {
        let kept = &self.kept[index];
        listener.hear((self.ssrc, kept.sequence), &kept.payload)
    }

    /// Keeps of the packets that have had their say only a run-up for those to come.
    fn settle_all(&mut self) {
        self.kept.drain(..self.kept.len().saturating_sub(RUN_UP));
        self.settled = self.kept.len();
    }

    /// Time has come to `now`, and all packets that arrived before have been taken in.
    pub(super) fn pass(
        &mut self,
        now: SessionTime,
        listener: &mut LevelMeter,
        edges: &mut Vec<SpeechEdge>,
    ) {
        if self.is_overdue(now) {
            self.resolve(listener, edges);
            self.spurt.pass(now, edges);
        }
    }

    /// Nothing will come any more: tells what there is to tell.
    pub(super) fn finish(&mut self, listener: &mut LevelMeter, edges: &mut Vec<SpeechEdge>) {
        self.resolve(listener, edges);
        self.spurt.pass(SessionTime::NEVER, edges);
    }
}
