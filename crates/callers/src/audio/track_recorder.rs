//! Records one side of a conversation: packets in, pages of Ogg Opus out, each packet where a listener would hear it.
//!
//! A stream is placed by its RTP timestamps, from the arrival of its first packet on. Packets that are missing are filled
//! in by packets without bytes, which players conceal, and then by silence. A packet that comes later than a listener
//! waits for it moves itself and what follows, as the sound did that he heard; silence is left out then until the
//! stream is on time again. So a file is never longer than what it records, whatever timestamps say.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ogg_opus_writer::{OggOpusWriter, STEP, concealed, duration_of, silence};
use super::opus_packet::{self, MAX_DTX_BYTES, samples_of};
use super::speech_sound::SpeechCut;
use crate::participant::AudioPacket;
use rushhour_core::recording::{
    MAX_RECORDED_PARTS, RecordedGap, RecordedGapCause, RecordedSpan, RecordedTrack,
};
use rushhour_core::units::{Micros, SessionTime};

/// How long a packet may be late to be heard in time: what a listener's jitter buffer holds.
const PLAYOUT: u64 = samples_of(Micros::from_millis(100));
/// Timestamps that are so far from the arrival have begun anew.
const FAR: u64 = samples_of(Micros::from_millis(1_000));
/// A missing part is concealed for so long; the rest is silence.
const CONCEALED: u64 = samples_of(Micros::from_millis(100));
/// Another stream is recorded instead once this one has been silent for so long while the other has sound, or
const YIELDS_AFTER: u64 = samples_of(Micros::from_millis(200));
/// once no packet of it has come for so long.
const ENDS_AFTER: u64 = samples_of(Micros::from_millis(1_000));
/// A cut in speech is known so soon after it at the latest.
const CUT_WITHIN: u64 = samples_of(Micros::from_millis(5_000));
/// Packets that wait for one before them, at most.
const MAX_WAITING: usize = 64;
/// The largest packet that is recorded, in bytes: more than Opus has at the highest rate in 120 ms.
const MAX_PACKET: usize = 8 << 10;
/// A silent frame of this size holds no audio, or only the flag that it is silent.
const MAX_SILENCE: usize = 3;

/// Records one side of a conversation.
pub(crate) struct TrackRecorder {
    writer: OggOpusWriter,
    start: SessionTime,
    stream: Option<RecordedStream>,
    /// Packets that wait for one before them, by their place.
    waiting: BTreeMap<u64, WaitingPacket>,
    /// The last packet of the stream that was written.
    last: Option<(u16, Arc<[u8]>)>,
    /// A packet was too late since the last one was written.
    was_late: bool,
    track: RecordedTrack,
}

/// The stream that is recorded.
#[derive(Debug, Clone, Copy)]
struct RecordedStream {
    ssrc: u32,
    /// The timestamp of the latest packet, and its place.
    rtp_time: u32,
    place: u64,
    /// When the last packet, and the last one with sound, arrived.
    last_at: u64,
    last_sound_at: u64,
}

struct WaitingPacket {
    sequence: u16,
    payload: Arc<[u8]>,
}

/// Whether a packet holds no sound.
fn is_silence(payload: &[u8]) -> bool {
    const { assert!(MAX_DTX_BYTES <= MAX_SILENCE) };
    payload.len() <= MAX_SILENCE
}

impl TrackRecorder {
    /// A recording that begins at `start`. `serial` tells its stream from others.
    pub(crate) fn new(start: SessionTime, serial: u32, comments: &[String]) -> Self {
        Self {
            writer: OggOpusWriter::new(serial, comments),
            start,
            stream: None,
            waiting: BTreeMap::new(),
            last: None,
            was_late: false,
            track: RecordedTrack::default(),
        }
    }

