//! The life of one agent: it joins, says that it listens, takes turns, and leaves.

use std::sync::Arc;

use super::agenda::{Agenda, Step};
use super::answering::Answer;
use super::common::AgentContext;
use super::voice::Voice;
use super::words::{CHAT_TOPIC, State};
use crate::behaviour::JobFault;
use crate::truth::{AgentFact, KeptAudio};
use crate::worker::{Assignment, JobEnd};
use rushhour_callers::audio::OpusError;
use rushhour_callers::data::DataEvent;
use rushhour_callers::engine::{LeaveReason, NextTick, ParticipantHandle, ParticipantHandler};
use rushhour_callers::participant::{
    DisconnectError, JoinConfig, ParticipantEvent, RemoteParticipant,
};
use rushhour_core::units::{Identity, Mode, RoomName, SessionTime};

/// The longest text of a caller's that is kept.
const LONGEST_TEXT: usize = 64 * 1_024;
/// Texts that a caller may have open at once; the oldest is forgotten.
const MOST_TEXTS: usize = 8;

/// Told once, when the session is over.
pub type OnSessionEnd = Box<dyn FnOnce(JobEnd) + Send>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionPlace {
    Outside,
    Inside,
    /// It has asked to be let out.
    Leaving,
}

/// One agent in one room.
pub struct AgentSession {
    pub(super) common: Arc<AgentContext>,
    pub(super) room: RoomName,
    pub(super) fault: Option<JobFault>,
    pub(super) voice: Option<Voice>,
    pub(super) agenda: Agenda,
    pub(super) caller: Option<Identity>,
    pub(super) ready: bool,
    /// The caller's turns so far.
    pub(super) turn: u32,
    /// Those that were answered.
    pub(super) answered: u32,
    pub(super) answer: Option<Answer>,
    identity: Identity,
    assigned_at: SessionTime,
    place: SessionPlace,
    counted: bool,
    crashed: bool,
    texts: Vec<(String, String)>,
    when_over: Option<OnSessionEnd>,
}

impl AgentSession {
    /// A session that is about to join. `when_over` is called in any case, were the session only dropped.
    ///
    /// # Errors
    /// Where libopus finds no memory.
    pub fn new(
        common: Arc<AgentContext>,
        assignment: &Assignment,
        when_over: OnSessionEnd,
    ) -> Result<Self, OpusError> {
        let voice = match assignment.mode {
            Mode::Voice => Some(Voice::new()?),
            Mode::Chat => None,
        };
        Ok(Self {
            common,
            room: assignment.room.clone(),
            fault: assignment.fault,
            voice,
            agenda: Agenda::default(),
            caller: None,
            ready: false,
            turn: 0,
            answered: 0,
            answer: None,
            identity: assignment.identity.clone(),
            assigned_at: assignment.assigned_at,
            place: SessionPlace::Outside,
            counted: false,
            crashed: false,
            texts: Vec::new(),
            when_over: Some(when_over),
        })
    }

    /// How it joins.
    pub fn join_config(&self) -> JoinConfig {
        JoinConfig {
            publish_audio: self.voice.is_some(),
            attributes: State::Initializing.attributes(),
        }
    }

    pub(super) fn tell(&self, at: SessionTime, fact: AgentFact) {
        self.common.truth.tell(at, fact);
    }

    /// Leaves without a word, as the fault has it.
    pub(super) fn crash(&mut self, hand: &mut dyn ParticipantHandle) {
        self.crashed = true;
        let fact = AgentFact::Crashed { room: self.room.clone(), turns: self.answered };
        self.tell(hand.now(), fact);
        self.go(hand);
    }

    fn go(&mut self, hand: &mut dyn ParticipantHandle) {
        self.place = SessionPlace::Leaving;
        self.agenda.clear();
        hand.leave();
    }

    fn joined(
        &mut self,
        others: Vec<RemoteParticipant>,
        at: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        self.place = SessionPlace::Inside;
        self.counted = true;
        self.common.enter();
        let fact = AgentFact::Joined {
            room: self.room.clone(),
            identity: self.identity.clone(),
            since_assigned_us: at.since(self.assigned_at),
        };
        self.tell(at, fact);
        for person in others {
            self.seen(&person, hand);
        }
        if self.fault == Some(JobFault::CrashAtJoin) {
            self.crash(hand);
        }
    }

    fn seen(&mut self, person: &RemoteParticipant, hand: &mut dyn ParticipantHandle) {
        if person.is_agent || person.identity == self.identity {
            return;
        }
        if person.connected {
            // The first who is there is whom the agent serves; LiveKit's framework does the same.
            self.caller.get_or_insert_with(|| person.identity.clone());
        } else if self.caller.as_ref() == Some(&person.identity) {
            self.go(hand);
        }
    }

    fn open(&mut self, at: SessionTime, hand: &mut dyn ParticipantHandle) {
        if let Some(voice) = &mut self.voice {
            voice.open(hand.next_tick());
        }
        let delay = self.common.behaviour.ready_delay(&self.room);
        self.agenda.put(at + delay, Step::BeReady { since: at });
    }

