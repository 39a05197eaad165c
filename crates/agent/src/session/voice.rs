//! An agent's audio: detects the caller's speech and sends the agent's frames on time.

use rushhour_callers::audio::{
    AudioReception, Clip, DEFAULT_HANGOVER, DueFrame, OpusError, Playback, ReceptionStats,
    SpeechEdge, VoiceActivity,
};
use rushhour_callers::engine::ParticipantHandle;
use rushhour_callers::participant::{AudioPacket, SendOutcome};
use rushhour_core::units::SessionTime;

#[derive(Debug)]
pub(super) struct Voice {
    activity: VoiceActivity,
    /// `None` until the connection is open.
    playback: Option<Playback>,
    /// A second track, from then on.
    background: Option<Playback>,
    /// The track of the caller's audio.
    track: Option<String>,
    /// What the network did to it.
    reception: AudioReception,
}

impl Voice {
    pub(super) fn new() -> Result<Self, OpusError> {
        let activity = VoiceActivity::new(DEFAULT_HANGOVER)?;
        let reception = AudioReception::default();
        Ok(Self { activity, playback: None, background: None, track: None, reception })
    }

    /// From this tick on, sends a frame every 20 ms: `ambience` or silence if there is nothing to say; and `background`
    /// on a second track.
    pub(super) fn start_playback(
        &mut self,
        first_tick: SessionTime,
        ambience: Option<Clip>,
        background: Option<Clip>,
    ) {
        let mut playback = Playback::new(first_tick, 0);
        playback.set_background(ambience);
        self.playback = Some(playback);
        self.background = background.map(|noise| {
            let mut playback = Playback::new(first_tick, 0);
            playback.set_background(Some(noise));
            playback
        });
    }

    /// What is sent from now on when there is nothing to say.
    pub(super) fn set_ambience(&mut self, noise: Option<Clip>) {
        if let Some(playback) = &mut self.playback {
            playback.set_background(noise);
        }
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
        self.reception.handle_packet(packet);
        self.activity.handle_packet(packet)
    }

    /// What was received of the caller's audio, if anything was.
    pub(super) fn reception(&self) -> Option<ReceptionStats> {
        self.reception.stats()
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

    /// Sends what is due on the second track, if there is one.
    pub(super) fn send_background(&mut self, handle: &mut dyn ParticipantHandle) {
        let Some(playback) = &mut self.background else { return };
        while let Some(frame) = playback.next_due(handle.now()) {
            handle.send_background(&frame.payload, frame.rtp_time, frame.marker);
        }
    }
}
