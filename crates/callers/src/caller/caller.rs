//! The caller as the handler of its participant: events of the room in, audio and texts out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::agents::{AgentActivity, Agents, RoomChange};
use super::conversation_recorder::ConversationRecorder;
use super::following_rules::FollowedRules;
use super::keypad::Keypad;
use super::open_turn::{Interruption, OpenTurn};
use super::outages::Outages;
use super::prepared_script::PreparedScript;
use super::rtc_stats_request::RtcStatsRequest;
use super::session_probe::SessionProbe;
use super::tool_calls::ToolCalls;
use super::turn_state::TurnState;
use super::unannounced::UnannouncedTexts;
use super::utterances::Utterances;
use crate::audio::{
    DEFAULT_HANGOVER, OpusError, Playback, SpeechSound, VoiceActivity, VoiceReception,
};
use crate::data::{DataEvent, RpcFailure};
use crate::engine::{LeaveReason, NextTick, ParticipantHandle, ParticipantHandler};
use crate::participant::{DepartureReason, ParticipantEvent, RemoteParticipant, SendOutcome};
use crate::recording_store::RecordingSink;
use rushhour_core::evaluator::{CallerUpdate, UpdateKind};
use rushhour_core::event::{
    ConnectionHistory, ConversationSummary, FramesSent, ModelUsage, Outcome, RpcCalls,
};
use rushhour_core::profile::NativeSettings;
use rushhour_core::units::{Micros, Mode, RunIndex, SessionTime};

/// What a caller needs.
pub(crate) struct CallerConfig {
    pub(crate) run: RunIndex,
    pub(crate) mode: Mode,
    pub(crate) script: Arc<PreparedScript>,
    pub(crate) settings: NativeSettings,
    /// What it answers when it is called by RPC, by method.
    pub(crate) rpc_answers: BTreeMap<String, String>,
    /// Whether it is one of those that hang up early.
    pub(crate) abandons: bool,
    /// Set from outside once it is known that the agent is there, and announced to nobody.
    pub(crate) agent_is_hidden: Arc<AtomicBool>,
    /// Receives what happens in the conversation.
    pub(crate) on_update: Box<dyn Fn(CallerUpdate) + Send>,
    /// Keeps the recording of the conversation, if it is recorded.
    pub(crate) recording: Option<Box<dyn RecordingSink>>,
}

/// A caller.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each set at most once")]
pub(crate) struct Caller {
    pub(super) config: CallerConfig,
    pub(super) stage: CallerStage,
    pub(super) agents: Agents,
    pub(super) turn_state: TurnState,
    pub(super) utterances: Utterances,
    pub(super) unannounced: UnannouncedTexts,
    /// In voice conversations.
    pub(super) voice: Option<CallerVoice>,
    /// Whether texts and audio can be sent.
    pub(super) connected: bool,
    /// When they could first be sent.
    pub(super) joined_at: Option<SessionTime>,
    /// The rules that it has followed.
    pub(super) rules: FollowedRules,
    /// When its connection was away.
    pub(super) outages: Outages,
    /// Whether the agent has been listening.
    pub(super) agent_ready: bool,
    /// Whether the agent has spoken, or written in chat.
    pub(super) was_heard: bool,
    /// Whether it did so before the caller's first turn.
    pub(super) greeted: bool,
    /// When the first turn began: its text or its first audible frame was sent.
    pub(super) first_turn_at: Option<SessionTime>,
    /// When the agent spoke, or wrote in chat, for the first time.
    pub(super) first_heard_at: Option<SessionTime>,
    /// When the agent's state first became `listening`.
    pub(super) ready_at: Option<SessionTime>,
    /// When the agent's state last became `listening`.
    pub(super) listens_since: Option<SessionTime>,
    /// When the agent began to think, with nothing said to it: it is about to greet.
    pub(super) about_to_greet_since: Option<SessionTime>,
    /// Whether the greeting has been compared with the script.
    pub(super) greeting_checked: bool,
    /// Whether the agent was gone in the middle of a sentence.
    pub(super) died_in_sentence: bool,
    /// Whether the open turn was answered to the end before the agent, or the room, was gone.
    pub(super) has_whole_answer: bool,
    /// Whether all answers so far matched the script's expectations; `None` before the first that could be compared.
    pub(super) as_expected: Option<bool>,
    pub(super) turn: Option<OpenTurn>,
    pub(super) session_probe: SessionProbe,
    pub(super) rtc_stats_request: RtcStatsRequest,
    pub(super) tool_calls: ToolCalls,
    /// How the conversation ended, once it has.
    pub(super) outcome: Option<Outcome>,
    pub(super) summary: ConversationSummary,
    /// How LiveKit rates the agent's connection.
    pub(super) agent_connection: ConnectionHistory,
    /// How LiveKit rates the caller's own.
    pub(super) own_connection: ConnectionHistory,
    /// The agent's latest report of what its models used.
    pub(super) model_usage: Option<ModelUsage>,
    /// The calls by RPC so far.
    pub(super) rpc_calls: RpcCalls,
    pub(super) recorder: ConversationRecorder,
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
    /// No answer came: the agent's session was asked whether it is still there, or the server may be about to tell that
    /// it is not.
    AskingSession {
        asked_at: SessionTime,
    },
    Done,
}

