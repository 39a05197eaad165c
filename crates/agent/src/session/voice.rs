//! An agent's audio: detects the caller's speech and sends the agent's frames on time.

use rushhour_callers::audio::{
    Clip, DEFAULT_HANGOVER, DueFrame, OpusError, Playback, SpeechEdge, VoiceActivity,
};
use rushhour_callers::engine::ParticipantHandle;
use rushhour_callers::participant::{AudioPacket, SendOutcome};
use rushhour_core::units::SessionTime;

#[derive(Debug)]
pub(super) struct Voice {
    activity: VoiceActivity,
    /// `None` until the connection is open.
    playback: Option<Playback>,
    /// The track of the caller's audio.
    track: Option<String>,
}

impl Voice {
    pub(super) fn new() -> Result<Self, OpusError> {
        let activity = VoiceActivity::new(DEFAULT_HANGOVER)?;
        Ok(Self { activity, playback: None, track: None })
    }

    /// From this tick on, sends a frame every 20 ms: silence if there is nothing to say.
    pub(super) fn start_playback(&mut self, first_tick: SessionTime) {
        self.playback = Some(Playback::new(first_tick, 0));
    }

    pub(super) fn speak(&mut self, clip: Clip) {
        if let Some(playback) = &mut self.playback {
            playback.play(clip);
        }
    }

    pub(super) fn stop_speaking(&mut self) {
        if let Some(playback) = &mut self.playback {
            playback.stop();
        }
    }

    pub(super) fn is_speaking(&self) -> bool {
        self.playback.as_ref().is_some_and(Playback::is_playing)
    }

    pub(super) fn caller_track(&self) -> Option<&str> {
        self.track.as_deref()
    }

    /// Receives a packet of the caller and returns the edges of speech that it reveals.
    pub(super) fn receive(
        &mut self,
        packet: &AudioPacket,
        track: Option<String>,
    ) -> Vec<SpeechEdge> {
        if track.is_some() {
            self.track = track;
        }
        self.activity.handle_packet(packet)
    }

    /// The edges of the caller's speech that the passing of time reveals.
    pub(super) fn tick(&mut self, now: SessionTime) -> Vec<SpeechEdge> {
        self.activity.handle_timeout(now)
    }

    /// Sends the next frame, if one is due.
    pub(super) fn send_due(
        &mut self,
        handle: &mut dyn ParticipantHandle,
    ) -> Option<(DueFrame, SendOutcome)> {
        let frame = self.playback.as_mut()?.next_due(handle.now())?;
        let outcome = handle.send_audio(&frame.payload, frame.rtp_time, frame.marker);
        Some((frame, outcome))
    }
}
