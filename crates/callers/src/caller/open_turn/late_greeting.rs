//! A greeting that begins after the caller's first turn, before the agent takes that to be over: it is no answer.
//!
//! `say` of LiveKit's framework tells no `thinking`, and speaks at once. A detector of the end of a turn waits for 0.3 to
//! 3 s; what is answered then is thought of first.

use super::{OpenTurn, SpeechInterval};
use crate::caller::agents::Agents;
use crate::caller::utterances::Utterances;
use rushhour_core::units::SessionTime;

impl OpenTurn {
    /// Until when the agent greeted, if what it said first is its greeting: it began by `latest`, before the agent thought
    /// or wrote down what it had heard; and after it had thought, the agent spoke again.
    pub(super) fn greets_until<I: Iterator<Item = SpeechInterval>>(
        &self,
        speech: impl Fn() -> I,
        latest: SessionTime,
        utterances: &Utterances,
        agents: &Agents,
    ) -> Option<SessionTime> {
        if !self.may_be_greeted {
            return None;
        }
        let began = speech().next()?.began;
        let is_unheard = self.transcribed_at(utterances).is_none_or(|at| at > began);
        let thought_at = agents.states.thought_after_speaking(self.began)?;
        let is_greeting = began <= latest
            && is_unheard
            && thought_at > began
            && speech().any(|one| one.began > thought_at);
        is_greeting.then_some(thought_at)
    }

    /// Whether what the agent said may still turn out to be its greeting: it has neither thought since the caller began,
    /// nor written down what it heard, although it writes down what it says.
    pub(in crate::caller) fn may_have_greeted_only(
        &self,
        utterances: &Utterances,
        agents: &Agents,
    ) -> bool {
        self.may_be_greeted
            && !utterances.is_empty()
            && self.transcribed_at(utterances).is_none()
            && !agents.states.has_thought_since(self.began)
    }

    /// When the agent began to write down what it had heard of the turn, once it is sure of it.
    fn transcribed_at(&self, utterances: &Utterances) -> Option<SessionTime> {
        let mut heard = utterances.caller_transcript.said().map(|(at, _)| at);
        heard.find(|at| *at >= self.began)
    }
}