impl CallerStage {
    /// Whether the conversation depends on an agent being in the room.
    pub(super) const fn needs_agent(self) -> bool {
        !matches!(self, Self::Joining | Self::JoiningUntil(_) | Self::AwaitingAgent | Self::Done)
    }
}

/// The audio of a voice conversation.
pub(super) struct CallerVoice {
    /// What is sent, from the moment that it can be sent.
    pub(super) playback: Option<Playback>,
    /// What is received.
    pub(super) activity: VoiceActivity,
    /// How the agent's speech arrives.
    pub(super) sound: SpeechSound,
    /// What the network does to it.
    pub(super) reception: VoiceReception,
    /// The keys of a telephone that are being pressed.
    pub(super) keypad: Option<Keypad>,
    /// While the agent speaks: since when.
    pub(super) speaking_since: Option<SessionTime>,
    /// The latest sound of which its state does not say yet whether it is speech: when it began, and when it ended.
    pub(super) unjudged_sound: Option<(SessionTime, Option<SessionTime>)>,
    /// When the latest packet of the agent's voice arrived, audible or not.
    pub(super) last_packet_at: Option<SessionTime>,
}

impl Caller {
    /// A caller that has not joined yet.
    ///
    /// # Errors
    /// If it needs an Opus decoder and libopus cannot allocate one.
    pub(crate) fn new(mut config: CallerConfig) -> Result<Self, OpusError> {
        let recording = config.recording.take();
        let recorder = ConversationRecorder::new(recording, config.run, config.mode);
        let voice = match config.mode {
            Mode::Chat => None,
            Mode::Voice => Some(CallerVoice {
                playback: None,
                activity: VoiceActivity::with_settings(
                    DEFAULT_HANGOVER,
                    config.settings.speech.unwrap_or_default(),
                )?,
                sound: SpeechSound::default(),
                reception: VoiceReception::default(),
                keypad: None,
                speaking_since: None,
                unjudged_sound: None,
                last_packet_at: None,
            }),
        };
        Ok(Self {
            stage: CallerStage::Joining,
            agents: Agents::new(config.settings.hear.clone()),
            turn_state: TurnState::default(),
            utterances: Utterances::default(),
            unannounced: UnannouncedTexts::default(),
            voice,
            connected: false,
            joined_at: None,
            rules: FollowedRules::default(),
            outages: Outages::default(),
            agent_ready: false,
            was_heard: false,
            greeted: false,
            first_turn_at: None,
            first_heard_at: None,
            ready_at: None,
            listens_since: None,
            about_to_greet_since: None,
            greeting_checked: false,
            died_in_sentence: false,
            has_whole_answer: false,
            as_expected: None,
            turn: None,
            session_probe: SessionProbe::default(),
            rtc_stats_request: RtcStatsRequest::default(),
            tool_calls: ToolCalls::new(config.settings.patience.longest_tool.micros()),
            outcome: None,
            summary: ConversationSummary::default(),
            agent_connection: ConnectionHistory::default(),
            own_connection: ConnectionHistory::default(),
            model_usage: None,
            rpc_calls: RpcCalls::default(),
            recorder,
            config,
        })
    }

    pub(super) fn report(&self, at: SessionTime, kind: UpdateKind) {
        (self.config.on_update)(CallerUpdate {
            run: self.config.run,
            at,
            within: Micros::ZERO,
            kind,
        });
    }

