//! An agent's audio: detects the caller's speech and sends the agent's frames on time.

use std::sync::Arc;

use super::avatar::{AvatarLink, BecameAudible};
use super::breakup::{BreakKind, Breakup, FRAMES_AFTER, SpeechBreak, Transcoder};
use rushhour_callers::audio::{
    AudioReception, Clip, DEFAULT_HANGOVER, DueFrame, FRAME_DURATION, OpusError, Playback,
    ReceptionStats, SpeechEdge, VoiceActivity,
};
use rushhour_callers::engine::ParticipantHandle;
use rushhour_callers::participant::AudioPacket;
use rushhour_core::units::SessionTime;

/// Where the agent's speech goes.
#[derive(Debug)]
enum Output {
    /// Its own track; `None` until the connection is open.
    Own(Option<Playback>),
    /// The track of its avatar.
    Avatar(AvatarLink),
}

#[derive(Debug)]
pub(super) struct Voice {
    activity: VoiceActivity,
    output: Output,
    /// A second track, from then on.
    background: Option<Playback>,
    /// The track of the caller's audio.
    track: Option<Arc<str>>,
    /// What the network did to it.
    reception: AudioReception,
    /// How its own track breaks up, if it does.
    breakup: Option<Breakup>,
    /// Encodes its own track anew, if digital silence cuts it.
    transcoder: Option<Transcoder>,
    /// Breaks that were not recorded yet.
    breaks: Vec<SpeechBreak>,
    /// While it stalls: until when, and what waits.
    stalled_until: Option<SessionTime>,
    stalled: Vec<DueFrame>,
    /// Frames that are lost from now on.
    losing: u64,
}

impl Voice {
    /// A voice on a track of its own, or on that of an avatar.
    pub(super) fn new(
        avatar: Option<AvatarLink>,
        breakup: Option<Breakup>,
    ) -> Result<Self, OpusError> {
        let activity = VoiceActivity::new(DEFAULT_HANGOVER)?;
        let output = avatar.map_or(Output::Own(None), Output::Avatar);
        let reception = AudioReception::default();
        let has_cuts = breakup.as_ref().is_some_and(Breakup::has_cuts);
        let transcoder = has_cuts.then(Transcoder::new).transpose()?;
        Ok(Self {
            activity,
            output,
            background: None,
            track: None,
            reception,
            breakup,
            transcoder,
            breaks: Vec::new(),
            stalled_until: None,
            stalled: Vec::new(),
            losing: 0,
        })
    }

    pub(super) const fn has_own_track(&self) -> bool {
        matches!(self.output, Output::Own(_))
    }

    /// Whether what it says is heard: an avatar must have joined.
    pub(super) const fn can_speak(&self) -> bool {
        match &self.output {
            Output::Own(playback) => playback.is_some(),
            Output::Avatar(avatar) => avatar.is_open(),
        }
    }

    /// From this tick on, sends a frame every 20 ms: `ambience` or silence if there is nothing to say; and `background`
    /// on a second track.
    pub(super) fn start_playback(
        &mut self,
        first_tick: SessionTime,
        ambience: Option<Clip>,
        background: Option<Clip>,
    ) {
        match &mut self.output {
            Output::Own(playback) => {
                playback.insert(Playback::new(first_tick, 0)).set_background(ambience);
            }
            Output::Avatar(avatar) => avatar.set_ambience(ambience),
        }
        self.background = background.map(|noise| {
            let mut playback = Playback::new(first_tick, 0);
            playback.set_background(Some(noise));
            playback
        });
    }

    /// What is sent from now on when there is nothing to say.
    pub(super) fn set_ambience(&mut self, noise: Option<Clip>) {
        match &mut self.output {
            Output::Own(Some(playback)) => playback.set_background(noise),
            Output::Own(None) => {}
            Output::Avatar(avatar) => avatar.set_ambience(noise),
        }
    }

    pub(super) fn speak(&mut self, clip: Clip) {
        match &mut self.output {
            Output::Own(Some(playback)) => playback.play(clip),
            Output::Own(None) => {}
            Output::Avatar(avatar) => avatar.speak(clip),
        }
    }

    pub(super) fn stop_speaking(&mut self) {
        match &mut self.output {
            Output::Own(Some(playback)) => {
                playback.stop();
            }
            Output::Own(None) => {}
            Output::Avatar(avatar) => avatar.stop(),
        }
    }

    pub(super) fn is_speaking(&self) -> bool {
        match &self.output {
            Output::Own(playback) => playback.as_ref().is_some_and(Playback::is_playing),
            Output::Avatar(avatar) => avatar.is_speaking(),
        }
    }

    pub(super) fn caller_track(&self) -> Option<&str> {
        self.track.as_deref()
    }

    /// Receives a packet of the caller and returns the edges of speech that it reveals.
    pub(super) fn receive(
        &mut self,
        packet: &AudioPacket,
        track: Option<Arc<str>>,
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

    /// Sends the frames that are due. Returns when what it says became audible, if it did.
    pub(super) fn send_due(&mut self, handle: &mut dyn ParticipantHandle) -> Option<BecameAudible> {
        let playback = match &mut self.output {
            Output::Own(playback) => playback.as_mut()?,
            Output::Avatar(avatar) => return avatar.receive(),
        };
        let mut became = None;
        while let Some(mut frame) = playback.next_due(handle.now()) {
            if let Some(transcoder) = &mut self.transcoder {
                frame.payload = transcoder.transcode(&frame.payload);
            }
            if let Some(left) = self.losing.checked_sub(1) {
                self.losing = left;
                handle.lose_audio();
                continue;
            }
            if let Some(until) = self.stalled_until {
                let is_over = frame.due >= until;
                self.stalled.push(frame);
                if is_over {
                    self.stalled_until = None;
                    for frame in self.stalled.drain(..) {
                        handle.send_audio(&frame.payload, frame.rtp_time, frame.marker);
                    }
                }
                continue;
            }
            let outcome = handle.send_audio(&frame.payload, frame.rtp_time, frame.marker);
            if frame.is_first_audible {
                became = Some(BecameAudible { at: handle.now(), outcome });
            }
            let speaks = playback.audible_left() > FRAMES_AFTER;
            let Some(breakup) = self.breakup.as_mut().filter(|_| speaks) else { continue };
            let Some(one) = breakup.count(handle.now()) else { continue };
            match one.kind {
                BreakKind::Cut => playback.interrupt(one.length),
                BreakKind::Stall => {
                    // The first that waits is so much late.
                    self.stalled_until = Some(frame.due + FRAME_DURATION + one.length);
                }
                BreakKind::Loss => {
                    let frames = one.length.0 / FRAME_DURATION.0;
                    let left = playback.audible_left().saturating_sub(FRAMES_AFTER) as u64;
                    if frames > left {
                        // Nobody would miss what is lost at the end.
                        continue;
                    }
                    self.losing = frames;
                }
            }
            self.breaks.push(one);
        }
        became
    }

    /// The breaks since this was last asked for.
    pub(super) fn take_breaks(&mut self) -> Vec<SpeechBreak> {
        std::mem::take(&mut self.breaks)
    }

    /// Sends what is due on the second track, if there is one.
    pub(super) fn send_background(&mut self, handle: &mut dyn ParticipantHandle) {
        let Some(playback) = &mut self.background else { return };
        while let Some(frame) = playback.next_due(handle.now()) {
            handle.send_background(&frame.payload, frame.rtp_time, frame.marker);
        }
    }
}
