//! When the agents told what they do. Sound while they think is no answer: a thinking sound, or keys.
//!
//! A state is told beside the audio, not in it: `speaking` may come before its first sound or after it. So the state says
//! only which sound is speech; when speech began is what was heard.

use std::collections::VecDeque;

use super::agents::AgentActivity;
use rushhour_core::units::{Micros, SessionTime};

/// Changes that are remembered, at most.
const MAX_CHANGES: usize = 64;
/// `speaking` is told at most so long after the first sound of what is said.
const LONGEST_LAG: Micros = Micros::from_millis(500);
/// Frameworks tell `listening` for less than this between two `thinking`, when a tool begins. What is told closer to each
/// other than this was told at once.
const GLIMPSE: Micros = Micros::from_millis(200);

/// What the agents told.
#[derive(Debug)]
pub(super) struct StateHistory {
    /// In order, each other than the one before.
    changes: VecDeque<(SessionTime, AgentActivity)>,
}

impl StateHistory {
    /// Nothing yet.
    pub(super) const fn new() -> Self {
        Self { changes: VecDeque::new() }
    }

    /// Notes what the agents do from `at` on.
    pub(super) fn note(&mut self, at: SessionTime, activity: AgentActivity) {
        if self.changes.back().is_some_and(|(_, latest)| *latest == activity) {
            return;
        }
        if self.changes.len() >= MAX_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back((at, activity));
    }

    /// Since when the agents have told that they listen, or nothing; `None` while they tell that they are busy.
    pub(super) fn open_since(&self) -> Option<SessionTime> {
        let (at, activity) = self.changes.back()?;
        (*activity == AgentActivity::Open).then_some(*at)
    }

    /// Whether agents have begun to think since `time`.
    pub(super) fn has_thought_since(&self, time: SessionTime) -> bool {
        self.since(time).any(|(_, activity)| activity == AgentActivity::Thinking)
    }

    /// When agents that told since `time` that they speak, and had not told that they think, told so afterwards.
    pub(super) fn thought_after_speaking(&self, time: SessionTime) -> Option<SessionTime> {
        let mut busy = self.since(time).filter(|(_, activity)| *activity != AgentActivity::Open);
        let (_, first) = busy.next()?;
        let (at, then) = busy.next()?;
        let told = [first, then] == [AgentActivity::Speaking, AgentActivity::Thinking];
        told.then_some(at)
    }

    fn since(&self, time: SessionTime) -> impl Iterator<Item = (SessionTime, AgentActivity)> {
        self.changes.iter().copied().filter(move |(at, _)| *at >= time)
    }

    /// Until when agents that said nothing more have thought: until `now`, or until they told that they listen.
    pub(super) fn thought_until(&self, now: SessionTime) -> Option<SessionTime> {
        let mut latest = self.changes.iter().rev().copied();
        match (latest.next()?, latest.next()) {
            ((_, AgentActivity::Thinking), _) => Some(now),
            ((at, AgentActivity::Open), Some((_, AgentActivity::Thinking))) => Some(at),
            _ => None,
        }
    }

    /// Since when agents that tell `listening` may think all the same: they spoke, and told `thinking` at once with it.
    ///
    /// Where a tool begins, livekit-agents 1.0 sets `listening` and `thinking` one after the other. LiveKit's SDKs send each
    /// as a task of its own, so that the server may get `thinking` first, and `listening` stays until the tool is over.
    /// Interrupted by a text, it tells `thinking` for the next answer, and then `listening` for the one before
    /// (livekit/agents, issue 2451).
    pub(super) fn may_think_since(&self) -> Option<SessionTime> {
        let mut latest = self.changes.iter().rev();
        let (listens, thinks, speaks) = (latest.next()?, latest.next()?, latest.next()?);
        let in_doubt = [AgentActivity::Speaking, AgentActivity::Thinking, AgentActivity::Open];
        let told = [speaks.1, thinks.1, listens.1];
        (told == in_doubt && listens.0.since(thinks.0) < GLIMPSE).then_some(thinks.0)
    }

