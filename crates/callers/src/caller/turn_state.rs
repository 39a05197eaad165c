//! Who has the floor: agents in the room, what they say of themselves, and whether they are silent.

use super::utterances::Utterances;
use crate::participant::RemoteParticipant;
use rushhour_core::units::{Identity, Micros, SessionTime};

/// An agent that says it is busy, or whose stream is open, and of which nothing has come for this long is
/// no longer waited for: its word, or its end, was lost.
const LONGEST_SILENCE: Micros = Micros::from_secs(5);

/// The agents of a room.
#[derive(Debug, Default)]
pub(super) struct TurnState {
    agents: Vec<(Identity, Option<String>)>,
    /// When the first agent was seen.
    pub(super) came: Option<SessionTime>,
    /// The last sign of an agent's talking.
    last_sign: SessionTime,
}

/// What changed in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoomChange {
    /// Nothing that matters.
    None,
    /// The first agent came.
    Came,
    /// The last agent left.
    Left,
}

impl TurnState {
    /// Takes in what the server says of somebody.
    pub(super) fn person(&mut self, person: &RemoteParticipant, at: SessionTime) -> RoomChange {
        if !person.is_agent {
            return RoomChange::None;
        }
        let known = self.agents.iter().position(|(identity, _)| *identity == person.identity);
        match (known, person.present) {
            (Some(index), true) => {
                self.agents[index].1.clone_from(&person.agent_state);
                RoomChange::None
            }
            (None, true) => {
                self.agents.push((person.identity.clone(), person.agent_state.clone()));
                if self.came.is_some() {
                    return RoomChange::None;
                }
                self.came = Some(at);
                RoomChange::Came
            }
            (Some(index), false) => {
                self.agents.remove(index);
                if self.agents.is_empty() { RoomChange::Left } else { RoomChange::None }
            }
            (None, false) => RoomChange::None,
        }
    }

    /// Whether somebody is one of the agents.
    pub(super) fn is_agent(&self, identity: &Identity) -> bool {
        self.agents.iter().any(|(agent, _)| agent == identity)
    }

    /// What an agent says of its state, if any says something.
    pub(super) fn state(&self) -> Option<&str> {
        self.agents.iter().find_map(|(_, state)| state.as_deref())
    }

    /// Whether an agent says that it is listening.
    pub(super) fn is_listening(&self) -> bool {
        self.state() == Some("listening")
    }

    /// An agent gave a sign of talking.
    pub(super) fn sign(&mut self, at: SessionTime) {
        self.last_sign = self.last_sign.max(at);
    }

    /// Since when nobody but the caller has been talking; nothing while somebody is.
    pub(super) fn silent_since(
        &self,
        is_speaking: bool,
        utterances: &Utterances,
        now: SessionTime,
    ) -> Option<SessionTime> {
        let says_busy = !matches!(self.state(), None | Some("listening" | "idle"));
        let may_be_busy = says_busy || utterances.is_writing();
        if is_speaking || (may_be_busy && now.since(self.last_sign) < LONGEST_SILENCE) {
            return None;
        }
        Some(self.last_sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(state: Option<&str>, present: bool) -> RemoteParticipant {
        RemoteParticipant {
            identity: Identity::new("agent"),
            is_agent: true,
            present,
            joined_at_ms: None,
            agent_state: state.map(str::to_owned),
            tracks: Vec::new(),
        }
    }

    #[test]
    fn an_agent_comes_once_and_leaves_when_all_have() {
        let mut floor = TurnState::default();
        assert_eq!(floor.person(&agent(None, true), SessionTime(1)), RoomChange::Came);
        assert_eq!(floor.person(&agent(Some("listening"), true), SessionTime(2)), RoomChange::None);
        let other = RemoteParticipant { identity: Identity::new("agent-2"), ..agent(None, true) };
        assert_eq!(floor.person(&other, SessionTime(3)), RoomChange::None);
        assert_eq!(floor.person(&agent(None, false), SessionTime(4)), RoomChange::None);
        let gone = RemoteParticipant { present: false, ..other };
        assert_eq!(floor.person(&gone, SessionTime(5)), RoomChange::Left);
        assert_eq!(floor.person(&gone, SessionTime(6)), RoomChange::None);
        let guest = RemoteParticipant { is_agent: false, ..agent(None, true) };
        assert_eq!(floor.person(&guest, SessionTime(7)), RoomChange::None);
    }

    #[test]
    fn an_agent_that_says_it_is_busy_is_waited_for_but_not_for_ever() {
        let mut floor = TurnState::default();
        let nothing = Utterances::default();
        floor.person(&agent(Some("thinking"), true), SessionTime(0));
        floor.sign(SessionTime(1_000_000));
        let silent = |floor: &TurnState, now| floor.silent_since(false, &nothing, SessionTime(now));
        assert_eq!(silent(&floor, 2_000_000), None);
        assert_eq!(silent(&floor, 6_000_000), Some(SessionTime(1_000_000)));
        floor.person(&agent(Some("listening"), true), SessionTime(0));
        assert_eq!(silent(&floor, 2_000_000), Some(SessionTime(1_000_000)));
        assert_eq!(floor.silent_since(true, &nothing, SessionTime(2_000_000)), None);
    }
}