    /// Takes in a packet.
    pub(crate) fn handle_packet(&mut self, packet: &AudioPacket) {
        let Some(duration) = opus_packet::duration(&packet.payload) else { return };
        if packet.at < self.start || packet.payload.len() > MAX_PACKET {
            return;
        }
        let arrival = self.sample_at(packet.at);
        let is_silent = is_silence(&packet.payload);
        let Some(place) = self.place_of(packet, arrival, is_silent) else { return };
        let is_ahead = place >= arrival + samples_of(duration);
        let packet = WaitingPacket { sequence: packet.sequence, payload: packet.payload.clone() };
        if is_silent && is_ahead && self.waiting.is_empty() {
            // The stream is behind its time, and nobody misses this silence: what follows takes its place.
            self.move_stream_back(samples_of(duration));
            if let Some((sequence, _)) = &mut self.last {
                *sequence = packet.sequence;
            }
        } else if self.waiting.is_empty() && place <= self.writer.position() {
            self.write(place, packet);
        } else {
            self.waiting.entry(place).or_insert(packet);
        }
        self.write_due(arrival);
    }

    /// Notes when this side was audible.
    pub(crate) fn add_speech(&mut self, from: SessionTime, to: SessionTime) {
        let span = RecordedSpan { from: from.since(self.start), to: to.since(self.start) };
        // Those beyond lengthen the last.
        let is_full = self.track.speech.len() >= MAX_RECORDED_PARTS;
        match self.track.speech.last_mut().filter(|_| is_full) {
            Some(last) => last.to = span.to,
            None => self.track.speech.push(span),
        }
    }

    /// Notes where digital silence cuts the speech of this side.
    pub(crate) fn add_cut(&mut self, cut: SpeechCut) {
        let Some(stream) = self.stream.filter(|stream| stream.ssrc == cut.ssrc) else { return };
        let ahead = i64::from(cut.rtp_time.wrapping_sub(stream.rtp_time).cast_signed());
        if ahead.unsigned_abs() > CUT_WITHIN {
            return;
        }
        let from = duration_of(stream.place.saturating_add_signed(ahead));
        let cause = RecordedGapCause::Starved;
        self.add_gap(RecordedGap { from, to: from + cut.length, cause });
    }

    /// The bytes that are complete, if there are at least so many.
    pub(crate) fn take(&mut self, at_least: usize) -> Option<Vec<u8>> {
        (self.writer.pending() >= at_least.max(1)).then(|| self.writer.take())
    }

    /// Ends the recording, as long as until `end`. Returns the last bytes, and what is known of the sound.
    pub(crate) fn finish(mut self, end: SessionTime) -> (Vec<u8>, RecordedTrack) {
        let end = self.sample_at(end);
        while let Some((place, packet)) = self.waiting.pop_first() {
            self.write(place, packet);
        }
        self.fill_with_silence(end);
        self.writer.finish(end);
        // Where speech was cut is known only later.
        self.track.gaps.sort_by_key(|gap| gap.from);
        (self.writer.take(), self.track)
    }

    /// The step of the recording at a time.
    fn sample_at(&self, at: SessionTime) -> u64 {
        let samples = samples_of(at.since(self.start));
        samples - samples % STEP
    }

    /// Where a packet is heard; `None` if it is not recorded.
    fn place_of(&mut self, packet: &AudioPacket, arrival: u64, is_silent: bool) -> Option<u64> {
        let known = self.stream.filter(|stream| stream.ssrc == packet.ssrc);
        let Some(mut stream) = known else {
            let yields = self.stream.is_none_or(|stream| {
                let has_ended = arrival >= stream.last_at + ENDS_AFTER;
                has_ended || (!is_silent && arrival >= stream.last_sound_at + YIELDS_AFTER)
            });
            return if yields { self.begin_stream(packet, arrival) } else { None };
        };
        stream.last_at = stream.last_at.max(arrival);
        if !is_silent {
            stream.last_sound_at = stream.last_sound_at.max(arrival);
        }
        let ahead = i64::from(packet.rtp_time.wrapping_sub(stream.rtp_time).cast_signed());
        let place = stream.place.saturating_add_signed(ahead);
        let place = place - place % STEP;
        if place.abs_diff(arrival) > FAR {
            return self.begin_stream(packet, arrival);
        }
        let end = self.writer.position();
        // What comes when its place is past is not heard, unless all that follows it is as late.
        let is_late = arrival > place + PLAYOUT;
        if ahead <= 0 || (place + STEP < end && !is_late) {
            self.stream = Some(stream);
            return (place >= end).then_some(place);
        }
        (stream.rtp_time, stream.place) = (packet.rtp_time, place);
        if is_late {
            self.was_late = true;
            stream.place = arrival.max(end);
        }
        self.stream = Some(stream);
        // A packet longer than its step of the timestamps is put behind the one before.
        Some(stream.place.max(end))
    }

