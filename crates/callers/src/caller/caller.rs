//! The caller as the handler of its participant: events of the room in, audio and texts out.

use std::sync::Arc;

use super::leave_outcome::outcome_of;
use super::open_turn::OpenTurn;
use super::prepared_script::PreparedScript;
use super::turn_state::{RoomChange, TurnState};
use super::utterances::Utterances;
use crate::audio::{DEFAULT_HANGOVER, OpusError, Playback, SpeechEdge, VoiceActivity};
use crate::data::{AGENT_SESSION_TOPIC, DataEvent, decode_model_usage, decode_turn_metrics};
use crate::engine::{LeaveReason, NextTick, ParticipantHandle, ParticipantHandler};
use crate::participant::{ParticipantEvent, RemoteParticipant};
use rushhour_core::evaluator::{CallerUpdate, UpdateKind};
use rushhour_core::event::{FailureClass, FramesSent, ModelUsage, Outcome};
use rushhour_core::profile::NativeSettings;
use rushhour_core::units::{Micros, Mode, RunIndex, SessionTime};

/// An agent that has published no state this long after it joined is assumed to publish none.
const STATE_TIMEOUT: Micros = Micros::from_secs(3);

/// What a caller needs.
pub(crate) struct CallerConfig {
    pub(crate) run: RunIndex,
    pub(crate) mode: Mode,
    pub(crate) script: Arc<PreparedScript>,
    pub(crate) settings: NativeSettings,
    /// Receives what happens in the conversation.
    pub(crate) on_update: Box<dyn Fn(CallerUpdate) + Send>,
}

/// A caller.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each set at most once")]
pub(crate) struct Caller {
    pub(super) config: CallerConfig,
    pub(super) stage: CallerStage,
    pub(super) turn_state: TurnState,
    pub(super) utterances: Utterances,
    /// In voice conversations.
    pub(super) voice: Option<CallerVoice>,
    /// Whether texts and audio can be sent.
    pub(super) connected: bool,
    /// Whether the agent has been listening.
    pub(super) agent_ready: bool,
    /// Whether the agent has spoken, or written in chat.
    pub(super) greeted: bool,
    /// Whether the greeting has been compared with the script.
    pub(super) greeting_checked: bool,
    /// Whether all answers so far matched the script's expectations.
    pub(super) as_expected: bool,
    pub(super) turn: Option<OpenTurn>,
    /// How the conversation ended, once it has.
    pub(super) outcome: Option<Outcome>,
    /// The agent's latest report of what its models used.
    model_usage: Option<ModelUsage>,
}

/// The stage of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallerStage {
    Joining,
    JoiningUntil(SessionTime),
    AwaitingAgent,
    AwaitingReady {
        until: SessionTime,
        /// When an agent without a state is assumed to publish none.
        stateless_at: SessionTime,
    },
    AwaitingGreeting {
        until: SessionTime,
    },
    /// Waiting until the agent is silent, to begin a turn; after the last turn, to end.
    AwaitingSilence {
        turn: usize,
        since: SessionTime,
    },
    Speaking,
    AwaitingAnswer,
    Done,
}

/// The audio of a voice conversation.
pub(super) struct CallerVoice {
    /// What is sent, from the moment that it can be sent.
    pub(super) playback: Option<Playback>,
    /// What is received.
    pub(super) activity: VoiceActivity,
    /// While the agent speaks: since when.
    pub(super) speaking_since: Option<SessionTime>,
}

