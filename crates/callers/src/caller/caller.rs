//! The caller: from joining through its turns to leaving.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::departure::outcome_of;
use super::open_turn::{OpenTurn, Written};
use super::prepared_script::{PreparedScript, PreparedTurn, TurnContent};
use super::turn_state::{RoomChange, TurnState};
use super::utterances::Utterances;
use crate::audio::{DEFAULT_HANGOVER, OpusError, Playback, SpeechEdge, VoiceActivity};
use crate::data::{AGENT_SESSION_TOPIC, DataEvent, read_agent_session, read_agent_use};
use crate::engine::{LeaveReason, NextTick, ParticipantHandle, ParticipantHandler};
use crate::participant::{ParticipantEvent, RemoteParticipant, SendOutcome as Sent};
use rushhour_core::evaluator::{CallerUpdate, UpdateKind};
use rushhour_core::event::{FailureClass, FramesSent, ModelUsage, Outcome, TurnEnding};
use rushhour_core::profile::NativeSettings;
use rushhour_core::units::{Micros, Mode, RunIndex, SessionTime};

/// The topic that an agent built with LiveKit's framework reads.
const CHAT: &str = "lk.chat";
/// An agent that tells no state this long after it came is taken to tell none.
const STATELESS: Micros = Micros::from_secs(3);
/// An answer that is not over this long after it began never will be.
const LONGEST_ANSWER: Micros = Micros::from_secs(60);

/// What a caller needs to know.
pub struct CallerConfig {
    /// The run it is for.
    pub run: RunIndex,
    /// How it talks.
    pub mode: Mode,
    /// What it says.
    pub prompts: Arc<PreparedScript>,
    /// How it behaves.
    pub settings: NativeSettings,
    /// Where it tells what happens.
    pub news: UnboundedSender<CallerUpdate>,
}

/// A caller.
#[expect(clippy::struct_excessive_bools, reason = "facts of their own, each true once and for all")]
pub struct Caller {
    config: CallerConfig,
    stage: CallerStage,
    floor: TurnState,
    utterances: Utterances,
    voice: Option<CallerVoice>,
    open: bool,
    ready: bool,
    greeted: bool,
    greeting: Option<bool>,
    as_expected: bool,
    turn: Option<OpenTurn>,
    verdict: Option<Outcome>,
    /// What the agent has told last of what its models took.
    used: Option<ModelUsage>,
}

/// What a caller is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallerStage {
    Joining,
    JoiningUntil(SessionTime),
    AwaitingAgent,
    AwaitingReady {
        until: SessionTime,
        stateless_at: SessionTime,
    },
    AwaitingGreeting {
        until: SessionTime,
    },
    /// With a turn past the last one, the end.
    AwaitingFloor {
        turn: usize,
        since: SessionTime,
    },
    Speaking,
    AwaitingAnswer,
    Done,
}

struct CallerVoice {
    /// From the moment on at which it can be heard.
    playing: Option<Playback>,
    hearing: VoiceActivity,
    speaking_since: Option<SessionTime>,
}

impl Caller {
    /// A caller that has not joined yet.
    ///
    /// # Errors
    /// Where it would have to hear and no decoder is to be had.
    pub fn new(config: CallerConfig) -> Result<Self, OpusError> {
        let voice = match config.mode {
            Mode::Chat => None,
            Mode::Voice => Some(CallerVoice {
                playing: None,
                hearing: VoiceActivity::new(DEFAULT_HANGOVER)?,
                speaking_since: None,
            }),
        };
        Ok(Self {
            config,
            stage: CallerStage::Joining,
            floor: TurnState::default(),
            utterances: Utterances::default(),
            voice,
            open: false,
            ready: false,
            greeted: false,
            greeting: None,
            as_expected: true,
            turn: None,
            verdict: None,
            used: None,
        })
    }

    fn tell(&self, at: SessionTime, news: UpdateKind) {
        // Nobody listens any more where the session is over.
        let _ = self.config.news.send(CallerUpdate { run: self.config.run, at, kind: news });
    }

