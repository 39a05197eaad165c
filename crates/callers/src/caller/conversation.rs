//! The conversation: when the caller moves on to the next stage, and how each turn and the whole end.

use std::collections::HashMap;

use super::caller::{Caller, CallerStage, CallerVoice};
use super::open_turn::{OpenTurn, WrittenAnswer};
use super::prepared_script::{PreparedTurn, TurnContent};
use super::utterances::CHAT_TOPIC;
use crate::engine::{NextTick, ParticipantHandle};
use crate::participant::SendOutcome;
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{FailureClass, Outcome, TurnEnding};
use rushhour_core::units::{Micros, SessionTime};

/// An answer that has not ended this long after it began is given up, and so is an agent that does not fall silent.
const MAX_ANSWER: Micros = Micros::from_secs(60);

impl Caller {
    /// Moves on through the stages, as far as possible now.
    pub(super) fn advance(&mut self, now: SessionTime, handle: &mut dyn ParticipantHandle) {
        loop {
            let before = self.stage;
            self.step(now, handle);
            if self.stage == before {
                return;
            }
        }
    }

    fn step(&mut self, now: SessionTime, handle: &mut dyn ParticipantHandle) {
        match self.stage {
            CallerStage::Joining => {
                let until = now + self.config.settings.join_within.micros();
                self.stage = CallerStage::JoiningUntil(until);
            }
            CallerStage::JoiningUntil(_) if self.connected => {
                self.stage = CallerStage::AwaitingAgent;
                if let Some(joined_at) = self.turn_state.agent_joined_at {
                    self.agent_joined(joined_at);
                }
            }
            CallerStage::JoiningUntil(until) if now >= until => {
                let within = self.config.settings.join_within;
                let detail = format!(
                    "no connection for media and data within {within} of joining; is UDP to the server blocked?"
                );
                self.fail(FailureClass::RoomFailed, detail, handle);
            }
            CallerStage::AwaitingReady { until, stateless_at } => {
                self.await_ready(until, stateless_at, now, handle);
            }
            CallerStage::AwaitingGreeting { until } => {
                if self.greeted {
                    self.stage = CallerStage::AwaitingSilence { turn: 0, since: now };
                } else if now >= until {
                    let detail =
                        "the agent joined but said nothing, although a greeting was expected";
                    self.fail(FailureClass::AgentMute, detail, handle);
                }
            }
            CallerStage::AwaitingSilence { turn, since } => {
                self.await_silence(turn, since, now, handle);
            }
            CallerStage::AwaitingAnswer => self.await_answer(now, handle),
            CallerStage::JoiningUntil(_)
            | CallerStage::AwaitingAgent
            | CallerStage::Speaking
            | CallerStage::Done => {}
        }
    }

    /// When the caller must be called again, unless something happens before.
    pub(super) fn next_tick(&self, now: SessionTime) -> NextTick {
        match self.stage {
            CallerStage::Done => NextTick::OnEvent,
            _ if self.voice.as_ref().is_some_and(|voice| voice.playback.is_some()) => {
                NextTick::Next
            }
            CallerStage::JoiningUntil(until) | CallerStage::AwaitingGreeting { until } => {
                NextTick::At(until)
            }
            CallerStage::AwaitingAgent => NextTick::OnEvent,
            CallerStage::AwaitingReady { until, stateless_at } => {
                NextTick::At(until.min(stateless_at))
            }
            CallerStage::AwaitingAnswer => match self.turn {
                Some(OpenTurn { index, said_at: Some(said_at), answer_began: None, .. }) => {
                    NextTick::At(said_at + self.config.script.turns[index].within)
                }
                _ => NextTick::Next,
            },
            CallerStage::AwaitingSilence { turn, since } => {
                let prompt = self.config.script.turns.get(turn);
                match (self.silent_since(now), prompt.filter(|prompt| prompt.interrupt.is_none())) {
                    (Some(silent_since), Some(prompt)) => {
                        NextTick::At(silent_since.max(since) + self.quiet() + prompt.pause)
                    }
                    _ => NextTick::Next,
                }
            }
            CallerStage::Joining | CallerStage::Speaking => NextTick::Next,
        }
    }

    fn await_ready(
        &mut self,
        until: SessionTime,
        stateless_at: SessionTime,
        now: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        let state = self.turn_state.agent_state();
        let is_stateless = state.is_none() && now >= stateless_at;
        if self.agent_ready || self.greeted || is_stateless {
            self.stage = match &self.config.script.greeting {
                Some(greeting) => {
                    let joined_at = self.turn_state.agent_joined_at.unwrap_or(now);
                    CallerStage::AwaitingGreeting { until: joined_at + greeting.within }
                }
                None => CallerStage::AwaitingSilence { turn: 0, since: now },
            };
        } else if now >= until {
            let state = state.unwrap_or("unknown");
            let within = self.config.settings.ready_within;
            let detail = format!(
                "the agent joined but was still not listening after {within}; its state: {state}"
            );
            self.fail(FailureClass::AgentLate, detail, handle);
        }
    }

