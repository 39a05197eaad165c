//! An agent's ear and mouth: frames out at their pace, edges of the caller's speech in.

use rushhour_callers::audio::{
    Clip, DEFAULT_HANGOVER, DueFrame, OpusError, Playback, SpeechEdge, VoiceActivity,
};
use rushhour_callers::engine::ParticipantHandle;
use rushhour_callers::participant::{AudioPacket, SendOutcome};
use rushhour_core::units::SessionTime;

/// An ear, and a mouth once there is a connection to speak into.
#[derive(Debug)]
pub(super) struct Voice {
    hearing: VoiceActivity,
    mouth: Option<Playback>,
    track: Option<String>,
}

impl Voice {
    pub(super) fn new() -> Result<Self, OpusError> {
        Ok(Self { hearing: VoiceActivity::new(DEFAULT_HANGOVER)?, mouth: None, track: None })
    }

    /// From a beat on a frame is sent every 20 ms, of silence where there is nothing to say.
    pub(super) fn open(&mut self, beat: SessionTime) {
        self.mouth = Some(Playback::new(beat, 0));
    }

    /// Begins to speak.
    pub(super) fn speak(&mut self, clip: Clip) {
        if let Some(mouth) = &mut self.mouth {
            mouth.play(clip);
        }
    }

    /// Falls silent.
    pub(super) fn hush(&mut self) {
        if let Some(mouth) = &mut self.mouth {
            mouth.stop();
        }
    }

    /// Whether there is more to say.
    pub(super) fn is_speaking(&self) -> bool {
        self.mouth.as_ref().is_some_and(Playback::is_playing)
    }

    /// The track on which the caller was heard.
    pub(super) fn callers_track(&self) -> Option<&str> {
        self.track.as_deref()
    }

    /// A packet of the caller's.
    pub(super) fn hear(&mut self, packet: &AudioPacket, track: Option<String>) -> Vec<SpeechEdge> {
        if track.is_some() {
            self.track = track;
        }
        self.hearing.handle_packet(packet)
    }

    /// What is known of the caller's speech now that time has passed.
    pub(super) fn listen(&mut self, now: SessionTime) -> Vec<SpeechEdge> {
        self.hearing.handle_timeout(now)
    }

    /// Sends the next frame that is due; gives it, and whether it went out.
    pub(super) fn send_due(
        &mut self,
        hand: &mut dyn ParticipantHandle,
    ) -> Option<(DueFrame, SendOutcome)> {
        let frame = self.mouth.as_mut()?.next_due(hand.now())?;
        let sent = hand.send_audio(&frame.payload, frame.rtp_time, frame.marker);
        Some((frame, sent))
    }
}