    fn person(
        &mut self,
        person: &RemoteParticipant,
        at: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        match self.floor.person(person, at) {
            RoomChange::Came => {
                let identity = person.identity.clone();
                let joined_at_ms = person.joined_at_ms;
                self.tell(at, UpdateKind::AgentJoined { identity, joined_at_ms });
                self.agent_came(at);
            }
            RoomChange::Left if self.stage != CallerStage::Done => self.agent_left(at, hand),
            RoomChange::Left | RoomChange::None => {}
        }
        if self.floor.is_listening() && !self.ready {
            self.ready = true;
            self.tell(at, UpdateKind::AgentReady);
        }
    }

    fn agent_came(&mut self, at: SessionTime) {
        if self.stage == CallerStage::AwaitingAgent {
            self.stage = CallerStage::AwaitingReady {
                until: at + self.config.settings.ready_within.micros(),
                stateless_at: at + STATELESS,
            };
        }
    }

    fn agent_left(&mut self, at: SessionTime, hand: &mut dyn ParticipantHandle) {
        self.read_answer();
        let turns = self.config.prompts.turns.len();
        let has_all = !self.is_speaking()
            && self.turn.is_some_and(|turn| turn.index + 1 == turns && turn.last.is_some());
        if has_all {
            // Whoever says goodbye may hang up.
            self.complete(hand);
        } else {
            self.fail(FailureClass::AgentLeft, "the agent left the room", at, hand);
        }
    }

    fn data(&mut self, event: &DataEvent, at: SessionTime) {
        if let DataEvent::Bytes { sender, topic, bytes } = event {
            if topic == AGENT_SESSION_TOPIC && self.floor.is_agent(sender) {
                self.used = read_agent_use(bytes).or(self.used);
                if let (Some(parts), Some(turn)) = (read_agent_session(bytes), &mut self.turn) {
                    turn.tell(parts);
                }
            }
            return;
        }
        let Self { utterances, floor, .. } = self;
        if utterances.take(event, at, |identity| floor.is_agent(identity)) {
            floor.sign(at);
            if self.voice.is_none() && matches!(event, DataEvent::TextPart { .. }) {
                self.heard(at);
            }
        }
    }

    fn heard(&mut self, at: SessionTime) {
        if !std::mem::replace(&mut self.greeted, true) {
            self.tell(at, UpdateKind::Greeted);
        }
    }

    fn edges(&mut self, edges: Vec<SpeechEdge>) {
        for edge in edges {
            match edge {
                SpeechEdge::Started { at } => {
                    self.heard(at);
                    self.floor.sign(at);
                    if let Some(voice) = &mut self.voice {
                        voice.speaking_since = Some(at);
                    }
                    if let Some(turn) = &mut self.turn {
                        match turn.said {
                            Some(said) if at > said => {
                                turn.first.get_or_insert(at);
                            }
                            _ => turn.early = Some(at),
                        }
                    }
                }
                SpeechEdge::Ended { last_audible_at } => {
                    self.floor.sign(last_audible_at);
                    if let Some(voice) = &mut self.voice {
                        voice.speaking_since = None;
                    }
                    if let Some(turn) = &mut self.turn {
                        if let (Some(over), None) = (turn.spoke_over, turn.yielded) {
                            if last_audible_at < over {
                                // It was over by then, which shows only after a while.
                                turn.spoke_over = None;
                            } else {
                                turn.yielded = Some(last_audible_at.since(over));
                            }
                        } else if turn.first.is_some() || turn.early.is_some() {
                            turn.last = Some(last_audible_at);
                        }
                    }
                }
            }
        }
    }

    /// Sends what is due of the audio; notes when the last of a clip that can be heard went out.
    fn send_audio(&mut self, hand: &mut dyn ParticipantHandle) {
        let Some(voice) = &mut self.voice else { return };
        let Some(playing) = &mut voice.playing else { return };
        while let Some(frame) = playing.next_due(hand.now()) {
            hand.speak(&frame.payload, frame.rtp_time, frame.marker);
            let Some(turn) = self.turn.as_mut().filter(|turn| turn.said.is_none()) else {
                continue;
            };
            if frame.is_first_audible && voice.speaking_since.is_some() {
                turn.spoke_over = Some(hand.now());
            }
            if frame.is_last_audible {
                turn.said = Some(hand.now());
                self.stage = CallerStage::AwaitingAnswer;
            }
        }
    }

    fn go_on(&mut self, now: SessionTime, hand: &mut dyn ParticipantHandle) {
        loop {
            let before = self.stage;
            self.step(now, hand);
            if self.stage == before {
                return;
            }
        }
    }

