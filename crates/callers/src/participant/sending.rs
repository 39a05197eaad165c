//! What a participant sends: audio, texts, and packets of data.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::ParticipantError;
use super::participant::{OwnTrack, Participant, ParticipantOutput, SendOutcome};
use rushhour_core::units::SessionTime;

impl Participant {
    /// Sends an Opus packet of 20 ms on a track that it publishes. `rtp_time` is its RTP timestamp at 48 kHz; `marker`
    /// begins a talk spurt.
    ///
    /// # Errors
    /// If the peer connection cannot continue.
    pub fn send_audio(
        &mut self,
        track: OwnTrack,
        payload: Arc<[u8]>,
        rtp_time: u32,
        marker: bool,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<SendOutcome, ParticipantError> {
        if !self.peers.publisher.send_audio(track, payload, rtp_time, marker, now) {
            return Ok(SendOutcome::NotSent);
        }
        // Without a timeout the packet would stay in str0m's queue until the next input.
        self.peers.publisher.handle_timeout(now)?;
        self.poll(now, out)?;
        Ok(SendOutcome::Sent)
    }

    /// Uses up the sequence number of a packet on a track that it publishes, as if the network had lost it.
    pub fn lose_audio(&mut self, track: OwnTrack) {
        self.peers.publisher.lose_audio(track);
    }

    /// Sends a text as one stream. `wall_ms` is the time in its header, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// If the peer connection cannot continue.
    pub fn send_text(
        &mut self,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
        wall_ms: i64,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<SendOutcome, ParticipantError> {
        // Encoding a packet uses up its sequence number, so nothing is encoded that cannot be sent.
        if !self.is_open() {
            return Ok(SendOutcome::NotSent);
        }
        let packets = self.data_sender.text(topic, text, attributes, wall_ms);
        self.send_packets(&packets, now, out)
    }

    /// Sends packets that [`Self::data_sender`] encoded, up to the first that does not fit the send buffer.
    pub(crate) fn send_packets(
        &mut self,
        packets: &[Vec<u8>],
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<SendOutcome, ParticipantError> {
        // str0m must be asked for all it has to say between any two inputs; audio that arrived may have left something.
        self.poll(now, out)?;
        self.peers.publisher.handle_timeout(now)?;
        self.poll(now, out)?;
        for packet in packets {
            if !self.peers.publisher.send_data(packet) {
                return Ok(SendOutcome::NotSent);
            }
            self.poll(now, out)?;
        }
        Ok(SendOutcome::Sent)
    }
}
