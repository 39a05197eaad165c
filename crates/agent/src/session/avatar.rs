//! The avatar of an agent: a second participant that publishes the voice on the agent's behalf, as LiveKit's framework
//! has it. The agent tells it what to say; the avatar tells the agent when it was sent.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use super::context::{AgentContext, staying};
use crate::truth::AgentFact;
use rushhour_callers::audio::{Clip, Playback};
use rushhour_callers::engine::{LeaveReason, NextTick, ParticipantHandle, ParticipantHandler};
use rushhour_callers::participant::{JoinConfig, ParticipantEvent, SendOutcome};
use rushhour_core::units::{Identity, Mode, RoomName, SessionTime};

/// What the agent tells its avatar.
#[derive(Debug)]
enum AvatarCommand {
    /// Says a clip, which has this number.
    Speak(u64, Clip),
    Stop,
    /// What is sent where nothing is said.
    SetAmbience(Option<Clip>),
}

/// What the avatar tells its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AvatarNotice {
    /// It can speak.
    Open,
    /// The first audible frame of a clip was sent.
    Audible { clip: u64, at: SessionTime, outcome: SendOutcome },
    /// A clip is over.
    Finished { clip: u64 },
}

/// A frame with which a clip became audible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BecameAudible {
    /// When it was handed to the system.
    pub(super) at: SessionTime,
    pub(super) outcome: SendOutcome,
}

/// The agent's end of the link to its avatar.
#[derive(Debug)]
pub(crate) struct AvatarLink {
    commands: Sender<AvatarCommand>,
    notices: Receiver<AvatarNotice>,
    is_open: bool,
    /// The number of the latest clip.
    clip: u64,
    is_speaking: bool,
}

impl AvatarLink {
    fn send(&self, command: AvatarCommand) {
        // Fails only once the avatar is gone: then nobody hears the agent.
        let _ = self.commands.send(command);
    }

    /// Whether the avatar can speak.
    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) const fn is_speaking(&self) -> bool {
        self.is_speaking
    }

    pub(super) fn speak(&mut self, clip: Clip) {
        self.clip += 1;
        self.is_speaking = true;
        self.send(AvatarCommand::Speak(self.clip, clip));
    }

    pub(super) fn stop(&mut self) {
        self.is_speaking = false;
        self.send(AvatarCommand::Stop);
    }

    pub(super) fn set_ambience(&self, noise: Option<Clip>) {
        self.send(AvatarCommand::SetAmbience(noise));
    }

    /// Receives what the avatar tells. Returns when the clip that is being said became audible.
    pub(super) fn receive(&mut self) -> Option<BecameAudible> {
        let mut became = None;
        while let Ok(notice) = self.notices.try_recv() {
            match notice {
                AvatarNotice::Open => self.is_open = true,
                AvatarNotice::Audible { clip, at, outcome } if clip == self.clip => {
                    became = self.is_speaking.then_some(BecameAudible { at, outcome });
                }
                AvatarNotice::Finished { clip } if clip == self.clip => self.is_speaking = false,
                // Of a clip that was stopped.
                AvatarNotice::Audible { .. } | AvatarNotice::Finished { .. } => {}
            }
        }
        became
    }
}

/// One avatar in one room.
pub(crate) struct AvatarSession {
    context: Arc<AgentContext>,
    room: RoomName,
    identity: Identity,
    /// On whose behalf it publishes.
    agent: Identity,
    mode: Mode,
    commands: Receiver<AvatarCommand>,
    notices: Sender<AvatarNotice>,
    /// `None` until the connection is open, and in a chat.
    playback: Option<Playback>,
    ambience: Option<Clip>,
    /// The number of the clip that is being said.
    clip: Option<u64>,
}