    fn participant_updated(
        &mut self,
        participant: &RemoteParticipant,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        if participant.departure == DepartureReason::RoomDeleted {
            // It did not leave by itself, and so the caller will be told in a moment.
            return;
        }
        let was_in_sentence = self.is_in_sentence(at);
        let was_listening = self.agents.is_listening();
        let was_thinking = self.agents.activity() == AgentActivity::Thinking;
        let hand_offs = self.agents.hand_offs;
        let change = self.agents.update(participant, at);
        if participant.connected && self.agents.is_agent(&participant.identity) {
            self.turn_state.agent_told(at);
        }
        let is_gone = !participant.connected && self.agents.count() > 0;
        if is_gone || self.agents.hand_offs > hand_offs {
            let Self { utterances, agents, .. } = self;
            utterances.close_streams_of_others(at, |identity| agents.is_agent(identity));
        }
        if change == RoomChange::AgentLeft {
            self.agent_connection.pause(at);
        }
        match change {
            RoomChange::AgentJoined => {
                let identity = participant.identity.clone();
                let joined_at_ms = participant.joined_at_ms;
                self.report(at, UpdateKind::AgentJoined { identity, joined_at_ms });
                self.agent_joined(at);
            }
            RoomChange::AgentLeft if self.stage != CallerStage::Done => {
                self.agent_left(was_in_sentence, handle);
            }
            RoomChange::AgentLeft | RoomChange::None => {}
        }
        for (sent_at, event) in self.unannounced.take(&participant.identity) {
            self.handle_data(&event, sent_at, handle);
        }
        self.judge_sound();
        self.pass_on_state();
        if self.agents.activity() == AgentActivity::Thinking
            && !was_thinking
            && let Some(voice) = &mut self.voice
        {
            // The silence after a filler, while a tool runs, is no gap in the agent's speech.
            voice.sound.end_answer(&mut voice.activity);
        }
        if self.first_turn_at.is_none() && self.agents.activity() == AgentActivity::Thinking {
            self.about_to_greet_since.get_or_insert(at);
        }
        if self.agents.is_listening() && !self.agent_ready {
            self.agent_ready = true;
            self.ready_at = Some(at);
            self.report(at, UpdateKind::AgentReady);
            self.repeat_unheard_turn(at);
        }
        if self.agents.is_listening() && !was_listening {
            self.agent_began_to_listen(at, handle);
        }
        self.refuse_encrypted_audio(handle);
    }

    /// The caller joined again: whoever is not in the room any more has left meanwhile, nobody saw when or why.
    fn room_seen_again(
        &mut self,
        others: &[RemoteParticipant],
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        for gone in self.agents.missing_from(others) {
            self.participant_updated(&gone, at, handle);
        }
        for participant in others {
            self.participant_updated(participant, at, handle);
        }
    }

    pub(super) fn agent_joined(&mut self, at: SessionTime) {
        if self.stage == CallerStage::AwaitingAgent {
            self.stage = CallerStage::AwaitingReady {
                until: at + self.config.settings.ready_within.micros(),
                stateless_at: at + self.config.settings.patience.stateless_after.micros(),
            };
        }
    }

    /// Sends the audio that is due, and notes when the first and the last audible frame of a clip were sent.
    fn send_audio(&mut self, handle: &mut dyn ParticipantHandle) {
        let agent_speaks = self.speech_since().is_some();
        let Some(voice) = &mut self.voice else { return };
        let Some(playback) = &mut voice.playback else { return };
        let mut has_said_it = false;
        while let Some(frame) = playback.next_due(handle.now()) {
            if handle.send_audio(&frame.payload, frame.rtp_time, frame.marker) == SendOutcome::Sent
            {
                self.recorder.caller_sent(&frame, handle.now());
            }
            let Some(turn) = self.turn.as_mut().filter(|turn| turn.said_at.is_none()) else {
                continue;
            };
            if frame.is_first_audible {
                self.first_turn_at.get_or_insert(handle.now());
                turn.voice_began = Some(handle.now());
                if agent_speaks {
                    turn.interruption = Some(Interruption::new(handle.now()));
                }
            }
            if frame.is_last_audible {
                turn.said_at = Some(handle.now());
                self.stage = CallerStage::AwaitingAnswer;
                has_said_it = true;
            }
        }
        if let Some(voice) = self.voice.as_mut().filter(|_| has_said_it) {
            // An agent that had begun in a pause of the caller, and stopped, begins again.
            voice.sound.end_answer(&mut voice.activity);
        }
    }

