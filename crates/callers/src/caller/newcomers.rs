//! Agents that came after the first, to take over from it or beside it: since when each of them hears the caller.

use crate::participant::RemoteParticipant;
use rushhour_core::units::{Identity, SessionTime};
use rushhour_livekit::AgentState;

/// Agents that are remembered, at most.
const MAX_NEWCOMERS: usize = 16;

/// The agents that came when another was there, or had been.
#[derive(Debug)]
pub(super) struct Newcomers {
    list: Vec<Newcomer>,
}

#[derive(Debug)]
struct Newcomer {
    identity: Identity,
    joined_at: SessionTime,
    /// Whether it publishes a state.
    tells_state: bool,
    /// When its state was `listening` for the first time.
    listens_since: Option<SessionTime>,
}

impl Newcomers {
    /// Nobody yet.
    pub(super) const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// An agent came, and was not the first.
    pub(super) fn add(&mut self, agent: &RemoteParticipant, at: SessionTime) {
        if self.list.len() >= MAX_NEWCOMERS {
            self.list.remove(0);
        }
        self.list.push(Newcomer {
            identity: agent.identity.clone(),
            joined_at: at,
            tells_state: false,
            listens_since: None,
        });
    }

    /// An agent is as it says.
    pub(super) fn update(&mut self, agent: &RemoteParticipant, at: SessionTime) {
        let mut latest_first = self.list.iter_mut().rev();
        let Some(one) = latest_first.find(|one| one.identity == agent.identity) else { return };
        one.tells_state |= agent.agent_state.is_some();
        if agent.agent_state == Some(AgentState::Listening) {
            one.listens_since.get_or_insert(at);
        }
    }

    /// Whether an agent could take in what was said at `at`: one that tells its state does so from the first time on that
    /// it listens, because its session has begun then.
    pub(super) fn could_hear(&self, identity: &Identity, at: SessionTime) -> bool {
        let mut latest_first = self.list.iter().rev();
        latest_first.find(|one| one.identity == *identity).is_none_or(|one| {
            let since = if one.tells_state { one.listens_since } else { Some(one.joined_at) };
            since.is_some_and(|since| since <= at)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(state: Option<&str>) -> RemoteParticipant {
        let agent_state = state.map(AgentState::from);
        RemoteParticipant { agent_state, ..RemoteParticipant::new(Identity::new("two"), true) }
    }

    #[test]
    fn a_newcomer_hears_what_is_said_once_it_listens() {
        let mut newcomers = Newcomers::new();
        let hears = |newcomers: &Newcomers, name: &str, at| {
            newcomers.could_hear(&Identity::new(name), SessionTime(at))
        };
        newcomers.add(&agent(None), SessionTime(10));
        assert!(hears(&newcomers, "one", 5), "the first");
        assert_eq!((hears(&newcomers, "two", 9), hears(&newcomers, "two", 10)), (false, true));
        newcomers.update(&agent(Some("initializing")), SessionTime(20));
        assert!(!hears(&newcomers, "two", 25));
        newcomers.update(&agent(Some("listening")), SessionTime(30));
        newcomers.update(&agent(Some("thinking")), SessionTime(40));
        newcomers.update(&agent(Some("listening")), SessionTime(50));
        assert_eq!((hears(&newcomers, "two", 29), hears(&newcomers, "two", 30)), (false, true));
    }

    #[test]
    fn agents_that_come_and_go_use_bounded_memory() {
        let mut newcomers = Newcomers::new();
        for number in 0..1_000 {
            newcomers.add(&agent(None), SessionTime(number));
        }
        assert_eq!(newcomers.list.len(), MAX_NEWCOMERS);
    }
}
