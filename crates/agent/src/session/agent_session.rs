//! The life of one agent: it joins, becomes ready, takes turns and leaves.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::attributes::CHAT_TOPIC;
use super::avatar::AvatarLink;
use super::breakup::Breakup;
use super::context::{AgentContext, staying};
use super::sounds::{BACKGROUND, Sounds, TYPING};
use super::step_queue::{Step, StepQueue};
use super::turns::Answer;
use super::voice::Voice;
use crate::behaviour::JobFault;
use crate::truth::{AgentFact, MeasuredDelay, NoiseSource};
use crate::worker::{Assignment, HandOver, JobEnd, SessionEnd};
use rushhour_callers::audio::OpusError;
use rushhour_callers::data::DataEvent;
use rushhour_callers::engine::{LeaveReason, NextTick, ParticipantHandle, ParticipantHandler};
use rushhour_callers::participant::{
    DepartureReason, DisconnectError, JoinConfig, ParticipantEvent, RemoteParticipant,
};
use rushhour_core::units::{Identity, Micros, Mode, RoomName, SessionTime};
use rushhour_livekit::AgentState;

/// The longest text from a caller, in bytes; further chunks are dropped.
const MAX_TEXT: usize = 64 * 1_024;
/// The maximum number of open text streams; the oldest is dropped.
const MAX_OPEN_TEXTS: usize = 8;

/// The maximum number of tracks of other agents that are told from the caller's.
const MAX_AGENT_TRACKS: usize = 64;
/// How often an agent looks whether its avatar is there.
const AVATAR_POLL: Micros = Micros::from_millis(20);

/// Called once, when the session has ended or another agent is to go on with it.
type OnSessionEnd = Box<dyn FnOnce(SessionEnd) + Send>;

/// Why the agent is leaving its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Departure {
    CallerLeft,
    Crash,
    HandedOver,
}

/// What the agent takes the caller's speech for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallerSpeech {
    Turn,
    /// It goes on with its answer meanwhile, and hears no turn.
    Backchannel,
}

/// One agent in one room.
pub(crate) struct AgentSession {
    pub(super) context: Arc<AgentContext>,
    pub(super) room: RoomName,
    pub(super) fault: Option<JobFault>,
    /// `None` in a chat.
    pub(super) voice: Option<Voice>,
    pub(super) steps: StepQueue,
    /// The participant that the agent answers.
    pub(super) caller: Option<Identity>,
    pub(super) ready: bool,
    /// The number of the caller's turns so far.
    pub(super) turn: u32,
    /// How many of them were answered.
    pub(super) answered: u32,
    /// The answer in preparation or in progress.
    pub(super) answer: Option<Answer>,
    /// The greeting that waits for the end of an answer, and since when it is due.
    pub(super) late_greeting: Option<SessionTime>,
    /// The SIDs of the tracks of agents, which are no callers: its avatar, an agent that takes over.
    agent_tracks: HashSet<String>,
    pub(super) caller_speech: CallerSpeech,
    /// Whether keys are heard.
    typing: bool,
    /// The agent that takes over, once this one hands over.
    pub(super) successor: Option<Identity>,
    /// When the agent before this one began to hand over, if there was one.
    pub(super) took_over_from: Option<SessionTime>,
    pub(super) identity: Identity,
    assigned_at: SessionTime,
    /// Set once the agent has asked to leave.
    departure: Option<Departure>,
    /// Whether the context counts this session.
    counted: bool,
    /// The open text streams of the caller, by id.
    open_texts: Vec<(String, String)>,
    pub(super) on_end: Option<OnSessionEnd>,
}

impl AgentSession {
    /// A session that is about to join, with the avatar that speaks for it if it has one. It calls `on_end` in any case,
    /// even if it is only dropped.
    ///
    /// # Errors
    /// If libopus has no memory.
    pub(crate) fn new(
        context: Arc<AgentContext>,
        assignment: &Assignment,
        avatar: Option<AvatarLink>,
        on_end: OnSessionEnd,
    ) -> Result<Self, OpusError> {
        let voice = match assignment.mode {
            Mode::Voice => {
                let breakup = Breakup::of(&context.behaviour, &assignment.room);
                Some(Voice::new(avatar, breakup)?)
            }
            Mode::Chat => None,
        };
        Ok(Self {
            context,
            room: assignment.room.clone(),
            fault: assignment.fault,
            voice,
            steps: StepQueue::default(),
            caller: None,
            ready: false,
            turn: 0,
            answered: 0,
            answer: None,
            late_greeting: None,
            agent_tracks: HashSet::new(),
            caller_speech: CallerSpeech::Turn,
            typing: false,
            successor: None,
            took_over_from: None,
            identity: assignment.identity.clone(),
            assigned_at: assignment.assigned_at,
            departure: None,
            counted: false,
            open_texts: Vec::new(),
            on_end: Some(on_end),
        })
    }