impl Caller {
    /// A caller that has not joined yet.
    ///
    /// # Errors
    /// If it needs an Opus decoder and libopus cannot allocate one.
    pub(crate) fn new(config: CallerConfig) -> Result<Self, OpusError> {
        let voice = match config.mode {
            Mode::Chat => None,
            Mode::Voice => Some(CallerVoice {
                playback: None,
                activity: VoiceActivity::with_settings(
                    DEFAULT_HANGOVER,
                    config.settings.speech.unwrap_or_default(),
                )?,
                speaking_since: None,
            }),
        };
        Ok(Self {
            config,
            stage: CallerStage::Joining,
            turn_state: TurnState::default(),
            utterances: Utterances::default(),
            voice,
            connected: false,
            agent_ready: false,
            greeted: false,
            greeting_checked: false,
            as_expected: true,
            turn: None,
            outcome: None,
            model_usage: None,
        })
    }

    pub(super) fn report(&self, at: SessionTime, kind: UpdateKind) {
        (self.config.on_update)(CallerUpdate { run: self.config.run, at, kind });
    }

    fn participant_updated(
        &mut self,
        participant: &RemoteParticipant,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        match self.turn_state.update(participant, at) {
            RoomChange::AgentJoined => {
                let identity = participant.identity.clone();
                let joined_at_ms = participant.joined_at_ms;
                self.report(at, UpdateKind::AgentJoined { identity, joined_at_ms });
                self.agent_joined(at);
            }
            RoomChange::AgentLeft if self.stage != CallerStage::Done => self.agent_left(handle),
            RoomChange::AgentLeft | RoomChange::None => {}
        }
        if self.turn_state.is_listening() && !self.agent_ready {
            self.agent_ready = true;
            self.report(at, UpdateKind::AgentReady);
        }
    }

    pub(super) fn agent_joined(&mut self, at: SessionTime) {
        if self.stage == CallerStage::AwaitingAgent {
            self.stage = CallerStage::AwaitingReady {
                until: at + self.config.settings.ready_within.micros(),
                stateless_at: at + STATE_TIMEOUT,
            };
        }
    }

    fn agent_left(&mut self, handle: &mut dyn ParticipantHandle) {
        self.find_written_answer();
        let turns = self.config.script.turns.len();
        let was_last_answer = !self.is_agent_speaking()
            && self.turn.is_some_and(|turn| turn.index + 1 == turns && turn.answer_ended.is_some());
        if was_last_answer {
            // An agent may hang up once it has said goodbye.
            self.complete(handle);
        } else {
            self.fail(FailureClass::AgentLeft, "the agent left the room", handle);
        }
    }

    fn handle_data(&mut self, event: &DataEvent, at: SessionTime) {
        if let DataEvent::ByteStreamReceived { sender, topic, bytes } = event {
            if topic == AGENT_SESSION_TOPIC && self.turn_state.is_agent(sender) {
                self.model_usage = decode_model_usage(bytes).or(self.model_usage);
                if let (Some(parts), Some(turn)) = (decode_turn_metrics(bytes), &mut self.turn) {
                    turn.add_parts(parts);
                }
            }
            return;
        }
        let Self { utterances, turn_state, .. } = self;
        if utterances.handle_data(event, at, |identity| turn_state.is_agent(identity)) {
            turn_state.agent_active(at);
            if self.voice.is_none() && matches!(event, DataEvent::TextChunk { .. }) {
                self.note_agent_output(at);
            }
        }
    }

    /// The agent spoke, or wrote in chat: reports the first time.
    fn note_agent_output(&mut self, at: SessionTime) {
        if !std::mem::replace(&mut self.greeted, true) {
            self.report(at, UpdateKind::Greeted);
        }
    }

    fn handle_speech(&mut self, edges: Vec<SpeechEdge>) {
        for edge in edges {
            match edge {
                SpeechEdge::Started { at } => self.agent_began_to_speak(at),
                SpeechEdge::Ended { last_audible_at } => self.agent_fell_silent(last_audible_at),
            }
        }
    }

    fn agent_began_to_speak(&mut self, at: SessionTime) {
        self.note_agent_output(at);
        self.turn_state.agent_active(at);
        if let Some(voice) = &mut self.voice {
            voice.speaking_since = Some(at);
        }
        if let Some(turn) = &mut self.turn {
            match turn.said_at {
                Some(said_at) if at > said_at => {
                    turn.answer_began.get_or_insert(at);
                }
                _ => turn.early_at = Some(at),
            }
        }
    }

