//! How agent and caller took turns, from what was heard in a turn.

use super::{LONGEST_BREATH, OpenTurn, SHORTEST_REACTION, SpeechInterval};
use crate::caller::agents::Agents;
use crate::caller::utterances::{TEXT_SLACK, Utterances};
use rushhour_core::event::TurnTaking;
use rushhour_core::units::{Micros, SessionTime};

/// An agent that falls silent within this time after a caller began to show that it listens has stopped for it.
const STOPS_WITHIN: Micros = Micros::from_millis(1_500);

impl OpenTurn {
    /// How agent and caller took turns. `awaited_until` is until when the agent had the word, if the caller waited in vain
    /// for more of it.
    pub(in crate::caller) fn taking(
        &self,
        awaited_until: Option<SessionTime>,
        utterances: &Utterances,
        agents: &Agents,
    ) -> Option<TurnTaking> {
        let said_at = self.said_at?;
        let began = self.voice_began.unwrap_or(said_at);
        let caller_speech = said_at.since(began);
        let both = |from: SessionTime, to: SessionTime| to.min(said_at).since(from.max(began));
        // What it was saying when the caller began is none of its answer; while it goes on, it is not silent.
        let (before, mut silent_since) = match self.interruption {
            None => (Micros::ZERO, Some(said_at)),
            Some(one) => (
                both(one.began, one.spoke_until.unwrap_or(SessionTime::NEVER)),
                one.spoke_until.map(|until| until.max(said_at)),
            ),
        };
        let is_later =
            |spurt: &SpeechInterval| self.interruption.is_none_or(|one| spurt.began > one.began);
        let speech: Vec<SpeechInterval> =
            self.speech(utterances, agents).filter(is_later).collect();
        let overlap = speech.iter().fold(before, |sum, spurt| {
            sum + both(spurt.began, spurt.ended.unwrap_or(SessionTime::NEVER))
        });
        let talks_over = |spurt: &SpeechInterval| {
            spurt.began > began
                && spurt.began + SHORTEST_REACTION < said_at
                && spurt.ended.is_none_or(|ended| ended >= said_at)
        };
        let mut dead_air = Micros::ZERO;
        for spurt in speech.iter().filter(|one| one.ended.is_none_or(|ended| ended > said_at)) {
            if let Some(since) = silent_since {
                dead_air = dead_air.max(spurt.began.since(since));
            }
            silent_since = spurt.ended;
        }
        if let (Some(since), Some(until)) = (silent_since, awaited_until) {
            dead_air = dead_air.max(until.since(since));
        }
        let talked_over = speech.iter().any(talks_over);
        Some(TurnTaking {
            dead_air,
            caller_speech,
            overlap: overlap.min(caller_speech),
            talked_over,
        })
    }

    /// Whether the agent stopped for the caller's back-channel: it fell silent soon after that began, for longer than
    /// between two sentences, or said something else then.
    pub(in crate::caller) fn stopped_for_backchannel(
        &self,
        utterances: &Utterances,
        agents: &Agents,
    ) -> bool {
        let Some(at) = self.backchannel_at else { return false };
        let mut speech = self.speech(utterances, agents).peekable();
        while let Some(spurt) = speech.next() {
            let Some(ended) = spurt.ended else { continue };
            let goes_on = speech.peek().is_some_and(|next| {
                let is_new =
                    utterances.since(at).any(|one| one.opened_at <= next.began + TEXT_SLACK);
                next.began.since(ended) < LONGEST_BREATH && !is_new
            });
            if (at..=at + STOPS_WITHIN).contains(&ended) && !goes_on {
                return true;
            }
        }
        false
    }

    /// When the caller last heard the agent speak since it began.
    pub(in crate::caller) fn last_heard(
        &self,
        utterances: &Utterances,
        agents: &Agents,
    ) -> Option<SessionTime> {
        let before = self.interruption.and_then(|one| one.spoke_until);
        before.max(self.speech(utterances, agents).filter_map(|one| one.ended).last())
    }
}