    /// Since when a sound, which may have ended, has been speech; `None` while it is none as far as is known.
    ///
    /// What begins while the agents think is speech if they tell within [`LONGEST_LAG`] that they speak, or stop thinking
    /// without having told it. A thinking sound that goes on into speech is speech once they tell so.
    pub(super) fn speech_since(
        &self,
        began: SessionTime,
        ended: Option<SessionTime>,
    ) -> Option<SessionTime> {
        let later = self.changes.partition_point(|(at, _)| *at <= began);
        let before = self.changes.range(..later).next_back();
        if before.is_none_or(|(_, activity)| *activity != AgentActivity::Thinking) {
            return Some(began);
        }
        let mut after = self.changes.range(later..).peekable();
        while let Some((at, activity)) = after.next() {
            match activity {
                AgentActivity::Speaking if at.since(began) <= LONGEST_LAG => return Some(began),
                AgentActivity::Speaking => {
                    return Some(*at).filter(|at| ended.is_none_or(|ended| ended > *at));
                }
                AgentActivity::Open => {
                    let is_glimpse = after.peek().is_some_and(|(next, activity)| {
                        *activity == AgentActivity::Thinking && next.since(*at) < GLIMPSE
                    });
                    if !is_glimpse {
                        return Some(began);
                    }
                }
                AgentActivity::Thinking => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> SessionTime {
        SessionTime(millis * 1_000)
    }

    /// What agents told: `t`hinking, `s`peaking or `l`istening.
    fn history(changes: &[(u64, char)]) -> StateHistory {
        let mut history = StateHistory::new();
        for (millis, state) in changes {
            let activity = match state {
                't' => AgentActivity::Thinking,
                's' => AgentActivity::Speaking,
                _ => AgentActivity::Open,
            };
            history.note(at(*millis), activity);
        }
        history
    }

    /// Since when a sound is speech, after these changes.
    fn since(changes: &[(u64, char)], began: u64, ended: Option<u64>) -> Option<u64> {
        let since = history(changes).speech_since(at(began), ended.map(at));
        since.map(|since| since.0 / 1_000)
    }

    #[test]
    fn agents_listen_from_the_moment_that_they_tell_so() {
        assert_eq!(history(&[]).open_since(), None);
        let turn = [(0, 'l'), (1_000, 't'), (2_000, 's'), (3_000, 'l'), (3_500, 'l')];
        assert_eq!(history(&turn).open_since(), Some(at(3_000)), "told twice");
        assert_eq!(history(&turn[..3]).open_since(), None);
    }

    #[test]
    fn agents_that_said_nothing_more_thought_until_they_listened() {
        let until = |changes: &[(u64, char)]| history(changes).thought_until(at(9_000));
        let told = [(0, 'l'), (1_000, 't'), (2_000, 's'), (3_000, 't'), (4_000, 'l')];
        assert_eq!(until(&told), Some(at(4_000)));
        assert_eq!(until(&told[..4]), Some(at(9_000)), "it still thinks");
        let spoke = [(1_000, 't'), (2_000, 's'), (3_000, 'l')];
        assert_eq!(until(&spoke), None, "it spoke");
        assert_eq!((until(&spoke[..2]), until(&[]), until(&told[..1])), (None, None, None));
    }

    #[test]
    fn agents_that_spoke_without_having_thought_and_think_then_spoke_of_something_else() {
        let greets = [(500, 'l'), (1_200, 's'), (1_800, 'l'), (2_000, 't'), (2_500, 's')];
        let after = |changes: &[(u64, char)]| history(changes).thought_after_speaking(at(1_000));
        assert_eq!((after(&greets), after(&greets[..3])), (Some(at(2_000)), None));
        let cut_off = [(1_200, 's'), (2_000, 't')];
        assert_eq!(after(&cut_off), Some(at(2_000)));
        let before = [(900, 't'), (1_200, 's'), (2_000, 't')];
        assert_eq!(after(&before), Some(at(2_000)), "what it thought of before is no answer");
        let answers = [(500, 'l'), (1_200, 't'), (1_210, 'l'), (1_800, 's'), (2_000, 't')];
        assert_eq!(after(&answers), None, "it thought first");
        let has_thought = |at_millis| history(&greets).has_thought_since(at(at_millis));
        assert!(has_thought(2_000) && !has_thought(2_001));
    }

    #[test]
    fn listening_that_was_told_together_with_thinking_may_be_meant_as_thinking() {
        let told = [(0, 'l'), (500, 't'), (1_000, 's'), (2_000, 't'), (2_001, 'l')];
        assert_eq!(history(&told).may_think_since(), Some(at(2_000)), "after it spoke");
        let may_think = |changes: &[(u64, char)]| history(changes).may_think_since().is_some();
        assert!(!may_think(&told[..4]), "it thinks");
        assert!(!may_think(&told[..3]));
        let more = |state| [&told[..], &[(2_500, state)]].concat();
        assert!(!may_think(&more('s')) && !may_think(&more('t')));
        let apart = [(1_000, 's'), (2_000, 't'), (2_200, 'l')];
        assert!(!may_think(&apart), "it thought, and then listened");
        let quick = [(0, 'l'), (1_000, 't'), (1_010, 's'), (1_011, 'l')];
        assert!(!may_think(&quick), "a quick answer");
        let silent = [(0, 'l'), (1_000, 't'), (1_010, 'l')];
        assert!(!may_think(&silent), "it has not spoken");
    }

    #[test]
    fn a_state_that_comes_late_or_early_does_not_move_the_first_sound() {
        let turn = [(0, 'l'), (1_000, 't'), (2_000, 's'), (3_000, 'l')];
        assert_eq!(since(&turn, 2_030, Some(2_900)), Some(2_030), "the state was early");
        assert_eq!(since(&turn, 1_700, Some(2_900)), Some(1_700), "it was late");
        assert_eq!(since(&turn, 1_700, Some(1_900)), Some(1_700), "and the answer short");
    }

    #[test]
    fn sound_while_the_agent_thinks_is_no_speech() {
        let thinks = [(0, 'l'), (1_000, 't')];
        assert_eq!(since(&thinks, 900, None), Some(900));
        assert_eq!(since(&thinks, 1_100, Some(1_300)), None);
        assert_eq!(since(&thinks, 1_100, None), None, "not yet");
        let turn = [(0, 'l'), (1_000, 't'), (4_000, 's')];
        assert_eq!(since(&turn, 1_100, Some(3_900)), None);
        assert_eq!(since(&turn, 1_100, None), Some(4_000), "it goes on into speech");
    }

    #[test]
    fn an_agent_that_never_tells_that_it_speaks_is_heard_all_the_same() {
        assert_eq!(since(&[], 100, None), Some(100), "no state");
        let flips = [(0, 'l'), (1_000, 't'), (2_000, 'l')];
        assert_eq!(since(&flips, 1_100, Some(1_900)), Some(1_100));
        let tool = [(0, 'l'), (1_000, 't'), (2_000, 'l'), (2_010, 't'), (4_000, 's')];
        assert_eq!(since(&tool, 1_100, Some(1_900)), None, "listening for a moment");
    }

    #[test]
    fn an_agent_that_changes_its_state_all_the_time_uses_bounded_memory() {
        let mut history = StateHistory::new();
        for number in 0..10_000 {
            history.note(at(number), AgentActivity::Thinking);
            history.note(at(number), AgentActivity::Open);
        }
        assert_eq!(history.changes.len(), MAX_CHANGES);
    }
}
