//! The conversation: when the caller moves on to the next stage, and how each turn and the whole end.

use std::collections::HashMap;

use super::agents::AgentActivity;
use super::caller::{Caller, CallerStage, CallerVoice};
use super::keypad::Keypad;
use super::open_turn::{AnswerProgress, OpenTurn};
use super::prepared_script::{PreparedTurn, TurnContent};
use super::turn_state::AgentSigns;
use super::utterances::CHAT_TOPIC;
use crate::engine::{NextTick, ParticipantHandle};
use crate::participant::SendOutcome;
use rushhour_core::event::FailureClass;
use rushhour_core::units::{Micros, SessionTime};
use rushhour_livekit::AgentState;

/// A track that has sent nothing for this long, not even silence, has stopped.
const MAX_PACKET_GAP: Micros = Micros::from_secs(2);

impl Caller {
    /// Moves on through the stages, as far as possible now.
    pub(super) fn advance(&mut self, now: SessionTime, handle: &mut dyn ParticipantHandle) {
        self.give_up_open_streams(now);
        loop {
            let before = self.stage;
            self.step(now, handle);
            if self.stage == before {
                return;
            }
        }
    }

    fn step(&mut self, now: SessionTime, handle: &mut dyn ParticipantHandle) {
        if self.hang_up_early(now, handle) {
            return;
        }
        // Nobody can answer, leave or join for a caller that is not there. One that never was has its deadline to join.
        if self.outages.is_away() && self.connected {
            return;
        }
        if let Some(departed) = self.agents.departed.as_ref().filter(|_| self.stage.needs_agent()) {
            if now >= departed.at + self.config.settings.patience.replaced_within.micros() {
                self.agent_is_gone(now, handle);
            }
            return;
        }
        match self.stage {
            CallerStage::Joining => {
                let until = now + self.config.settings.join_within.micros();
                self.stage = CallerStage::JoiningUntil(until);
            }
            CallerStage::JoiningUntil(_) if self.connected => {
                self.stage = CallerStage::AwaitingAgent;
                if let Some(joined_at) = self.agents.joined_at {
                    self.agent_joined(joined_at);
                }
            }
            CallerStage::JoiningUntil(until) if now >= until => {
                let within = self.config.settings.join_within;
                let detail = format!(
                    "no connection for media and data within {within} of joining ({})",
                    handle.describe_paths()
                );
                self.fail(FailureClass::RoomFailed, detail, handle);
            }
            CallerStage::AwaitingReady { until, stateless_at } => {
                self.await_ready(until, stateless_at, now, handle);
            }
            CallerStage::AwaitingGreeting { until } => {
                let until = until + self.outages.away_since(SessionTime::START);
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
            CallerStage::AwaitingAnswer => {
                self.show_that_it_listens(now);
                self.await_answer(now, handle);
            }
            CallerStage::AwaitingAgent => self.await_hidden_agent(now),
            CallerStage::AskingSession { asked_at } => {
                if now >= self.gives_session_up_at(asked_at, now) {
                    self.no_answer(Some(asked_at), handle);
                }
            }
            CallerStage::JoiningUntil(_) | CallerStage::Speaking | CallerStage::Done => {}
        }
    }

    /// When the caller must be called again, unless something happens before.
    pub(super) fn next_tick(&self, now: SessionTime) -> NextTick {
        self.no_later_than_hanging_up(self.next_step(now), now)
    }

    fn next_step(&self, now: SessionTime) -> NextTick {
        if self.outages.is_away() && self.connected && self.voice.is_none() {
            return NextTick::OnEvent;
        }
        match self.stage {
            CallerStage::Done => NextTick::OnEvent,
            _ if self.voice.as_ref().is_some_and(|voice| voice.playback.is_some()) => {
                NextTick::Next
            }
            stage if stage.needs_agent() && self.agents.departed.is_some() => NextTick::Next,
            CallerStage::JoiningUntil(until) | CallerStage::AwaitingGreeting { until } => {
                NextTick::At(until)
            }
            CallerStage::AwaitingAgent => NextTick::At(self.asks_for_hidden_agent_at(now)),
            CallerStage::AskingSession { asked_at } => {
                NextTick::At(self.gives_session_up_at(asked_at, now))
            }
            CallerStage::AwaitingReady { until, stateless_at } => {
                NextTick::At(until.min(stateless_at))
            }
            CallerStage::AwaitingAnswer => match &self.turn {
                Some(OpenTurn { index, said_at: Some(said_at), answer_began: None, .. })
                    if !self.agents.all_came_after(*said_at) =>
                {
                    NextTick::At(*said_at + self.within_of(*index))
                }
                _ => NextTick::Next,
            },
            CallerStage::AwaitingSilence { turn, since } => {
                let prompt = self.config.script.turn(turn);
                match (self.silent_since(now), prompt.filter(|prompt| prompt.interrupt.is_none())) {
                    (Some(silent_since), Some(prompt)) if !self.is_about_to_greet(now) => {
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
        let until = until + self.outages.away_since(SessionTime::START);
        let state = self.agents.state();
        let is_stateless = state.is_none() && now >= stateless_at;
        if self.agent_ready || self.greeted || is_stateless {
            self.stage = match &self.config.script.greeting {
                Some(greeting) => {
                    let joined_at = self.agents.joined_at.unwrap_or(now);
                    CallerStage::AwaitingGreeting { until: joined_at + greeting.within }
                }
                None => CallerStage::AwaitingSilence { turn: 0, since: now },
            };
        } else if now >= until {
            let state = state.map_or("unknown", AgentState::as_str);
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
        let Some(prompt) = script.turn(index) else {
            let was_early = self.turn.as_ref().is_some_and(|turn| turn.answer_began.is_none());
            if was_early || self.is_silent(now) {
                if !self.follow_rule(index, handle) {
                    self.complete(handle);
                }
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
        }) && !self.is_about_to_greet(now);
        let is_of_a_rule = script.rule_of(index).is_some();
        if is_silent && !interrupts && !is_of_a_rule && self.follow_rule(index, handle) {
            return;
        }
        if interrupts || is_silent {
            self.begin_turn(index, prompt, is_silent, handle);
        } else {
            self.give_up_waiting_for_silence(since + prompt.pause, now, handle);
        }
    }

    /// Whether the agent thinks of a greeting: @livekit/agents tells `listening` again while its model does.
    fn is_about_to_greet(&self, now: SessionTime) -> bool {
        let longest_silence = self.config.settings.patience.longest_silence.micros();
        let is_thinking = |since: SessionTime| now < since + longest_silence;
        !self.was_heard && self.about_to_greet_since.is_some_and(is_thinking)
    }

    /// Begins a turn. `is_silent` tells whether the agent had finished before.
    pub(super) fn begin_turn(
        &mut self,
        index: usize,
        prompt: &PreparedTurn,
        is_silent: bool,
        handle: &mut dyn ParticipantHandle,
    ) {
        self.check_greeting();
        self.close_turn(is_silent, handle.now());
        self.has_whole_answer = false;
        self.summary.several_agents |= self.agents.count() > 1;
        let mut turn = OpenTurn::new(index, handle.now());
        turn.interrupts = !is_silent;
        turn.may_be_greeted =
            index == 0 && self.voice.is_some() && !self.greeted && self.agents.state().is_some();
        self.outages.forget_past();
        match (&prompt.content, &mut self.voice) {
            (TurnContent::Text(text), _) => {
                // Before it is sent: the answer of a quick agent may be stamped before this thread goes on.
                let now = handle.now();
                if handle.send_text(CHAT_TOPIC, text, HashMap::new()) == SendOutcome::Sent {
                    self.recorder.caller_says(text, now);
                    self.first_turn_at.get_or_insert(now);
                    self.turn = Some(turn.said(now));
                    self.stage = CallerStage::AwaitingAnswer;
                }
            }
            (TurnContent::Clip(clip), Some(CallerVoice { playback: Some(playback), .. })) => {
                playback.play(clip.clone());
                self.recorder
                    .caller_says(prompt.spoken.as_deref().unwrap_or("(a clip)"), turn.began);
                self.turn = Some(turn);
                self.stage = CallerStage::Speaking;
            }
            (TurnContent::Keys(keys), Some(voice)) => {
                voice.keypad = Some(Keypad::new(keys.clone(), handle.now()));
                let pressed: String = keys.iter().map(|key| key.sign()).collect();
                self.recorder.caller_says(&format!("(keys {pressed})"), turn.began);
                self.turn = Some(turn);
                self.stage = CallerStage::Speaking;
            }
            (TurnContent::Clip(_) | TurnContent::Keys(_), _) => {}
        }
        if self.turn.is_some() {
            self.rules.forget_unsaid();
        }
        self.pass_on_state();
    }

    fn give_up_waiting_for_silence(
        &mut self,
        since: SessionTime,
        now: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        let longest = self.longest_answer();
        if now >= since + self.quiet() + longest {
            let state = self.state_words();
            let detail = format!("the agent did not fall silent within {longest}{state}");
            self.fail(FailureClass::TurnTimeout, detail, handle);
        }
    }

    /// The agent's state as the end of a sentence, if it tells one.
    pub(super) fn state_words(&self) -> String {
        self.agents.state().map_or_else(String::new, |state| format!("; its state: {state}"))
    }

    /// Looks for the answer to the open turn in what the agent wrote or said.
    pub(super) fn find_answer(&mut self) -> AnswerProgress {
        let Some(turn) = &mut self.turn else { return AnswerProgress::None };
        let Some(prompt) = self.config.script.turn(turn.index) else { return AnswerProgress::None };
        let progress = if self.voice.is_none() {
            turn.find_written_answer(prompt, &self.utterances, &self.agents)
        } else {
            let resumes_within = self.config.settings.patience.resumes_within.micros();
            turn.find_spoken_answer(prompt, &self.utterances, &self.agents, resumes_within)
        };
        turn.is_answered = progress == AnswerProgress::Complete;
        progress
    }

    fn await_answer(&mut self, now: SessionTime, handle: &mut dyn ParticipantHandle) {
        let script = self.config.script.clone();
        let progress = self.find_answer();
        if self.is_lost_in_the_greeting(progress, now) {
            return self.repeat_lost_turn(now);
        }
        if self.is_lost_in_a_hand_off(progress, now) {
            return self.say_again(now);
        }
        let Some(turn) = &self.turn else { return };
        let Some(said_at) = turn.said_at else { return };
        let (index, answer_began) = (turn.index, turn.answer_began);
        let next = self.after(index);
        if script.turn(next).is_none() && answer_began.is_some() {
            self.ask_for_rtc_stats(now, handle);
        }
        let within = self.within_of(index) + self.outages.away_since(said_at);
        let in_time = now < said_at + within;
        let next_interrupts = script.turn(next).is_some_and(|next| next.interrupt.is_some());
        // Without transcripts, nobody can tell what it said.
        let may_match = self.voice.is_none() || !self.utterances.is_empty();
        let is_over = match progress {
            AnswerProgress::None | AnswerProgress::Early | AnswerProgress::Resumed if in_time => {
                return;
            }
            AnswerProgress::Unexpected
                if in_time
                    && may_match
                    && !next_interrupts
                    && !(self.is_silent(now) && self.has_rule_to_follow()) =>
            {
                return;
            }
            AnswerProgress::None => return self.ask_for_an_answer(now, handle),
            AnswerProgress::Resumed if self.is_silent(now) => {
                return self.ask_for_an_answer(now, handle);
            }
            AnswerProgress::Resumed => false,
            AnswerProgress::Early => true,
            AnswerProgress::InProgress => next_interrupts,
            AnswerProgress::Complete | AnswerProgress::Unexpected => {
                self.voice.is_none()
                    || next_interrupts
                    || (self.is_silent(now) && !self.may_have_greeted_only(now))
            }
        };
        let longest = self.longest_answer();
        if is_over {
            self.stage = CallerStage::AwaitingSilence { turn: next, since: now };
        } else if now >= answer_began.unwrap_or(said_at) + longest {
            let state = self.state_words();
            let detail = format!("an answer had not ended {longest} after it began{state}");
            self.fail_turn(FailureClass::TurnTimeout, detail, handle);
        }
    }

    /// The turn that follows on one.
    pub(super) fn after(&self, index: usize) -> usize {
        match self.config.script.rule_of(index) {
            Some(_) => self.rules.then,
            None => index + 1,
        }
    }

    /// How long the answer to a turn may take to begin.
    pub(super) fn within_of(&self, index: usize) -> Micros {
        self.config.script.turn(index).map_or(Micros::ZERO, |prompt| prompt.within)
    }

    /// While the agent speaks, as the end of a sentence: what of its sound is taken for speech.
    pub(super) fn sound_words(&self) -> String {
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

    /// An answer that has not ended this long after it began is given up, and so is an agent that does not fall silent.
    fn longest_answer(&self) -> Micros {
        self.config.settings.patience.longest_answer.micros()
    }

    /// While the agent speaks: since when. The sounds of its thinking are none.
    pub(super) fn speech_since(&self) -> Option<SessionTime> {
        let began = self.voice.as_ref()?.speaking_since?;
        self.agents.speech_since(began, None, &self.utterances)
    }

    /// Whether the agent is audible.
    pub(super) fn is_agent_speaking(&self) -> bool {
        self.voice.as_ref().is_some_and(|voice| voice.speaking_since.is_some())
    }

    /// While the agent speaks or, in chat, writes: since when its answer, or its greeting, has been under way.
    fn agent_output_since(&self) -> Option<SessionTime> {
        match &self.voice {
            Some(_) => {
                let since = self.speech_since()?;
                // Pauses between its sentences do not begin an answer anew.
                let began = self.turn.as_ref().and_then(|turn| turn.answer_began);
                Some(began.filter(|began| *began < since).unwrap_or(since))
            }
            None => self.utterances.writing_since(),
        }
    }

    /// What the agent does, from all that is known of it.
    pub(super) fn signs(&self, now: SessionTime) -> AgentSigns {
        let last_packet_at = self.voice.as_ref().and_then(|voice| voice.last_packet_at);
        let longest_silence = self.config.settings.patience.longest_silence.micros();
        let in_doubt_since = self.agents.states.may_think_since();
        let has_tool = || self.tool_calls.is_running(in_doubt_since, longest_silence, now);
        let activity = match self.agents.activity() {
            AgentActivity::Open if has_tool() => AgentActivity::Thinking,
            activity => activity,
        };
        AgentSigns {
            activity,
            open_since: self.agents.states.open_since(),
            // What may be speech is waited for as speech.
            is_audible: self.is_agent_speaking()
                || self.voice.as_ref().is_some_and(|voice| voice.activity.is_undecided()),
            is_writing: self.utterances.is_writing(),
            has_stopped_sending: last_packet_at.is_some_and(|at| now.since(at) >= MAX_PACKET_GAP),
        }
    }

    pub(super) fn silent_since(&self, now: SessionTime) -> Option<SessionTime> {
        let longest_silence = self.config.settings.patience.longest_silence.micros();
        self.turn_state.silent_since(self.signs(now), longest_silence, now)
    }

    fn is_silent(&self, now: SessionTime) -> bool {
        self.silent_since(now).is_some_and(|since| now >= since + self.quiet())
    }
}