    fn step(&mut self, now: SessionTime, hand: &mut dyn ParticipantHandle) {
        match self.stage {
            CallerStage::Joining => {
                let until = now + self.config.settings.join_within.micros();
                self.stage = CallerStage::JoiningUntil(until);
            }
            CallerStage::JoiningUntil(_) if self.open => {
                self.stage = CallerStage::AwaitingAgent;
                if let Some(came) = self.floor.came {
                    self.agent_came(came);
                }
            }
            CallerStage::JoiningUntil(until) if now >= until => {
                let within = self.config.settings.join_within;
                let words = format!(
                    "no connection for media and data within {within} of joining; is UDP to the server blocked?"
                );
                self.fail(FailureClass::RoomFailed, words, now, hand);
            }
            CallerStage::AwaitingReady { until, stateless_at } => {
                self.await_ready(until, stateless_at, now, hand);
            }
            CallerStage::AwaitingGreeting { until } => {
                if self.greeted {
                    self.stage = CallerStage::AwaitingFloor { turn: 0, since: now };
                } else if now >= until {
                    let words = "the agent joined and said nothing, where a greeting was expected";
                    self.fail(FailureClass::AgentMute, words, now, hand);
                }
            }
            CallerStage::AwaitingFloor { turn, since } => self.await_floor(turn, since, now, hand),
            CallerStage::AwaitingAnswer => self.await_answer(now, hand),
            CallerStage::JoiningUntil(_)
            | CallerStage::AwaitingAgent
            | CallerStage::Speaking
            | CallerStage::Done => {}
        }
    }

    fn await_ready(
        &mut self,
        until: SessionTime,
        stateless_at: SessionTime,
        now: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        let is_stateless = self.floor.state().is_none() && now >= stateless_at;
        if self.ready || self.greeted || is_stateless {
            self.stage = match &self.config.prompts.greeting {
                Some((_, within)) => {
                    let came = self.floor.came.unwrap_or(now);
                    CallerStage::AwaitingGreeting { until: came + *within }
                }
                None => CallerStage::AwaitingFloor { turn: 0, since: now },
            };
        } else if now >= until {
            let state = self.floor.state().unwrap_or("unknown");
            let within = self.config.settings.ready_within;
            let words = format!("the agent joined and was not listening after {within}: {state}");
            self.fail(FailureClass::AgentLate, words, now, hand);
        }
    }

    fn await_floor(
        &mut self,
        index: usize,
        since: SessionTime,
        now: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        let prompts = self.config.prompts.clone();
        let Some(prompt) = prompts.turns.get(index) else {
            let was_early = self.turn.is_some_and(|turn| turn.first.is_none());
            if was_early || self.is_silent(now) {
                self.complete(hand);
            } else {
                self.give_up_the_floor(since, now, hand);
            }
            return;
        };
        let interrupts = prompt.interrupt.is_some_and(|after| {
            self.agent_talks_since().is_some_and(|talks| now >= talks + after)
        });
        let silent = self.silent_since(now).is_some_and(|silent| {
            now >= silent.max(since) + self.config.settings.quiet.micros() + prompt.pause
        });
        if !interrupts && !silent {
            return self.give_up_the_floor(since + prompt.pause, now, hand);
        }
        self.settle_greeting();
        self.close_turn();
        let turn = OpenTurn { index, ..OpenTurn::default() };
        match (&prompt.words, &mut self.voice) {
            (TurnContent::Text(text), _) => {
                if hand.say(CHAT, text, HashMap::new()) == Sent::Out {
                    self.turn = Some(OpenTurn { said: Some(hand.now()), ..turn });
                    self.stage = CallerStage::AwaitingAnswer;
                }
            }
            (TurnContent::Clip(clip), Some(CallerVoice { playing: Some(playing), .. })) => {
                playing.play(clip.clone());
                self.turn = Some(turn);
                self.stage = CallerStage::Speaking;
            }
            (TurnContent::Clip(_), _) => {}
        }
    }

    /// Waits no longer for an agent that goes on and on.
    fn give_up_the_floor(
        &mut self,
        since: SessionTime,
        now: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        if now >= since + self.config.settings.quiet.micros() + LONGEST_ANSWER {
            let words = format!("the agent did not fall silent within {LONGEST_ANSWER}");
            self.fail(FailureClass::TurnTimeout, words, now, hand);
        }
    }