impl AvatarSession {
    /// An avatar of `agent` that is about to join, and the agent's end of the link to it.
    pub(crate) fn new(
        context: Arc<AgentContext>,
        room: RoomName,
        agent: Identity,
        mode: Mode,
    ) -> (Self, AvatarLink) {
        let (commands, commanded) = channel();
        let (notices, noticed) = channel();
        let session = Self {
            context,
            room,
            identity: Identity::new(format!("{}-avatar", agent.as_str())),
            agent,
            mode,
            commands: commanded,
            notices,
            playback: None,
            ambience: None,
            clip: None,
        };
        let (clip, is_open, is_speaking) = (0, false, false);
        (session, AvatarLink { commands, notices: noticed, is_open, clip, is_speaking })
    }

    pub(crate) const fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn join_config(&self) -> JoinConfig {
        JoinConfig {
            publish_audio: self.mode == Mode::Voice,
            reconnect: staying(),
            ..JoinConfig::default()
        }
    }

    fn notify(&self, notice: AvatarNotice) {
        // Fails only once the agent is gone, and then the avatar leaves.
        let _ = self.notices.send(notice);
    }

    /// Does what the agent tells. Leaves if there is no agent any more.
    fn obey(&mut self, handle: &mut dyn ParticipantHandle) {
        loop {
            match self.commands.try_recv() {
                Ok(AvatarCommand::Speak(number, clip)) => {
                    self.clip = Some(number);
                    if let Some(playback) = &mut self.playback {
                        playback.play(clip);
                    }
                }
                Ok(AvatarCommand::Stop) => {
                    self.clip = None;
                    if let Some(playback) = &mut self.playback {
                        playback.stop();
                    }
                }
                Ok(AvatarCommand::SetAmbience(noise)) => {
                    self.ambience.clone_from(&noise);
                    if let Some(playback) = &mut self.playback {
                        playback.set_background(noise);
                    }
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => return handle.leave(),
            }
        }
    }

    fn send_due(&mut self, handle: &mut dyn ParticipantHandle) {
        while let Some(frame) = self.playback.as_mut().and_then(|one| one.next_due(handle.now())) {
            let outcome = handle.send_audio(&frame.payload, frame.rtp_time, frame.marker);
            let Some(clip) = self.clip else { continue };
            if frame.is_first_audible {
                self.notify(AvatarNotice::Audible { clip, at: handle.now(), outcome });
            }
            if !self.playback.as_ref().is_some_and(Playback::is_playing) {
                self.clip = None;
                self.notify(AvatarNotice::Finished { clip });
            }
        }
    }
}

impl ParticipantHandler for AvatarSession {
    fn on_event(
        &mut self,
        event: ParticipantEvent,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        match event {
            ParticipantEvent::Joined { .. } => {
                let (room, identity) = (self.room.clone(), self.identity.clone());
                let publishes_for = self.agent.clone();
                let fact = AgentFact::AvatarJoined { room, identity, publishes_for };
                self.context.truth.record(at, fact);
            }
            ParticipantEvent::DataChannelOpen => {
                if self.mode == Mode::Voice {
                    let mut playback = Playback::new(handle.next_tick(), 0);
                    playback.set_background(self.ambience.clone());
                    self.playback = Some(playback);
                }
                self.notify(AvatarNotice::Open);
            }
            ParticipantEvent::ParticipantUpdated(one)
                if one.identity == self.agent && !one.connected =>
            {
                handle.leave();
            }
            _ => {}
        }
    }

    fn on_tick(&mut self, handle: &mut dyn ParticipantHandle) -> NextTick {
        self.obey(handle);
        self.send_due(handle);
        match self.mode {
            Mode::Voice => NextTick::Next,
            Mode::Chat => NextTick::OnEvent,
        }
    }

    fn on_left(&mut self, why: LeaveReason, at: SessionTime) {
        let (room, identity) = (self.room.clone(), self.identity.clone());
        let why = match why {
            LeaveReason::ClientInitiated => "its agent left".to_owned(),
            LeaveReason::JoinFailed(_) | LeaveReason::Disconnected(_) => why.to_string(),
        };
        self.context.truth.record(at, AgentFact::AvatarLeft { room, identity, why });
    }
}
