//! Whose turn it is: which agents are in the room, the state they publish, and whether they are silent.

use super::utterances::Utterances;
use crate::participant::RemoteParticipant;
use rushhour_core::units::{Identity, Micros, SessionTime};

/// An agent that claims to be busy, or has a stream open, is taken to be silent if nothing came from it for this long:
/// its next state, or the end of its stream, was lost.
const MAX_SILENT_WORK: Micros = Micros::from_secs(5);

/// The most agents of a room that are told apart.
const MAX_AGENTS: usize = 64;

/// The agents of a room.
#[derive(Debug, Default)]
pub(super) struct TurnState {
    agents: Vec<Agent>,
    /// When the first agent joined, as seen by the caller.
    pub(super) agent_joined_at: Option<SessionTime>,
    /// When an agent last spoke or wrote.
    last_activity: SessionTime,
}

#[derive(Debug)]
struct Agent {
    identity: Identity,
    state: Option<String>,
}

/// What an update of a participant changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoomChange {
    /// Nothing that matters to the caller.
    None,
    /// The first agent joined.
    AgentJoined,
    /// The last agent left.
    AgentLeft,
}

impl TurnState {
    /// Handles the server's update of a participant.
    pub(super) fn update(
        &mut self,
        participant: &RemoteParticipant,
        at: SessionTime,
    ) -> RoomChange {
        let RemoteParticipant { identity, agent_state, .. } = participant;
        if !participant.is_agent {
            return RoomChange::None;
        }
        let known = self.agents.iter().position(|agent| agent.identity == *identity);
        match (known, participant.connected) {
            (Some(index), true) => {
                self.agents[index].state.clone_from(agent_state);
                RoomChange::None
            }
            (None, true) if self.agents.len() >= MAX_AGENTS => RoomChange::None,
            (None, true) => {
                self.agents.push(Agent { identity: identity.clone(), state: agent_state.clone() });
                if self.agent_joined_at.is_some() {
                    return RoomChange::None;
                }
                self.agent_joined_at = Some(at);
                RoomChange::AgentJoined
            }
            (Some(index), false) => {
                self.agents.remove(index);
                if self.agents.is_empty() { RoomChange::AgentLeft } else { RoomChange::None }
            }
            (None, false) => RoomChange::None,
        }
    }

    /// Whether a participant is one of the agents.
    pub(super) fn is_agent(&self, identity: &Identity) -> bool {
        self.agents.iter().any(|agent| agent.identity == *identity)
    }

    /// The state of the first agent that publishes one.
    pub(super) fn agent_state(&self) -> Option<&str> {
        self.agents.iter().find_map(|agent| agent.state.as_deref())
    }

    /// Whether an agent's state is `listening`.
    pub(super) fn is_listening(&self) -> bool {
        self.agent_state() == Some("listening")
    }

    /// Notes that an agent spoke or wrote.
    pub(super) fn agent_active(&mut self, at: SessionTime) {
        self.last_activity = self.last_activity.max(at);
    }

    /// Since when the agents have been silent; `None` while one speaks, writes or claims to be busy.
    pub(super) fn silent_since(
        &self,
        is_speaking: bool,
        utterances: &Utterances,
        now: SessionTime,
    ) -> Option<SessionTime> {
        let claims_busy = !matches!(self.agent_state(), None | Some("listening" | "idle"));
        let may_be_busy = claims_busy || utterances.is_writing();
        if is_speaking || (may_be_busy && now.since(self.last_activity) < MAX_SILENT_WORK) {
            return None;
        }
        Some(self.last_activity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(agent_state: Option<&str>, connected: bool) -> RemoteParticipant {
        RemoteParticipant {
            identity: Identity::new("agent"),
            is_agent: true,
            connected,
            joined_at_ms: None,
            agent_state: agent_state.map(str::to_owned),
        }
    }

    #[test]
    fn the_first_agent_joins_and_the_last_leaves() {
        let mut state = TurnState::default();
        assert_eq!(state.update(&agent(None, true), SessionTime(1)), RoomChange::AgentJoined);
        assert_eq!(state.update(&agent(Some("listening"), true), SessionTime(2)), RoomChange::None);
        let other = RemoteParticipant { identity: Identity::new("agent-2"), ..agent(None, true) };
        assert_eq!(state.update(&other, SessionTime(3)), RoomChange::None);
        assert_eq!(state.update(&agent(None, false), SessionTime(4)), RoomChange::None);
        let gone = RemoteParticipant { connected: false, ..other };
        assert_eq!(state.update(&gone, SessionTime(5)), RoomChange::AgentLeft);
        assert_eq!(state.update(&gone, SessionTime(6)), RoomChange::None);
        let guest = RemoteParticipant { is_agent: false, ..agent(None, true) };
        assert_eq!(state.update(&guest, SessionTime(7)), RoomChange::None);
    }

    #[test]
    fn a_busy_agent_is_waited_for_but_not_forever() {
        let mut state = TurnState::default();
        let no_utterances = Utterances::default();
        state.update(&agent(Some("thinking"), true), SessionTime(0));
        state.agent_active(SessionTime(1_000_000));
        let silent =
            |state: &TurnState, now| state.silent_since(false, &no_utterances, SessionTime(now));
        assert_eq!(silent(&state, 2_000_000), None);
        assert_eq!(silent(&state, 6_000_000), Some(SessionTime(1_000_000)));
        state.update(&agent(Some("listening"), true), SessionTime(0));
        assert_eq!(silent(&state, 2_000_000), Some(SessionTime(1_000_000)));
        assert_eq!(state.silent_since(true, &no_utterances, SessionTime(2_000_000)), None);
    }
}
