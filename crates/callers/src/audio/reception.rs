//! What the network did to received audio: loss, delay and jitter, from the packets alone.

use super::voice_activity::MAX_TRACKS;
use crate::participant::AudioPacket;
use rushhour_core::event::ReceivedAudio;
use rushhour_core::units::{Micros, SessionTime};

/// The RTP clock of Opus.
const RTP_HZ: f64 = 48_000.0;
/// A sequence number further away than this begins a new stream (RFC 3550, appendix A.1).
const MAX_DROPOUT: u16 = 3_000;

/// Statistics of one stream of audio packets.
///
/// Loss and jitter are those of RFC 3550, appendix A; the deviation of the delay is what `[[network]] jitter` sets.
#[derive(Debug, Clone, Default)]
pub struct AudioReception {
    stream: Option<Stream>,
    received: u64,
    /// The mean of the relative delays in microseconds, and the sum of the squares of the differences from it.
    mean: f64,
    squares: f64,
    /// The interarrival jitter, in microseconds.
    jitter: f64,
    /// The sum of the differences in delay between one packet and the next, of which that jitter is a moving mean.
    differences: f64,
}

/// The stream that is received; another SSRC starts anew.
#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    first: u64,
    /// The highest sequence number, extended beyond 16 bits.
    highest: u64,
    first_rtp_time: u32,
    first_at: SessionTime,
    last_delay: f64,
}

impl Stream {
    /// By how much a packet's number is above the highest.
    const fn ahead(&self, packet: &AudioPacket) -> i16 {
        #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are the number")]
        packet.sequence.wrapping_sub(self.highest as u16).cast_signed()
    }
}

/// What was received so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReceptionStats {
    /// Packets that arrived.
    pub received: u64,
    /// Packets that did not, between the first and the last that did.
    pub lost: u64,
    /// The standard deviation of the one-way delay.
    pub delay_deviation: Micros,
    /// The interarrival jitter of RTCP.
    pub interarrival_jitter: Micros,
}

impl AudioReception {
    /// Takes in a packet.
    pub fn handle_packet(&mut self, packet: &AudioPacket) {
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.ssrc == packet.ssrc) else {
            // Extended numbers begin in the middle, so that a packet from before the first is no overflow.
            let first = (1 << 32) + u64::from(packet.sequence);
            *self = Self {
                stream: Some(Stream {
                    ssrc: packet.ssrc,
                    first,
                    highest: first,
                    first_rtp_time: packet.rtp_time,
                    first_at: packet.at,
                    last_delay: 0.0,
                }),
                received: 1,
                ..Self::default()
            };
            return;
        };
        self.received += 1;
        let ahead = stream.ahead(packet);
        let extended = stream.highest.wrapping_add_signed(i64::from(ahead));
        stream.highest = stream.highest.max(extended);
        stream.first = stream.first.min(extended);
        let sent = packet.rtp_time.wrapping_sub(stream.first_rtp_time).cast_signed();
        let sent = f64::from(sent) / RTP_HZ * 1e6;
        let arrived = packet.at.0 as f64 - stream.first_at.0 as f64;
        let delay = arrived - sent;
        let change = (delay - stream.last_delay).abs();
        self.jitter += (change - self.jitter) / 16.0;
        self.differences += change;
        stream.last_delay = delay;
        // B. P. Welford's (1962); the first packet's delay is the zero of all others.
        let difference = delay - self.mean;
        self.mean += difference / self.received as f64;
        self.squares += difference * (delay - self.mean);
    }

    /// Whether a packet belongs to the stream that was received so far.
    fn continues_with(&self, packet: &AudioPacket) -> bool {
        self.stream.is_some_and(|stream| {
            stream.ssrc == packet.ssrc && stream.ahead(packet).unsigned_abs() <= MAX_DROPOUT
        })
    }

    /// The same over all packets so far.
    fn received(&self) -> ReceivedAudio {
        let lost = self.stats().map_or(0, |stats| stats.lost);
        let mean = self.differences / self.received.max(1) as f64;
        let jitter = Micros::from_secs_f64(mean / 1e6);
        ReceivedAudio { packets: self.received, lost, jitter }
    }

    /// What was received so far; `None` before the first packet.
    pub fn stats(&self) -> Option<ReceptionStats> {
        let stream = self.stream?;
        let expected = stream.highest - stream.first + 1;
        let deviation = (self.squares / self.received as f64).sqrt();
        Some(ReceptionStats {
            received: self.received,
            // A packet that came twice is received twice.
            lost: expected.saturating_sub(self.received),
            delay_deviation: Micros::from_secs_f64(deviation / 1e6),
            interarrival_jitter: Micros::from_secs_f64(self.jitter / 1e6),
        })
    }
}

/// What the network did to a voice, on all its tracks.
#[derive(Debug, Default)]
pub struct VoiceReception {
    tracks: Vec<AudioReception>,
    /// Of streams that have ended.
    past: ReceivedAudio,
}

impl VoiceReception {
    /// Takes in a packet of the voice.
    pub fn handle_packet(&mut self, packet: &AudioPacket) {
        if self.handle_filler(packet) {
            return;
        }
        if self.tracks.len() == MAX_TRACKS {
            self.past = self.past.plus(&self.tracks.remove(0).received());
        }
        let mut track = AudioReception::default();
        track.handle_packet(packet);
        self.tracks.push(track);
    }