    /// What of the answer to a written turn is there.
    fn read_answer(&mut self) -> Written {
        let Some(turn) = self.turn.as_mut().filter(|_| self.voice.is_none()) else {
            return Written::Nothing;
        };
        turn.read(&self.config.prompts.turns[turn.index], &self.utterances)
    }

    /// When a caller that waits for its turn has to look again, unless something happens before.
    fn floor_due(&self, index: usize, since: SessionTime, now: SessionTime) -> NextTick {
        let prompt = self.config.prompts.turns.get(index).filter(|one| one.interrupt.is_none());
        match (self.silent_since(now), prompt) {
            (Some(silent), Some(prompt)) => {
                let quiet = self.config.settings.quiet.micros();
                NextTick::At(silent.max(since) + quiet + prompt.pause)
            }
            _ => NextTick::Beat,
        }
    }

    fn await_answer(&mut self, now: SessionTime, hand: &mut dyn ParticipantHandle) {
        let prompts = self.config.prompts.clone();
        let written = self.read_answer();
        let Some(turn) = self.turn else { return };
        let Some(said) = turn.said else { return };
        let prompt = &prompts.turns[turn.index];
        let in_time = now < said + prompt.within;
        let interrupts = prompts.turns.get(turn.index + 1).is_some_and(|p| p.interrupt.is_some());
        let is_over = if self.voice.is_none() {
            match written {
                Written::Nothing if in_time => return,
                Written::Another if in_time && !interrupts => return,
                Written::Nothing => return self.no_answer(prompt, now, hand),
                Written::Going => interrupts,
                Written::Whole | Written::Another => true,
            }
        } else {
            match (turn.first, turn.early) {
                (None, _) if in_time => return,
                (None, None) => return self.no_answer(prompt, now, hand),
                (None, Some(_)) => true,
                (Some(_), _) => interrupts || self.is_silent(now),
            }
        };
        if is_over {
            self.stage = CallerStage::AwaitingFloor { turn: turn.index + 1, since: now };
        } else if turn.first.is_some_and(|first| now >= first + LONGEST_ANSWER) {
            let words = format!("an answer was not over {LONGEST_ANSWER} after it began");
            self.fail_turn(FailureClass::TurnTimeout, words, now, hand);
        }
    }

    fn complete(&mut self, hand: &mut dyn ParticipantHandle) {
        self.close_turn();
        let judged = self.config.prompts.expects_anything().then_some(self.as_expected);
        self.verdict = Some(Outcome::Completed { judged });
        self.stage = CallerStage::Done;
        hand.leave();
    }

    fn no_answer(
        &mut self,
        prompt: &PreparedTurn,
        now: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        let class = if self.greeted { FailureClass::TurnTimeout } else { FailureClass::AgentMute };
        let number = self.turn.map_or(0, |turn| turn.index + 1);
        let words = format!("no answer to turn {number} within {}", prompt.within);
        self.fail_turn(class, words, now, hand);
    }

    /// What became of the turn that is open, told before the next one begins.
    fn close_turn(&mut self) {
        self.read_answer();
        let Some(turn) = self.turn.take() else { return };
        let expect = self.config.prompts.turns[turn.index].expect.as_ref();
        let words = turn.said.map(|said| self.utterances.words_since(said)).unwrap_or_default();
        let ending = match turn.first {
            None => TurnEnding::Early,
            Some(_) if expect.is_none_or(|expect| expect.is_match(&words)) => TurnEnding::Answered,
            Some(_) => TurnEnding::Unexpected,
        };
        self.as_expected &= ending != TurnEnding::Unexpected;
        self.tell_turn(&turn, ending);
    }

    fn tell_turn(&self, turn: &OpenTurn, ending: TurnEnding) {
        if let Some(told) = turn.close(ending) {
            self.tell(told.last.or(told.first).unwrap_or(told.said), UpdateKind::Turn(told));
        }
    }

    fn settle_greeting(&mut self) {
        if self.greeting.is_some() {
            return;
        }
        let fits = match &self.config.prompts.greeting {
            Some((Some(expect), _)) => {
                expect.is_match(&self.utterances.words_since(SessionTime::START))
            }
            _ => true,
        };
        self.greeting = Some(fits);
        self.as_expected &= fits;
    }

