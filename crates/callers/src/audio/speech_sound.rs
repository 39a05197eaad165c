//! How the agent's speech arrives at a listener: what of it is silent or missing, and why.
//!
//! - An agent whose *synthesis* starves sends digital silence in an unbroken stream: a cut with hard edges (`cut`).
//! - An agent whose *machine* starves sends late, and then several packets at once: the listener's jitter buffer runs dry.
//! - A *network* that loses packets leaves out sequence numbers.
//!
//! Packets wait here, in the order of the sequence, until the detector of speech knows whether they are speech. Nothing
//! is allocated for a packet, and only what may be a cut is decoded: where the sound dips and comes back (`dips`).

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::participant::AudioPacket;
use super::cut::{Cut, CutLevels};
use super::dips::{Dip, DipFinder};
use super::opus::FRAME_DURATION;
use super::opus_packet;
use super::talk_spurt::SpeechEdge;
use super::talk_spurts::TalkSpurts;
use super::voice_activity::VoiceActivity;
use rushhour_core::event::SpeechQuality;
use rushhour_core::units::{Micros, SessionTime};

/// How long the listener's jitter buffer holds a packet back: what comes later than this is not heard in time.
pub const JITTER_BUFFER: Micros = Micros::from_millis(100);
/// A shorter gap is a click that concealment hides.
pub const SHORTEST_GAP: Micros = Micros::from_millis(30);
/// A longer silence is a pause, or the end.
pub const LONGEST_GAP: Micros = Micros::from_millis(1_500);

/// Packets that wait until it is known whether they are speech: 640 ms.
const HELD_PACKETS: usize = 32;
/// Packets that are kept for the decoder: the longest gap, and what is around it.
const KEPT_PACKETS: usize = 86;
/// Packets before a gap that are decoded: the decoder's history, and how loud the speech was.
const BEFORE_GAP: i64 = 5;
/// A sequence number further away than this begins a new stream.
const MAX_SEQUENCE_JUMP: u16 = 1_000;
/// So many small packets in a row are a pause: single ones are in the midst of speech too.
const PACKETS_OF_A_PAUSE: u32 = 5;
/// A packet this small is silent, whatever those of speech are like.
const SURELY_SMALL: usize = 8;
/// So much larger is a packet of speech than one of digital silence, which a codec of speech describes at length too.
const SMALLER_BY: f32 = 1.6;
/// Cuts that nobody has asked for yet.
const MAX_CUTS: usize = 16;
/// Another track is listened to once this one has sent nothing for so long.
const TRACK_GONE: Micros = Micros::from_millis(300);
/// How much slower than a packet the fastest one may get: the clocks of two machines drift, and routes change.
const DRIFT: i64 = 20;
/// The RTP clock of Opus ticks 48 times a millisecond.
const fn micros_of(ticks: i64) -> i64 {
    ticks.saturating_mul(125) / 6
}

/// A packet that waits.
#[derive(Debug)]
struct HeldPacket {
    sequence: i64,
    /// Its RTP time in microseconds.
    media: i64,
    at: SessionTime,
    /// How long the jitter buffer had been empty when it came.
    late: Micros,
    payload: Arc<[u8]>,
}

/// A packet whose time is over, for the decoder.
#[derive(Debug)]
struct KeptPacket {
    media: i64,
    payload: Arc<[u8]>,
}

/// The stream that is listened to.
#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    /// The highest sequence number and RTP time, extended.
    sequence: i64,
    ticks: i64,
    heard_at: SessionTime,
    /// Arrival less RTP time of the fastest packet, and of the one that is played when it arrives.
    fastest: i64,
    playout: i64,
    /// Small packets in a row up to now.
    small: u32,
    /// The latest packet whose time is over.
    judged: Option<Judged>,
}

#[derive(Debug, Clone, Copy)]
struct Judged {
    sequence: i64,
    media: i64,
    at: SessionTime,
    is_small: bool,
}