    /// Takes in a packet with which the server fills a pause of a sender: it has a number too, but begins no track. Returns
    /// whether it is of one that is known.
    pub fn handle_filler(&mut self, packet: &AudioPacket) -> bool {
        let known = self.tracks.iter_mut().find(|track| track.continues_with(packet));
        known.map(|track| track.handle_packet(packet)).is_some()
    }

    /// What is missing between the packets so far and the next is not lost on this way.
    pub fn interrupt(&mut self) {
        self.past = self.received().unwrap_or_default();
        self.tracks.clear();
    }

    /// What was received so far; `None` before the first packet.
    pub fn received(&self) -> Option<ReceivedAudio> {
        let all = self.tracks.iter().fold(self.past, |sum, track| sum.plus(&track.received()));
        (all.packets > 0).then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::network::{DatagramFate, PathModel};
    use rushhour_core::profile::testing::network_conditions;

    fn packet(number: u64, ssrc: u32, at: SessionTime) -> AudioPacket {
        #[expect(clippy::cast_possible_truncation, reason = "as on the wire")]
        let (sequence, rtp_time) =
            ((65_000 + number) as u16, (4_294_000_000 + number * 960) as u32);
        AudioPacket { ssrc, sequence, rtp_time, payload: Arc::default(), at }
    }

    #[test]
    fn what_a_network_does_is_measured_as_that() {
        let conditions = network_conditions(
            serde_json::json!({ "loss": "5%", "jitter": "50ms", "delay": "20ms" }),
        );
        let mut model = PathModel::new(&conditions, 4);
        let mut arrivals: Vec<(SessionTime, u64)> = (0..10_000)
            .filter_map(|n| match model.pass(SessionTime(n * 20_000), 100) {
                DatagramFate::Arrives(at) => Some((at, n)),
                _ => None,
            })
            .collect();
        arrivals.sort_unstable();
        let mut reception = AudioReception::default();
        assert_eq!(reception.stats(), None);
        for (at, number) in &arrivals {
            reception.handle_packet(&packet(*number, 1, *at));
        }
        let stats = reception.stats().unwrap();
        assert_eq!(stats.received, arrivals.len() as u64);
        let share = stats.lost as f64 / 10_000.0;
        assert!((share - 0.05).abs() < 0.005, "{share}");
        let deviation = stats.delay_deviation.0 as f64 / 1e3;
        assert!((deviation - 50.0).abs() < 5.0, "{deviation}");
        // What docs/callers.md says of RTCP's jitter.
        let mean = reception.received().jitter;
        for jitter in [stats.interarrival_jitter, mean] {
            assert!((15_000..40_000).contains(&jitter.0), "{jitter}");
        }
    }

    #[test]
    fn packets_out_of_order_are_not_lost_and_another_stream_starts_anew() {
        let mut reception = AudioReception::default();
        for number in [5, 4, 7, 8, 6, 10] {
            reception.handle_packet(&packet(number, 1, SessionTime(number * 20_000)));
        }
        let stats = reception.stats().unwrap();
        assert_eq!((stats.received, stats.lost), (6, 1));
        assert_eq!(stats.delay_deviation, Micros::ZERO);
        reception.handle_packet(&packet(3, 2, SessionTime(1)));
        assert_eq!(reception.stats().unwrap().received, 1);
    }

    #[test]
    fn a_voice_is_received_on_all_its_tracks_and_what_an_interruption_takes_is_not_lost() {
        let mut voice = VoiceReception::default();
        assert_eq!(voice.received(), None);
        assert!(!voice.handle_filler(&packet(0, 1, SessionTime(0))), "it is of no track");
        assert_eq!(voice.received(), None);
        let takes_in = |voice: &mut VoiceReception, ssrc, numbers: &[u64]| {
            for number in numbers {
                voice.handle_packet(&packet(*number, ssrc, SessionTime(number * 20_000)));
            }
        };
        // An agent and its avatar, in turns.
        for number in 0..20 {
            takes_in(&mut voice, 1, &[number]);
            takes_in(&mut voice, 2, &[number + 500]);
        }
        let packets_lost = |voice: &VoiceReception| {
            let received = voice.received().unwrap();
            (received.packets, received.lost)
        };
        assert_eq!(packets_lost(&voice), (40, 0));
        takes_in(&mut voice, 1, &[23]);
        assert!(voice.handle_filler(&packet(24, 1, SessionTime(480_000))));
        assert_eq!(packets_lost(&voice), (42, 3));
        voice.interrupt();
        takes_in(&mut voice, 1, &[90, 92]);
        assert_eq!(packets_lost(&voice), (44, 4), "but for what was missed meanwhile");
        takes_in(&mut voice, 1, &[9_000]);
        assert_eq!(packets_lost(&voice), (45, 4), "a new stream");
        for ssrc in 10..30 {
            takes_in(&mut voice, ssrc, &[1, 3]);
        }
        assert_eq!(packets_lost(&voice), (85, 24));
        assert!(voice.tracks.len() <= MAX_TRACKS);
        assert_eq!(voice.received().unwrap().jitter, Micros::ZERO);
    }
}