    /// Begins to record another stream, or the same one anew; not one that sends faster than it is heard.
    fn begin_stream(&mut self, packet: &AudioPacket, arrival: u64) -> Option<u64> {
        while let Some((place, packet)) = self.waiting.pop_first() {
            self.write(place, packet);
        }
        self.last = None;
        let place = arrival.max(self.writer.position());
        if place - arrival > FAR {
            return None;
        }
        self.stream = Some(RecordedStream {
            ssrc: packet.ssrc,
            rtp_time: packet.rtp_time,
            place,
            last_at: arrival,
            last_sound_at: arrival,
        });
        Some(place)
    }

    fn move_stream_back(&mut self, samples: u64) {
        if let Some(stream) = &mut self.stream {
            stream.place = stream.place.saturating_sub(samples);
        }
    }

    /// Writes the packets whose turn it is: those that follow the one before, and those that have waited for so long that
    /// the ones before them would not be heard any more.
    fn write_due(&mut self, now: u64) {
        while let Some(first) = self.waiting.first_entry() {
            let place = *first.key();
            let follows = place <= self.writer.position();
            if !follows && now < place + PLAYOUT && self.waiting.len() <= MAX_WAITING {
                return;
            }
            let (place, packet) = self.waiting.pop_first().expect("it has a first");
            self.write(place, packet);
        }
    }

    fn write(&mut self, place: u64, packet: WaitingPacket) {
        let from = self.writer.position();
        if place + STEP < from {
            // It lies within one that is longer than its timestamps say.
            return;
        }
        if place > from {
            self.note_gap(from, place, packet.sequence);
            self.fill(place);
        }
        self.was_late = false;
        self.writer.push(packet.payload.clone());
        self.track.packets += 1;
        self.last = Some((packet.sequence, packet.payload));
    }

    /// Notes why packets are missing before this one. A sender that sends nothing in silence leaves no gap.
    fn note_gap(&mut self, from: u64, to: u64, sequence: u16) {
        let Some((last, _)) = &self.last else { return };
        let is_lost = sequence.wrapping_sub(*last) > 1;
        let cause = match (self.was_late, is_lost) {
            (_, true) => RecordedGapCause::Lost,
            (true, false) => RecordedGapCause::Late,
            (false, false) => return,
        };
        self.add_gap(RecordedGap { from: duration_of(from), to: duration_of(to), cause });
    }

    fn add_gap(&mut self, gap: RecordedGap) {
        let is_full = self.track.gaps.len() >= MAX_RECORDED_PARTS;
        match self.track.gaps.last_mut().filter(|_| is_full) {
            Some(last) => last.to = last.to.max(gap.to),
            None => self.track.gaps.push(gap),
        }
    }

    /// Fills up to `place`: what is missing after a packet is concealed at first.
    fn fill(&mut self, place: u64) {
        let from = self.writer.position();
        let conceals = self.last.as_ref().and_then(|(_, payload)| {
            let packet = concealed(payload)?;
            let duration = samples_of(opus_packet::duration(&packet)?);
            Some((Arc::from(packet.as_slice()), duration))
        });
        if let Some((packet, duration)) = conceals {
            let packet: Arc<[u8]> = packet;
            while self.writer.position() + duration <= place.min(from + CONCEALED) {
                self.writer.push(packet.clone());
            }
        }
        self.fill_with_silence(place);
    }

    fn fill_with_silence(&mut self, place: u64) {
        while self.writer.position() + STEP <= place {
            let missing = place - self.writer.position();
            self.writer.push(Arc::from(silence(missing).as_slice()));
        }
    }
}

#[cfg(test)]
mod tests;