/// Where digital silence cut the speech of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeechCut {
    /// The stream.
    pub ssrc: u32,
    /// The RTP time of its beginning.
    pub rtp_time: u32,
    /// How long it is.
    pub length: Micros,
}

/// The sound of an agent's speech, on one track at a time.
#[derive(Debug, Default)]
pub struct SpeechSound {
    stream: Option<Stream>,
    held: VecDeque<HeldPacket>,
    kept: VecDeque<KeptPacket>,
    talk_spurts: TalkSpurts,
    /// The size of packets of speech.
    typical: f32,
    /// Since when the speech in progress counts.
    speaking_since: Option<SessionTime>,
    dips: DipFinder,
    quality: SpeechQuality,
    cuts: Vec<SpeechCut>,
}

impl SpeechSound {
    /// Notes that speech began or ended on the track.
    pub fn note_edge(&mut self, edge: SpeechEdge) {
        self.talk_spurts.note_edge(edge);
        match edge {
            SpeechEdge::Started { at } => self.speaking_since = Some(at),
            SpeechEdge::Ended { last_audible_at } => {
                self.add_speech(last_audible_at + FRAME_DURATION);
                self.speaking_since = None;
            }
        }
    }

    fn add_speech(&mut self, until: SessionTime) {
        if let Some(since) = self.speaking_since {
            self.quality.speech = self.quality.speech + until.since(since);
        }
    }

    /// Takes in a packet. `activity` decodes what may be a gap.
    pub fn handle_packet(&mut self, packet: &AudioPacket, activity: &mut VoiceActivity) {
        let waited = self.stream.map_or(Micros::ZERO, |stream| packet.at.since(stream.heard_at));
        let Some((sequence, media)) = self.place(packet, activity) else { return };
        let is_small = self.is_small(&packet.payload);
        let Some(stream) = &mut self.stream else { return };
        let transit = packet.at.0.cast_signed().saturating_sub(media);
        stream.fastest = stream.fastest.saturating_add(DRIFT).min(transit);
        let buffered = JITTER_BUFFER.0.cast_signed();
        stream.small = if is_small { stream.small.saturating_add(1) } else { 0 };
        if stream.small >= PACKETS_OF_A_PAUSE {
            // In silence a buffer has time to shrink again.
            stream.playout = stream.fastest.saturating_add(buffered);
        }
        let late = transit.saturating_sub(stream.playout).max(0);
        let is_newest = sequence == stream.sequence;
        if late > 0 && !is_newest {
            // Others have been played since: it is as good as lost.
            return;
        }
        stream.playout = stream.playout.saturating_add(late);
        // A clock that jumps is no wait.
        let late = Micros(late.unsigned_abs()).min(waited);
        let index = self.held.partition_point(|held| held.sequence < sequence);
        let is_new = self.held.get(index).is_none_or(|held| held.sequence != sequence);
        let is_over = stream.judged.is_some_and(|judged| sequence <= judged.sequence);
        if !is_new || is_over {
            return;
        }
        let payload = Arc::clone(&packet.payload);
        self.held.insert(index, HeldPacket { sequence, media, at: packet.at, late, payload });
        if self.held.len() > HELD_PACKETS {
            self.judge_first(activity);
        }
    }