    /// Begins the turn `index` once the agent has been silent for long enough, or is to be interrupted.
    fn await_silence(
        &mut self,
        index: usize,
        since: SessionTime,
        now: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        let script = self.config.script.clone();
        let Some(prompt) = script.turns.get(index) else {
            let was_early = self.turn.is_some_and(|turn| turn.answer_began.is_none());
            if was_early || self.is_silent(now) {
                self.complete(handle);
            } else {
                self.give_up_waiting_for_silence(since, now, handle);
            }
            return;
        };
        let interrupts = prompt.interrupt.is_some_and(|after| {
            self.agent_output_since().is_some_and(|since| now >= since + after)
        });
        let is_silent = self.silent_since(now).is_some_and(|silent_since| {
            now >= silent_since.max(since) + self.quiet() + prompt.pause
        });
        if interrupts || is_silent {
            self.begin_turn(index, prompt, handle);
        } else {
            self.give_up_waiting_for_silence(since + prompt.pause, now, handle);
        }
    }

    fn begin_turn(
        &mut self,
        index: usize,
        prompt: &PreparedTurn,
        handle: &mut dyn ParticipantHandle,
    ) {
        self.check_greeting();
        self.close_turn();
        let turn = OpenTurn { index, ..OpenTurn::default() };
        match (&prompt.content, &mut self.voice) {
            (TurnContent::Text(text), _) => {
                if handle.send_text(CHAT_TOPIC, text, HashMap::new()) == SendOutcome::Sent {
                    self.turn = Some(OpenTurn { said_at: Some(handle.now()), ..turn });
                    self.stage = CallerStage::AwaitingAnswer;
                }
            }
            (TurnContent::Clip(clip), Some(CallerVoice { playback: Some(playback), .. })) => {
                playback.play(clip.clone());
                self.turn = Some(turn);
                self.stage = CallerStage::Speaking;
            }
            (TurnContent::Clip(_), _) => {}
        }
    }

    fn give_up_waiting_for_silence(
        &mut self,
        since: SessionTime,
        now: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        if now >= since + self.quiet() + MAX_ANSWER {
            let detail = format!("the agent did not fall silent within {MAX_ANSWER}");
            self.fail(FailureClass::TurnTimeout, detail, handle);
        }
    }

    /// In chat, looks for the answer to the open turn in what the agent wrote.
    pub(super) fn find_written_answer(&mut self) -> WrittenAnswer {
        let Some(turn) = self.turn.as_mut().filter(|_| self.voice.is_none()) else {
            return WrittenAnswer::None;
        };
        turn.find_answer(&self.config.script.turns[turn.index], &self.utterances)
    }

    fn await_answer(&mut self, now: SessionTime, handle: &mut dyn ParticipantHandle) {
        let script = self.config.script.clone();
        let written = self.find_written_answer();
        let Some(turn) = self.turn else { return };
        let Some(said_at) = turn.said_at else { return };
        let prompt = &script.turns[turn.index];
        let in_time = now < said_at + prompt.within;
        let next_interrupts =
            script.turns.get(turn.index + 1).is_some_and(|next| next.interrupt.is_some());
        let is_over = if self.voice.is_none() {
            match written {
                WrittenAnswer::None if in_time => return,
                WrittenAnswer::Unexpected if in_time && !next_interrupts => return,
                WrittenAnswer::None => return self.no_answer(prompt, handle),
                WrittenAnswer::InProgress => next_interrupts,
                WrittenAnswer::Complete | WrittenAnswer::Unexpected => true,
            }
        } else {
            match (turn.answer_began, turn.early_at) {
                (None, _) if in_time => return,
                (None, None) => return self.no_answer(prompt, handle),
                (None, Some(_)) => true,
                (Some(_), _) => next_interrupts || self.is_silent(now),
            }
        };
        if is_over {
            self.stage = CallerStage::AwaitingSilence { turn: turn.index + 1, since: now };
        } else if turn.answer_began.is_some_and(|began| now >= began + MAX_ANSWER) {
            let detail = format!("an answer had not ended {MAX_ANSWER} after it began");
            self.fail_turn(FailureClass::TurnTimeout, detail, handle);
        }
    }