    /// The same session as that of another agent before, which handed over to this one.
    pub(crate) fn taking_over(mut self, from: HandOver) -> Self {
        let HandOver { to, since, gap: _, caller, turn, answered } = from;
        (self.identity, self.took_over_from) = (to, Some(since));
        (self.caller, self.turn, self.answered) = (caller, turn, answered);
        self
    }

    pub(crate) fn join_config(&self) -> JoinConfig {
        JoinConfig {
            publish_audio: self.voice.as_ref().is_some_and(Voice::has_own_track),
            publish_background: self.voice.is_some()
                && self.context.behaviour.noise.background_track,
            attributes: if self.context.behaviour.states {
                AgentState::Initializing.attributes()
            } else {
                HashMap::new()
            },
            reconnect: staying(),
        }
    }

    pub(super) fn record(&self, at: SessionTime, fact: AgentFact) {
        self.context.truth.record(at, fact);
    }

    /// Publishes the state, unless the agent publishes none; keys are heard in `thinking`, if the agent types.
    pub(super) fn set_state(&mut self, state: &AgentState, handle: &mut dyn ParticipantHandle) {
        if self.context.behaviour.states {
            handle.set_attributes(state.attributes());
        }
        let types = *state == AgentState::Thinking;
        let sounds = &self.context.sounds;
        let (Some(voice), Some(typing)) = (&mut self.voice, &sounds.typing) else { return };
        if std::mem::replace(&mut self.typing, types) == types {
            return;
        }
        voice.set_ambience(if types { Some(typing.clone()) } else { sounds.ambience.clone() });
        let (room, source) = (self.room.clone(), NoiseSource::Typing);
        let fact = if types {
            AgentFact::NoiseBegan { room, source, level: TYPING }
        } else {
            AgentFact::NoiseEnded { room, source }
        };
        self.record(handle.now(), fact);
    }

    /// Leaves without notice, as the fault demands.
    pub(super) fn crash(&mut self, handle: &mut dyn ParticipantHandle) {
        let fact = AgentFact::Crashed { room: self.room.clone(), turns: self.answered };
        self.record(handle.now(), fact);
        self.leave(Departure::Crash, handle);
    }

    pub(super) const fn departure(&self) -> Option<Departure> {
        self.departure
    }

    pub(super) fn leave(&mut self, departure: Departure, handle: &mut dyn ParticipantHandle) {
        self.departure = Some(departure);
        self.steps.clear();
        handle.leave();
    }

    fn joined(
        &mut self,
        others: Vec<RemoteParticipant>,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        self.counted = true;
        self.context.session_joined();
        let fact = AgentFact::Joined {
            room: self.room.clone(),
            identity: self.identity.clone(),
            since_assigned_us: at.since(self.assigned_at),
        };
        self.record(at, fact);
        if !self.context.behaviour.states {
            self.record(at, AgentFact::NoState { room: self.room.clone() });
        }
        for participant in others {
            self.participant_changed(&participant, handle);
        }
        if self.fault == Some(JobFault::CrashAtJoin) {
            self.crash(handle);
        }
    }

    fn participant_changed(
        &mut self,
        participant: &RemoteParticipant,
        handle: &mut dyn ParticipantHandle,
    ) {
        self.successor_changed(participant, handle);
        if participant.is_agent {
            let sids = participant.audio_tracks.iter().map(|track| &track.sid);
            let free = MAX_AGENT_TRACKS.saturating_sub(self.agent_tracks.len());
            self.agent_tracks.extend(sids.take(free).cloned());
        }
        if participant.is_agent || participant.identity == self.identity {
            return;
        }
        if participant.connected {
            // The agent serves the first participant, as LiveKit's framework does.
            self.caller.get_or_insert_with(|| participant.identity.clone());
        } else if self.caller.as_ref() == Some(&participant.identity)
            && matches!(participant.departure, DepartureReason::Left | DepartureReason::Unknown)
        {
            // One that lost its connection, or joined again in its own place, may be back at once: LiveKit's framework
            // keeps the session for it too (`voice/room_io/types.py`).
            self.leave(Departure::CallerLeft, handle);
        }
    }