    /// The extended sequence number of a packet, and its RTP time in microseconds; `None` if it is not listened to.
    fn place(&mut self, packet: &AudioPacket, activity: &mut VoiceActivity) -> Option<(i64, i64)> {
        if let Some(stream) = &mut self.stream {
            if stream.ssrc != packet.ssrc && packet.at.since(stream.heard_at) < TRACK_GONE {
                return None;
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the low bits are those of the packet"
            )]
            let (low, low_ticks) = (stream.sequence as u16, stream.ticks as u32);
            let ahead = packet.sequence.wrapping_sub(low).cast_signed();
            if stream.ssrc == packet.ssrc && ahead.unsigned_abs() <= MAX_SEQUENCE_JUMP {
                let ticks = packet.rtp_time.wrapping_sub(low_ticks).cast_signed();
                let place = (stream.sequence + i64::from(ahead), stream.ticks + i64::from(ticks));
                if ahead > 0 {
                    (stream.sequence, stream.ticks) = place;
                    stream.heard_at = packet.at;
                }
                return Some((place.0, micros_of(place.1)));
            }
        }
        self.judge_all(activity);
        self.kept.clear();
        self.dips = DipFinder::default();
        let place = (i64::from(packet.sequence), i64::from(packet.rtp_time));
        let media = micros_of(place.1);
        let transit = packet.at.0.cast_signed().saturating_sub(media);
        self.stream = Some(Stream {
            ssrc: packet.ssrc,
            sequence: place.0,
            ticks: place.1,
            heard_at: packet.at,
            fastest: transit,
            playout: transit.saturating_add(JITTER_BUFFER.0.cast_signed()),
            small: 0,
            judged: None,
        });
        Some((place.0, media))
    }

    /// Whether a packet is much smaller than those of speech.
    fn is_small(&self, payload: &[u8]) -> bool {
        payload.len() <= SURELY_SMALL || (payload.len() as f32) * SMALLER_BY <= self.typical
    }

    fn judge_all(&mut self, activity: &mut VoiceActivity) {
        while !self.held.is_empty() {
            self.judge_first(activity);
        }
    }

    /// Judges the first of the packets that wait against the one before it.
    fn judge_first(&mut self, activity: &mut VoiceActivity) {
        let Some(packet) = self.held.pop_front() else { return };
        let is_small = self.is_small(&packet.payload);
        let is_speech = self.talk_spurts.is_speech(packet.at);
        let Some(mut stream) = self.stream else { return };
        if is_speech && !is_small {
            let size = packet.payload.len() as f32;
            self.typical += (size - self.typical) / if self.typical < 1.0 { 1.0 } else { 16.0 };
        }
        // One small packet is no silence yet.
        let is_silent = is_small && stream.judged.is_none_or(|before| before.is_small);
        if is_speech && !is_silent && packet.late > Micros::ZERO {
            self.quality.concealed = self.quality.concealed + packet.late;
            if packet.late >= SHORTEST_GAP {
                self.quality.late += 1;
                self.quality.longest_gap = self.quality.longest_gap.max(packet.late);
            }
        }
        if let Some(before) = stream.judged {
            if is_speech && !is_silent {
                // For so long the sender, or the network, paused, and not the voice.
                let waited = packet.at.since(before.at).0.cast_signed();
                let late = waited.saturating_sub(packet.media - before.media).max(0);
                self.add_gap(before.at, packet.at, Micros(late.unsigned_abs()));
            }
            let missing = packet.sequence - before.sequence - 1;
            let is_within = is_speech && !is_silent && self.talk_spurts.is_speech(before.at);
            if missing > 0 && is_within {
                let frame = FRAME_DURATION.0.cast_signed();
                let lost = (packet.media - before.media - frame).clamp(0, missing * frame);
                let lost = Micros(lost.unsigned_abs());
                self.add_gap(before.at, packet.at, lost);
                self.add_lost(lost);
            }
        }
        let longest = LONGEST_GAP.0.cast_signed();
        let dip = self.dips.note(packet.media, &packet.payload, is_small, longest);
        stream.judged = Some(Judged {
            sequence: packet.sequence,
            media: packet.media,
            at: packet.at,
            is_small,
        });
        self.stream = Some(stream);
        if self.kept.len() == KEPT_PACKETS {
            self.kept.pop_front();
        }
        self.kept.push_back(KeptPacket { media: packet.media, payload: packet.payload });
        if let Some(dip) = dip.filter(|_| is_speech) {
            self.look_for_a_cut(dip, activity);
        }
    }

    /// Speech is interrupted between two moments for so long. Where that ended a talk spurt, it is speech all the same.
    fn add_gap(&mut self, since: SessionTime, until: SessionTime, gap: Micros) {
        self.quality.speech = self.quality.speech + self.talk_spurts.take_gap(since, until, gap);
    }

    fn add_lost(&mut self, lost: Micros) {
        self.quality.concealed = self.quality.concealed + lost;
        if lost >= SHORTEST_GAP {
            self.quality.lost += 1;
            self.quality.longest_gap = self.quality.longest_gap.max(lost);
        }
    }

    /// Decodes the packets of a dip, and those around it: is it speech that was cut?
    fn look_for_a_cut(&mut self, dip: Dip, activity: &mut VoiceActivity) {
        let frame = FRAME_DURATION.0.cast_signed();
        let kept = &self.kept;
        let begin = kept.partition_point(|packet| packet.media < dip.from - BEFORE_GAP * frame);
        // It is needed seldom, so no caller keeps it.
        let mut levels = CutLevels::of_packets(kept.len() - begin);
        activity.begin_apart();
        let Some(start) = kept.get(begin).map(|packet| packet.media) else { return };
        let mut expected = start;
        for packet in kept.iter().skip(begin) {
            // Nothing is sent in a silence that lasts.
            levels.add_silence(Micros(packet.media.saturating_sub(expected).max(0).unsigned_abs()));
            let length = opus_packet::duration(&packet.payload).unwrap_or(FRAME_DURATION);
            if packet.payload.len() <= opus_packet::MAX_DTX_BYTES {
                levels.add_silence(length);
            } else {
                levels.decode(activity, &packet.payload);
            }
            expected = packet.media + length.0.cast_signed();
        }
        let since_start = |media: i64| Micros(media.saturating_sub(start).max(0).unsigned_abs());
        let (from, to) = (since_start(dip.from), since_start(dip.to));
        if let Some(Cut { from, length: gap }) = levels.cut_between(from, to, dip.fast_falls) {
            if let Some(judged) = self.stream.and_then(|stream| stream.judged) {
                let since_dip = judged.media.saturating_sub(dip.from).max(0).unsigned_abs();
                let since = SessionTime(judged.at.0.saturating_sub(since_dip));
                self.add_gap(since, judged.at, gap);
            }
            self.quality.starved += 1;
            self.quality.silent = self.quality.silent + gap;
            self.quality.longest_gap = self.quality.longest_gap.max(gap);
            self.note_cut(start.saturating_add_unsigned(from.0), gap);
        }
    }

    fn note_cut(&mut self, media: i64, length: Micros) {
        let Some(stream) = self.stream.filter(|_| self.cuts.len() < MAX_CUTS) else { return };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "RTP time wraps"
        )]
        let rtp_time = (media.saturating_mul(6) / 125) as u32;
        self.cuts.push(SpeechCut { ssrc: stream.ssrc, rtp_time, length });
    }

    /// Where speech was cut, as found since this was last asked for: some 700 ms after it went on.
    pub fn take_cuts(&mut self) -> impl Iterator<Item = SpeechCut> {
        self.cuts.drain(..)
    }

    /// What was found since it was last taken, in packets that were judged by now.
    pub const fn so_far(&self) -> SpeechQuality {
        self.quality
    }

    /// The caller has its say: what the agent says from here on is another answer, and the silence before it no gap.
    pub fn end_answer(&mut self, activity: &mut VoiceActivity) {
        self.judge_all(activity);
        self.dips = DipFinder::default();
    }

    /// What was heard since this was last asked for, and until `now`; `None` if that was no speech. The answer is over.
    pub fn take(
        &mut self,
        now: SessionTime,
        activity: &mut VoiceActivity,
    ) -> Option<SpeechQuality> {
        self.end_answer(activity);
        self.add_speech(now);
        self.speaking_since = self.speaking_since.map(|since| since.max(now));
        let quality = std::mem::take(&mut self.quality);
        (quality.speech > Micros::ZERO).then_some(quality)
    }
}

#[cfg(test)]
mod tests;