    fn be_ready(&mut self, since: SessionTime, hand: &mut dyn ParticipantHandle) {
        self.ready = true;
        hand.set_attributes(State::Listening.attributes());
        let now = hand.now();
        let wanted_us = self.common.behaviour.ready_delay(&self.room);
        let kept = KeptAudio { wanted_us, delay_us: now.since(since) };
        self.tell(now, AgentFact::Ready { room: self.room.clone(), kept });
        let greets = self.fault != Some(JobFault::Mute);
        if let Some(delay) = self.common.behaviour.greeting_delay(&self.room).filter(|_| greets) {
            self.agenda.put(now + delay, Step::Greet { since: now });
        }
    }

    fn data(&mut self, data: DataEvent, at: SessionTime, hand: &mut dyn ParticipantHandle) {
        match data {
            DataEvent::TextStreamOpened { stream_id: stream, sender, topic, .. } => {
                // What is said before an agent listens is lost, and so is what others say.
                if topic == CHAT_TOPIC && self.ready && self.caller.as_ref() == Some(&sender) {
                    if self.texts.len() >= MOST_TEXTS {
                        self.texts.remove(0);
                    }
                    self.texts.push((stream, String::new()));
                }
            }
            DataEvent::TextChunk { stream_id: stream, text } => {
                let open = self.texts.iter_mut().find(|(open, _)| *open == stream);
                if let Some((_, whole)) = open.filter(|(_, whole)| whole.len() < LONGEST_TEXT) {
                    whole.push_str(&text);
                }
            }
            DataEvent::TextStreamClosed { stream_id: stream, .. } => {
                if let Some(index) = self.texts.iter().position(|(open, _)| *open == stream) {
                    let (_, text) = self.texts.remove(index);
                    self.hear_text(&text, at, hand);
                }
            }
            DataEvent::ByteStreamReceived { .. } => {}
        }
    }

    fn step(&mut self, step: Step, hand: &mut dyn ParticipantHandle) {
        match step {
            Step::BeReady { since } => self.be_ready(since, hand),
            Step::Greet { since } => self.greet(since, hand),
            Step::Stray => self.stray(hand),
            Step::Answer => self.begin_answer(hand),
            Step::GoOn => self.go_on(hand),
            Step::Finish => self.finish(hand),
            Step::Yield { since } => self.yield_to_caller(since, hand),
        }
    }

    fn over(&mut self, end: JobEnd) {
        if std::mem::take(&mut self.counted) {
            self.common.leave();
        }
        if let Some(when_over) = self.when_over.take() {
            when_over(end);
        }
    }
}

impl ParticipantHandler for AgentSession {
    fn on_event(
        &mut self,
        event: ParticipantEvent,
        at: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        if self.place == SessionPlace::Leaving {
            return;
        }
        match event {
            ParticipantEvent::Joined { others, .. } => self.joined(others, at, hand),
            ParticipantEvent::DataChannelOpen => self.open(at, hand),
            ParticipantEvent::ParticipantUpdated(person) => self.seen(&person, hand),
            ParticipantEvent::Data(data) => self.data(data, at, hand),
            ParticipantEvent::Audio { packet, track_sid } => {
                if let Some(voice) = &mut self.voice {
                    let edges = voice.hear(&packet, track_sid);
                    self.hear_edges(&edges, hand);
                }
            }
            // The engine says why it is out.
            ParticipantEvent::Disconnected(_) => {}
        }
    }

    fn on_tick(&mut self, hand: &mut dyn ParticipantHandle) -> NextTick {
        if let Some(voice) = &mut self.voice {
            let edges = voice.listen(hand.now());
            self.hear_edges(&edges, hand);
        }
        while let Some(step) = self.agenda.take_due(hand.now()) {
            self.step(step, hand);
        }
        if self.place == SessionPlace::Leaving {
            return NextTick::OnEvent;
        }
        self.speak_due(hand);
        match (&self.voice, self.agenda.next()) {
            (Some(_), _) => NextTick::Next,
            (None, Some(at)) => NextTick::At(at),
            (None, None) => NextTick::OnEvent,
        }
    }

    fn on_left(&mut self, why: LeaveReason, at: SessionTime) {
        let (why, end) = match why {
            LeaveReason::ClientInitiated if self.crashed => {
                ("crashed as it was to".to_owned(), JobEnd::Failed("crashed".to_owned()))
            }
            LeaveReason::ClientInitiated => ("the conversation is over".to_owned(), JobEnd::Done),
            LeaveReason::Disconnected(DisconnectError::RoomDeleted) => {
                ("the room was deleted".to_owned(), JobEnd::Done)
            }
            LeaveReason::JoinFailed(_) | LeaveReason::Disconnected(_) => {
                (why.to_string(), JobEnd::Failed(why.to_string()))
            }
        };
        self.tell(at, AgentFact::Left { room: self.room.clone(), why, turns: self.answered });
        self.over(end);
    }
}

impl Drop for AgentSession {
    fn drop(&mut self) {
        self.over(JobEnd::Failed("its engine ended".to_owned()));
    }
}