    fn channels_opened(&mut self, at: SessionTime, handle: &mut dyn ParticipantHandle) {
        if let Some(voice) = &mut self.voice {
            let Sounds { ambience, background, .. } = &self.context.sounds;
            voice.start_playback(handle.next_tick(), ambience.clone(), background.clone());
            let ambience = self.context.behaviour.noise.ambience;
            let background = background.as_ref().map(|_| BACKGROUND);
            for (source, level) in
                [(NoiseSource::Ambience, ambience), (NoiseSource::BackgroundTrack, background)]
            {
                if let Some(level) = level {
                    let room = self.room.clone();
                    self.record(at, AgentFact::NoiseBegan { room, source, level });
                }
            }
        }
        let delay = self.context.behaviour.ready_delay(&self.room);
        self.steps.schedule(at + delay, Step::BecomeReady { since: at });
    }

    fn become_ready(&mut self, since: SessionTime, handle: &mut dyn ParticipantHandle) {
        if self.voice.as_ref().is_some_and(|voice| !voice.can_speak()) {
            self.steps.schedule(handle.now() + AVATAR_POLL, Step::BecomeReady { since });
            return;
        }
        self.ready = true;
        self.set_state(&AgentState::Listening, handle);
        let now = handle.now();
        let wanted_us = self.context.behaviour.ready_delay(&self.room);
        let delay = MeasuredDelay { wanted_us, delay_us: now.since(since) };
        self.record(now, AgentFact::Ready { room: self.room.clone(), delay });
        if let Some(began) = self.took_over_from {
            let (room, identity) = (self.room.clone(), self.identity.clone());
            let delay_us = now.since(began);
            self.record(now, AgentFact::TookOver { room, identity, delay_us });
            return;
        }
        if self.fault == Some(JobFault::Mute) {
            return;
        }
        if let Some(delay) = self.context.behaviour.greeting_delay(&self.room) {
            self.steps.schedule(now + delay, Step::Greet { since: now });
        }
    }

    fn receive_data(
        &mut self,
        data: DataEvent,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        match data {
            DataEvent::TextStreamOpened { stream_id: stream, sender, topic, .. } => {
                // Texts from other participants, or from before the agent was ready, are ignored.
                let is_heard = self.ready && self.successor.is_none();
                if topic == CHAT_TOPIC && is_heard && self.caller.as_ref() == Some(&sender) {
                    if self.open_texts.len() >= MAX_OPEN_TEXTS {
                        self.open_texts.remove(0);
                    }
                    self.open_texts.push((stream, String::new()));
                }
            }
            DataEvent::TextChunk { stream_id: stream, text } => {
                let open = self.open_texts.iter_mut().find(|(open, _)| *open == stream);
                if let Some((_, whole)) = open.filter(|(_, whole)| whole.len() < MAX_TEXT) {
                    whole.push_str(&text);
                }
            }
            DataEvent::TextStreamClosed { stream_id: stream, .. } => {
                if let Some(index) = self.open_texts.iter().position(|(open, _)| *open == stream) {
                    let (_, text) = self.open_texts.remove(index);
                    self.receive_text(&text, at, handle);
                }
            }
            DataEvent::TextReceived { .. }
            | DataEvent::TextIncomplete { .. }
            | DataEvent::SegmentTranscribed { .. }
            | DataEvent::ByteStreamReceived { .. }
            | DataEvent::RpcCalled { .. }
            | DataEvent::DtmfReceived { .. }
            | DataEvent::Encrypted => {}
        }
    }