    fn fail_turn(
        &mut self,
        class: FailureClass,
        words: impl Into<String>,
        now: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        if let Some(turn) = self.turn.take() {
            self.tell_turn(&turn, TurnEnding::TimedOut);
        }
        self.fail(class, words, now, hand);
    }

    fn fail(
        &mut self,
        class: FailureClass,
        words: impl Into<String>,
        _at: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        self.verdict.get_or_insert_with(|| Outcome::failed(class, words));
        self.break_off();
        self.stage = CallerStage::Done;
        hand.leave();
    }

    /// The turn that is open will not go on. Where the answer to it had been waited for, it broke off.
    fn break_off(&mut self) {
        if matches!(self.stage, CallerStage::AwaitingFloor { .. }) {
            self.close_turn();
        } else if let Some(turn) = self.turn.take() {
            self.tell_turn(&turn, TurnEnding::BrokenOff);
        }
    }

    fn is_speaking(&self) -> bool {
        self.voice.as_ref().is_some_and(|voice| voice.speaking_since.is_some())
    }

    fn agent_talks_since(&self) -> Option<SessionTime> {
        match &self.voice {
            Some(voice) => voice.speaking_since,
            None => self.utterances.writing_since(),
        }
    }

    fn silent_since(&self, now: SessionTime) -> Option<SessionTime> {
        self.floor.silent_since(self.is_speaking(), &self.utterances, now)
    }

    fn is_silent(&self, now: SessionTime) -> bool {
        let quiet = self.config.settings.quiet.micros();
        self.silent_since(now).is_some_and(|since| now >= since + quiet)
    }

    fn frames(&self) -> Option<FramesSent> {
        let counts = self.voice.as_ref()?.playing.as_ref()?.counts();
        Some(FramesSent { sent: counts.frames, late: counts.late, given_up: counts.given_up })
    }
}

impl ParticipantHandler for Caller {
    fn event(
        &mut self,
        event: ParticipantEvent,
        at: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        if self.stage == CallerStage::Done {
            return;
        }
        match event {
            ParticipantEvent::Joined { others, .. } => {
                for person in others {
                    self.person(&person, at, hand);
                }
            }
            ParticipantEvent::Person(person) => self.person(&person, at, hand),
            ParticipantEvent::Open => {
                self.open = true;
                if let Some(voice) = &mut self.voice {
                    voice.playing = Some(Playback::new(hand.next_beat(), 0));
                }
                self.tell(at, UpdateKind::Joined);
            }
            ParticipantEvent::Data(data, at) => self.data(&data, at),
            ParticipantEvent::Audio(packet, _) => {
                let edges = self.voice.as_mut().map(|voice| voice.hearing.hear(&packet));
                self.edges(edges.unwrap_or_default());
            }
            ParticipantEvent::Left { .. } => {}
        }
    }

    fn tick(&mut self, hand: &mut dyn ParticipantHandle) -> NextTick {
        let now = hand.now();
        let edges = self.voice.as_mut().map(|voice| voice.hearing.tick(now));
        self.edges(edges.unwrap_or_default());
        self.send_audio(hand);
        self.go_on(hand.now(), hand);
        match self.stage {
            CallerStage::Done => NextTick::Event,
            _ if self.voice.as_ref().is_some_and(|voice| voice.playing.is_some()) => NextTick::Beat,
            CallerStage::JoiningUntil(until) | CallerStage::AwaitingGreeting { until } => {
                NextTick::At(until)
            }
            CallerStage::AwaitingAgent => NextTick::Event,
            CallerStage::AwaitingReady { until, stateless_at } => {
                NextTick::At(until.min(stateless_at))
            }
            CallerStage::AwaitingAnswer if self.turn.is_some_and(|turn| turn.first.is_none()) => {
                let turn = self.turn.unwrap_or_default();
                let within = self.config.prompts.turns[turn.index].within;
                turn.said.map_or(NextTick::Beat, |said| NextTick::At(said + within))
            }
            CallerStage::AwaitingFloor { turn, since } => self.floor_due(turn, since, hand.now()),
            _ => NextTick::Beat,
        }
    }

    fn left(&mut self, why: LeaveReason, at: SessionTime) {
        self.break_off();
        let outcome = self.verdict.take().unwrap_or_else(|| outcome_of(why));
        if let Some(used) = self.used {
            self.tell(at, UpdateKind::ModelUsage(used));
        }
        self.tell(at, UpdateKind::Ended { outcome, frames: self.frames() });
    }
}
