//! Whose turn it is: since when the agents have been silent.

use super::agents::AgentActivity;
use rushhour_core::units::{Micros, SessionTime};

/// What the agents do, from all that is known of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct AgentSigns {
    /// What their state says.
    pub(super) activity: AgentActivity,
    /// Since when it says that they listen.
    pub(super) open_since: Option<SessionTime>,
    /// Whether they are audible.
    pub(super) is_audible: bool,
    /// Whether a text stream of theirs is open.
    pub(super) is_writing: bool,
    /// Whether their track sends nothing any more, not even silence.
    pub(super) has_stopped_sending: bool,
}

/// When the agents were last active.
#[derive(Debug, Default)]
pub(super) struct TurnState {
    last_activity: SessionTime,
    /// When one last told anything: a state, or a report of its session.
    last_told: SessionTime,
}

impl TurnState {
    /// Notes that an agent spoke or wrote.
    pub(super) fn agent_active(&mut self, at: SessionTime) {
        self.last_activity = self.last_activity.max(at);
    }

    /// Notes that an agent told something of itself.
    pub(super) fn agent_told(&mut self, at: SessionTime) {
        self.last_told = self.last_told.max(at);
    }

    /// When an agent last spoke, wrote or told anything.
    pub(super) fn last_sign(&self) -> SessionTime {
        self.last_activity.max(self.last_told)
    }

    /// When an agent last spoke or wrote.
    pub(super) const fn last_activity(&self) -> SessionTime {
        self.last_activity
    }

    /// Since when the agents have been silent and listened; `None` while one speaks, writes or claims to be busy.
    ///
    /// An agent that thinks will speak again, however long its tool takes. One that listens may do so for a moment, until
    /// its tool begins, and tells it later than its last sound is heard: so both count. One whose state is `speaking`, or
    /// which has a stream open, but of which nothing came for `longest_silence`, has lost its next state or the end of its
    /// stream; unless it is in the middle of a sentence or has stopped sending: then it pauses, or is gone.
    pub(super) fn silent_since(
        &self,
        signs: AgentSigns,
        longest_silence: Micros,
        now: SessionTime,
    ) -> Option<SessionTime> {
        let may_pause = now.since(self.last_activity) < longest_silence;
        let is_busy = signs.is_audible
            || match signs.activity {
                AgentActivity::Thinking => true,
                AgentActivity::Speaking => {
                    may_pause || signs.is_writing || signs.has_stopped_sending
                }
                AgentActivity::Open => may_pause && signs.is_writing,
            };
        let open_since = signs.open_since.unwrap_or_default();
        (!is_busy).then_some(self.last_activity.max(open_since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNS: AgentSigns = AgentSigns {
        activity: AgentActivity::Open,
        open_since: None,
        is_audible: false,
        is_writing: false,
        has_stopped_sending: false,
    };

    /// Whether an agent that was last active at 1 s is taken to be silent at `seconds`.
    fn is_silent(signs: AgentSigns, seconds: u64) -> bool {
        let mut state = TurnState::default();
        state.agent_active(SessionTime(1_000_000));
        let now = SessionTime(seconds * 1_000_000);
        let since = state.silent_since(signs, Micros::from_secs(5), now);
        assert!(since.is_none_or(|since| since == SessionTime(1_000_000)));
        since.is_some()
    }

    #[test]
    fn an_agent_that_thinks_is_waited_for_and_one_that_listens_is_not() {
        assert!(is_silent(SIGNS, 1));
        assert!(!is_silent(AgentSigns { is_audible: true, ..SIGNS }, 50));
        assert!(!is_silent(AgentSigns { activity: AgentActivity::Thinking, ..SIGNS }, 50));
    }

    #[test]
    fn an_agent_is_silent_from_its_last_sound_on_and_from_when_it_listens() {
        let mut state = TurnState::default();
        state.agent_active(SessionTime(1_000_000));
        for (open_since, silent_since) in [(400_000, 1_000_000), (1_400_000, 1_400_000)] {
            let signs = AgentSigns { open_since: Some(SessionTime(open_since)), ..SIGNS };
            let since = state.silent_since(signs, Micros::from_secs(5), SessionTime(1_500_000));
            assert_eq!(since, Some(SessionTime(silent_since)));
        }
    }

    #[test]
    fn a_state_or_a_stream_whose_end_was_lost_is_waited_for_but_not_forever() {
        let speaking = AgentSigns { activity: AgentActivity::Speaking, ..SIGNS };
        let writing = AgentSigns { is_writing: true, ..SIGNS };
        for signs in [speaking, writing] {
            assert_eq!((is_silent(signs, 5), is_silent(signs, 6)), (false, true), "{signs:?}");
        }
    }

    #[test]
    fn an_agent_that_falls_silent_in_a_sentence_has_not_finished() {
        let speaking = AgentSigns { activity: AgentActivity::Speaking, ..SIGNS };
        assert!(!is_silent(AgentSigns { is_writing: true, ..speaking }, 50));
        assert!(!is_silent(AgentSigns { has_stopped_sending: true, ..speaking }, 50));
    }
}