    fn perform(&mut self, step: Step, handle: &mut dyn ParticipantHandle) {
        match step {
            Step::BecomeReady { since } => self.become_ready(since, handle),
            Step::Greet { since } => self.greet(since, handle),
            Step::SendStaleSegment => self.send_stale_segment(handle),
            Step::EndTurn { since } => self.turn_over(since, handle),
            Step::StartAnswer => self.start_answer(handle),
            Step::ContinueEndlessText => self.continue_endless_text(handle),
            Step::FinishAnswer => self.finish_answer(handle),
            Step::YieldToCaller { since } => self.yield_to_caller(since, handle),
            Step::TalkOver { since } => self.talk_over(since, handle),
            Step::LeaveToSuccessor => self.leave(Departure::HandedOver, handle),
        }
    }

    fn end(&mut self, end: JobEnd) {
        if std::mem::take(&mut self.counted) {
            self.context.session_left();
        }
        if let Some(on_end) = self.on_end.take() {
            on_end(SessionEnd::Job(end));
        }
    }
}

impl ParticipantHandler for AgentSession {
    fn on_event(
        &mut self,
        event: ParticipantEvent,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        if self.departure.is_some() {
            return;
        }
        match event {
            ParticipantEvent::Joined { others, .. } => self.joined(others, at, handle),
            ParticipantEvent::DataChannelOpen => self.channels_opened(at, handle),
            ParticipantEvent::ParticipantUpdated(participant) => {
                self.participant_changed(&participant, handle);
            }
            ParticipantEvent::Data(data) => self.receive_data(data, at, handle),
            ParticipantEvent::Audio { packet, track_sid: track } => {
                let is_agent = track.as_ref().is_some_and(|sid| self.agent_tracks.contains(&**sid));
                if let Some(voice) = self.voice.as_mut().filter(|_| !is_agent) {
                    let edges = voice.receive(&packet, track);
                    self.receive_speech(&edges, handle);
                }
            }
            // It never joins anew, and the engine calls `on_left` with the reason.
            ParticipantEvent::Rejoined { .. }
            | ParticipantEvent::TrackPublished { .. }
            | ParticipantEvent::ServerKnown(_)
            | ParticipantEvent::ConnectionLost(_)
            | ParticipantEvent::Reconnected(_)
            | ParticipantEvent::PathChosen(_)
            | ParticipantEvent::ConnectionRated { .. }
            | ParticipantEvent::Disconnected(_) => {}
        }
    }

    fn on_tick(&mut self, handle: &mut dyn ParticipantHandle) -> NextTick {
        if let Some(voice) = &mut self.voice {
            let edges = voice.tick(handle.now());
            self.receive_speech(&edges, handle);
        }
        while let Some(step) = self.steps.take_due(handle.now()) {
            self.perform(step, handle);
        }
        if self.departure.is_some() {
            return NextTick::OnEvent;
        }
        self.send_due_frames(handle);
        if let Some(voice) = &mut self.voice {
            voice.send_background(handle);
        }
        match (&self.voice, self.steps.next()) {
            (Some(_), _) => NextTick::Next,
            (None, Some(at)) => NextTick::At(at),
            (None, None) => NextTick::OnEvent,
        }
    }

    fn on_left(&mut self, why: LeaveReason, at: SessionTime) {
        let (why, end) = match why {
            LeaveReason::ClientInitiated if self.departure == Some(Departure::Crash) => {
                ("the injected crash".to_owned(), JobEnd::Failed("crashed".to_owned()))
            }
            LeaveReason::ClientInitiated if self.departure == Some(Departure::HandedOver) => {
                ("it handed over to another agent".to_owned(), JobEnd::Done)
            }
            LeaveReason::ClientInitiated => ("the conversation is over".to_owned(), JobEnd::Done),
            LeaveReason::Disconnected(DisconnectError::RoomDeleted) => {
                ("the room was deleted".to_owned(), JobEnd::Done)
            }
            LeaveReason::JoinFailed(_) | LeaveReason::Disconnected(_) => {
                (why.to_string(), JobEnd::Failed(why.to_string()))
            }
        };
        if let Some(stats) = self.voice.as_ref().and_then(Voice::reception) {
            let room = self.room.clone();
            self.record(at, AgentFact::audio_received(room, stats));
        }
        self.record(at, AgentFact::Left { room: self.room.clone(), why, turns: self.answered });
        self.end(end);
    }
}

impl Drop for AgentSession {
    fn drop(&mut self) {
        self.end(JobEnd::Failed("the engine stopped".to_owned()));
    }
}