    fn agent_fell_silent(&mut self, last_audible_at: SessionTime) {
        self.turn_state.agent_active(last_audible_at);
        if let Some(voice) = &mut self.voice {
            voice.speaking_since = None;
        }
        let Some(turn) = &mut self.turn else { return };
        if let (Some(barged_in_at), None) = (turn.barged_in_at, turn.yielded) {
            if last_audible_at < barged_in_at {
                // The agent had finished by then, which was known only after the hangover.
                turn.barged_in_at = None;
            } else {
                turn.yielded = Some(last_audible_at.since(barged_in_at));
            }
        } else if turn.answer_began.is_some() || turn.early_at.is_some() {
            turn.answer_ended = Some(last_audible_at);
        }
    }

    /// Sends the audio that is due, and notes when the first and the last audible frame of a clip were sent.
    fn send_audio(&mut self, handle: &mut dyn ParticipantHandle) {
        let Some(voice) = &mut self.voice else { return };
        let Some(playback) = &mut voice.playback else { return };
        while let Some(frame) = playback.next_due(handle.now()) {
            handle.send_audio(&frame.payload, frame.rtp_time, frame.marker);
            let Some(turn) = self.turn.as_mut().filter(|turn| turn.said_at.is_none()) else {
                continue;
            };
            if frame.is_first_audible && voice.speaking_since.is_some() {
                turn.barged_in_at = Some(handle.now());
            }
            if frame.is_last_audible {
                turn.said_at = Some(handle.now());
                self.stage = CallerStage::AwaitingAnswer;
            }
        }
    }

    fn frames_sent(&self) -> Option<FramesSent> {
        let counts = self.voice.as_ref()?.playback.as_ref()?.counts();
        Some(FramesSent { sent: counts.frames, late: counts.late, given_up: counts.dropped })
    }
}

impl ParticipantHandler for Caller {
    fn on_event(
        &mut self,
        event: ParticipantEvent,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        if self.stage == CallerStage::Done {
            return;
        }
        match event {
            ParticipantEvent::Joined { others, .. } => {
                for participant in others {
                    self.participant_updated(&participant, at, handle);
                }
            }
            ParticipantEvent::ParticipantUpdated(participant) => {
                self.participant_updated(&participant, at, handle);
            }
            ParticipantEvent::DataChannelOpen => {
                self.connected = true;
                if let Some(voice) = &mut self.voice {
                    voice.playback = Some(Playback::new(handle.next_tick(), 0));
                }
                self.report(at, UpdateKind::Joined);
            }
            ParticipantEvent::Data(data) => self.handle_data(&data, at),
            ParticipantEvent::Audio { packet, .. } => {
                let edges = self.voice.as_mut().map(|voice| voice.activity.handle_packet(&packet));
                self.handle_speech(edges.unwrap_or_default());
            }
            ParticipantEvent::Disconnected(_) => {}
        }
    }

    fn on_tick(&mut self, handle: &mut dyn ParticipantHandle) -> NextTick {
        let now = handle.now();
        let edges = self.voice.as_mut().map(|voice| voice.activity.handle_timeout(now));
        self.handle_speech(edges.unwrap_or_default());
        self.send_audio(handle);
        self.advance(handle.now(), handle);
        self.next_tick(handle.now())
    }

    fn on_left(&mut self, reason: LeaveReason, at: SessionTime) {
        self.break_off_turn();
        let outcome = self.outcome.take().unwrap_or_else(|| outcome_of(&reason));
        if let Some(used) = self.model_usage {
            self.report(at, UpdateKind::ModelUsage(used));
        }
        self.report(at, UpdateKind::Ended { outcome, frames: self.frames_sent() });
    }
}