    /// Answers a call at once: an agent that waits for it would seem slow.
    fn answer_rpc(&mut self, call: &DataEvent, handle: &mut dyn ParticipantHandle) {
        let DataEvent::RpcCalled { caller, request_id, method, is_understood } = call else {
            return;
        };
        let answer = match self.config.rpc_answers.get(method) {
            _ if !is_understood => Err(RpcFailure::UnsupportedVersion),
            Some(payload) => Ok(payload.as_str()),
            None => Err(RpcFailure::UnsupportedMethod),
        };
        match answer {
            Ok(_) => self.rpc_calls.answered += 1,
            Err(RpcFailure::UnsupportedMethod) => self.rpc_calls.add_unsupported(method),
            Err(RpcFailure::UnsupportedVersion) => self.rpc_calls.unsupported += 1,
        }
        handle.answer_rpc(caller, request_id, answer);
    }

    /// Presses the key that is due; the turn has been said with the last one.
    fn press_keys(&mut self, handle: &mut dyn ParticipantHandle) {
        let agent_speaks = self.speech_since().is_some();
        let (Some(voice), Some(turn)) = (&mut self.voice, &mut self.turn) else { return };
        let Some(keypad) = &mut voice.keypad else { return };
        let now = handle.now();
        let Some(key) = keypad.due(now) else { return };
        if handle.press_key(key) == SendOutcome::NotSent {
            // It is tried again at the next tick.
            return;
        }
        keypad.pressed(now);
        self.first_turn_at.get_or_insert(now);
        if keypad.has_begun() && agent_speaks {
            turn.interruption = Some(Interruption::new(now));
        }
        if keypad.is_over() {
            voice.keypad = None;
            turn.said_at = Some(now);
            self.stage = CallerStage::AwaitingAnswer;
        }
    }

    pub(super) fn frames_sent(&self) -> Option<FramesSent> {
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
            ParticipantEvent::Joined { identity, others } => {
                self.utterances.set_own_identity(identity);
                for participant in others {
                    self.participant_updated(&participant, at, handle);
                }
            }
            ParticipantEvent::ParticipantUpdated(participant) => {
                self.participant_updated(&participant, at, handle);
            }
            ParticipantEvent::ConnectionLost(_) => {
                self.outages.begin(at);
                if let Some(voice) = &mut self.voice {
                    voice.reception.interrupt();
                }
            }
            ParticipantEvent::Rejoined { others } => self.room_seen_again(&others, at, handle),
            ParticipantEvent::Reconnected(reconnect) => {
                self.outages.end(at, reconnect.method);
                self.report(at, UpdateKind::Reconnected(reconnect));
            }
            ParticipantEvent::TrackPublished { sid } => self.utterances.add_own_track(sid),
            ParticipantEvent::DataChannelOpen => {
                self.connected = true;
                self.recorder.begin(at);
                self.joined_at.get_or_insert(at);
                if let Some(voice) = &mut self.voice {
                    let mut playback = Playback::new(handle.next_tick(), 0);
                    playback.set_background(self.config.script.background.clone());
                    voice.playback = Some(playback);
                }
                self.report(at, UpdateKind::Joined);
            }
            ParticipantEvent::Data(call @ DataEvent::RpcCalled { .. }) => {
                self.answer_rpc(&call, handle);
            }
            ParticipantEvent::Data(data) => self.handle_data(&data, at, handle),
            ParticipantEvent::Audio { packet, track_sid } => {
                self.handle_audio(&packet, track_sid.as_deref());
            }
            ParticipantEvent::ConnectionRated { of: None, rating } => {
                self.own_connection.note(rating, at);
            }
            ParticipantEvent::ConnectionRated { of: Some(sid), rating } => {
                if self.agents.has_agent_with(&sid) {
                    self.agent_connection.note(rating, at);
                }
            }
            ParticipantEvent::PathChosen(path) => self.report(at, UpdateKind::MediaPath(path)),
            ParticipantEvent::ServerKnown(_) | ParticipantEvent::Disconnected(_) => {}
        }
    }

    fn on_tick(&mut self, handle: &mut dyn ParticipantHandle) -> NextTick {
        let now = handle.now();
        let edges = self.voice.as_mut().map(|voice| voice.activity.handle_timeout(now));
        self.handle_speech(edges.unwrap_or_default());
        self.send_audio(handle);
        self.press_keys(handle);
        self.advance(handle.now(), handle);
        self.next_tick(handle.now())
    }

    fn on_left(&mut self, reason: LeaveReason, at: SessionTime) {
        self.end(&reason, at);
    }
}