    fn no_answer(&mut self, prompt: &PreparedTurn, handle: &mut dyn ParticipantHandle) {
        let class = if self.greeted { FailureClass::TurnTimeout } else { FailureClass::AgentMute };
        let number = self.turn.map_or(0, |turn| turn.index + 1);
        let detail = format!("no answer to turn {number} within {}", prompt.within);
        self.fail_turn(class, detail, handle);
    }

    /// The conversation is over as the script has it.
    pub(super) fn complete(&mut self, handle: &mut dyn ParticipantHandle) {
        self.close_turn();
        let judged = self.config.script.has_expectations().then_some(self.as_expected);
        self.outcome = Some(Outcome::Completed { judged });
        self.stage = CallerStage::Done;
        handle.leave();
    }

    /// Reports the open turn, if any, as answered.
    fn close_turn(&mut self) {
        self.find_written_answer();
        let Some(turn) = self.turn.take() else { return };
        let expect = self.config.script.turns[turn.index].expect.as_ref();
        let text = turn.said_at.map(|said| self.utterances.text_since(said)).unwrap_or_default();
        let ending = match turn.answer_began {
            None => TurnEnding::Early,
            Some(_) if expect.is_none_or(|expect| expect.is_match(&text)) => TurnEnding::Answered,
            Some(_) => TurnEnding::Unexpected,
        };
        self.as_expected &= ending != TurnEnding::Unexpected;
        self.report_turn(&turn, ending);
    }

    fn report_turn(&self, turn: &OpenTurn, ending: TurnEnding) {
        if let Some(turn) = turn.finish(ending) {
            self.report(turn.last.or(turn.first).unwrap_or(turn.said), UpdateKind::Turn(turn));
        }
    }

    /// Compares the greeting with the script, when the first turn begins.
    fn check_greeting(&mut self) {
        if std::mem::replace(&mut self.greeting_checked, true) {
            return;
        }
        let expect = self.config.script.greeting.as_ref().and_then(|one| one.expect.as_ref());
        if let Some(expect) = expect {
            self.as_expected &= expect.is_match(&self.utterances.text_since(SessionTime::START));
        }
    }

    fn fail_turn(
        &mut self,
        class: FailureClass,
        detail: String,
        handle: &mut dyn ParticipantHandle,
    ) {
        if let Some(turn) = self.turn.take() {
            self.report_turn(&turn, TurnEnding::TimedOut);
        }
        self.fail(class, detail, handle);
    }

    /// The conversation has failed: leaves the room.
    pub(super) fn fail(
        &mut self,
        class: FailureClass,
        detail: impl Into<String>,
        handle: &mut dyn ParticipantHandle,
    ) {
        let detail = match class {
            FailureClass::TurnTimeout => format!("{}{}", detail.into(), self.sound_words()),
            _ => detail.into(),
        };
        self.outcome.get_or_insert_with(|| Outcome::failed(class, detail));
        self.break_off_turn();
        self.stage = CallerStage::Done;
        handle.leave();
    }

    /// Reports the open turn, if any, as broken off; or as answered, if only silence was still awaited.
    pub(super) fn break_off_turn(&mut self) {
        if matches!(self.stage, CallerStage::AwaitingSilence { .. }) {
            self.close_turn();
        } else if let Some(turn) = self.turn.take() {
            self.report_turn(&turn, TurnEnding::BrokenOff);
        }
    }

    /// While the agent speaks, as the end of a sentence: what of its sound is taken for speech.
    fn sound_words(&self) -> String {
        let Some(voice) = self.voice.as_ref().filter(|voice| voice.speaking_since.is_some()) else {
            return String::new();
        };
        let speech = self.config.settings.speech.unwrap_or_default();
        match (voice.activity.noise_level(), speech.margin) {
            (Some(noise), Some(margin)) => {
                format!(
                    "; the noise on its track is at {noise}, and sound {margin} above that is taken for speech"
                )
            }
            _ => format!("; sound above {} is taken for speech", speech.threshold),
        }
    }

    /// How long an agent must be silent for its turn to be over.
    fn quiet(&self) -> Micros {
        self.config.settings.quiet.micros()
    }

    pub(super) fn is_agent_speaking(&self) -> bool {
        self.voice.as_ref().is_some_and(|voice| voice.speaking_since.is_some())
    }

    /// While the agent speaks or, in chat, writes: since when.
    fn agent_output_since(&self) -> Option<SessionTime> {
        match &self.voice {
            Some(voice) => voice.speaking_since,
            None => self.utterances.writing_since(),
        }
    }

    fn silent_since(&self, now: SessionTime) -> Option<SessionTime> {
        self.turn_state.silent_since(self.is_agent_speaking(), &self.utterances, now)
    }

    fn is_silent(&self, now: SessionTime) -> bool {
        self.silent_since(now).is_some_and(|since| now >= since + self.quiet())
    }
}
