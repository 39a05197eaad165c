//! The caller's speech: when its turn begins and is over, and what the agent does about it.

use super::agent_session::{AgentSession, CallerSpeech};
use super::attributes::{TRANSCRIPTION_TOPIC, user_transcription};
use super::step_queue::Step;
use super::turns::Trigger;
use crate::truth::AgentFact;
use rushhour_callers::audio::SpeechEdge;
use rushhour_callers::engine::ParticipantHandle;
use rushhour_core::units::{Micros, SessionTime};
use rushhour_livekit::AgentState;

impl AgentSession {
    /// The caller has started or stopped to speak.
    pub(super) fn receive_speech(
        &mut self,
        edges: &[SpeechEdge],
        handle: &mut dyn ParticipantHandle,
    ) {
        for edge in edges {
            // A session that is not ready, or hands over, ignores what it hears.
            if !self.ready || self.successor.is_some() {
                return;
            }
            match *edge {
                SpeechEdge::Started { at } => self.speech_started(at, handle),
                SpeechEdge::Ended { last_audible_at } => self.speech_ended(last_audible_at, handle),
            }
        }
    }

    fn speech_started(&mut self, at: SessionTime, handle: &mut dyn ParticipantHandle) {
        // The same turn continues.
        self.steps.cancel_end_of_turn();
        let Some(answer) = &self.answer else {
            if let Some(after) = self.context.behaviour.talks_over_after(&self.room, self.turn + 1)
            {
                self.steps.schedule(at + after, Step::TalkOver { since: at });
            }
            return;
        };
        let turn = answer.turn;
        if answer.has_begun() {
            self.record(at, AgentFact::BargedIn { room: self.room.clone(), turn });
            if self.context.behaviour.keeps_talking(&self.room, turn) {
                self.record(at, AgentFact::KeptTalking { room: self.room.clone(), turn });
                self.caller_speech = CallerSpeech::Backchannel;
                return;
            }
            let delay = self.context.behaviour.yield_delay(&self.room, turn);
            self.steps.schedule(at + delay, Step::YieldToCaller { since: at });
        } else if matches!(answer.trigger, Trigger::Speech(_)) {
            // It was only a pause: the same turn continues.
            self.turn -= 1;
            self.interrupt(handle);
            self.set_state(&AgentState::Listening, handle);
        }
    }

    fn speech_ended(&mut self, last_audible_at: SessionTime, handle: &mut dyn ParticipantHandle) {
        let speech = std::mem::replace(&mut self.caller_speech, CallerSpeech::Turn);
        if speech == CallerSpeech::Backchannel {
            return;
        }
        if let Some(since) = self.steps.yields_since() {
            // The caller stopped before the agent had yielded.
            self.yield_to_caller(since, handle);
        }
        let over_at = last_audible_at + self.end_of_turn_delay();
        if over_at > handle.now() {
            self.steps.schedule(over_at, Step::EndTurn { since: last_audible_at });
        } else {
            self.turn_over(last_audible_at, handle);
        }
    }

    /// How long after the caller's last sound its turn is over, if that is later than its silence is heard.
    pub(super) fn end_of_turn_delay(&self) -> Micros {
        self.context.behaviour.end_of_turn_delay.unwrap_or_default()
    }

    /// The caller's turn is over, whose last sound was at `last_audible_at`.
    pub(super) fn turn_over(
        &mut self,
        last_audible_at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        if self.successor.is_some() {
            return;
        }
        self.turn += 1;
        let known_after_us = handle.now().since(last_audible_at);
        let (room, turn) = (self.room.clone(), self.turn);
        self.record(last_audible_at, AgentFact::HeardSpeech { room, turn, known_after_us });
        if let (Some(caller), true) = (&self.caller, self.context.behaviour.user_transcription) {
            let track = self.voice.as_ref().and_then(|voice| voice.caller_track());
            let hears = &self.context.behaviour.hears;
            let number = usize::try_from(turn).unwrap_or(usize::MAX).saturating_sub(1);
            let heard = number.checked_rem(hears.len()).map(|number| hears[number].clone());
            let attributes = user_transcription(&format!("user_{turn}"), track, heard.is_some());
            let is_final = heard.is_some();
            let text = heard.unwrap_or_else(|| format!("What the caller said, turn {turn}."));
            handle.send_text_as(caller, TRANSCRIPTION_TOPIC, &text, attributes);
            if is_final {
                let room = self.room.clone();
                self.record(handle.now(), AgentFact::Transcribed { room, turn, text });
            }
        }
        let text = format!("I have heard you, turn {turn}.");
        self.prepare_answer(Trigger::Speech(known_after_us), last_audible_at, text, handle);
    }
}
