//! What an agent says that it does.

use std::collections::HashMap;
use std::fmt;

use rushhour_core::units::shortened;

/// The longest state that is kept, in bytes.
const MAX_STATE: usize = 100;

/// The value of an agent's attribute [`Self::ATTRIBUTE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentState {
    /// Its session is starting.
    Initializing,
    /// It waits, and nobody has spoken for long.
    Idle,
    /// It listens.
    Listening,
    /// It prepares what it will say.
    Thinking,
    /// It speaks.
    Speaking,
    /// What no framework of LiveKit says, as it is written.
    Other(String),
}

impl AgentState {
    /// The attribute in which an agent built with LiveKit's framework publishes its state.
    pub const ATTRIBUTE: &str = "lk.agent.state";

    /// The attributes of a participant in this state.
    pub fn attributes(&self) -> HashMap<String, String> {
        HashMap::from([(Self::ATTRIBUTE.to_owned(), self.as_str().to_owned())])
    }

    /// The value of the attribute.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Initializing => "initializing",
            Self::Idle => "idle",
            Self::Listening => "listening",
            Self::Thinking => "thinking",
            Self::Speaking => "speaking",
            Self::Other(state) => state,
        }
    }
}

impl From<&str> for AgentState {
    fn from(state: &str) -> Self {
        match state {
            "initializing" => Self::Initializing,
            "idle" => Self::Idle,
            "listening" => Self::Listening,
            "thinking" => Self::Thinking,
            "speaking" => Self::Speaking,
            _ => Self::Other(shortened(state, MAX_STATE)),
        }
    }
}

impl fmt::Display for AgentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_those_of_the_frameworks_and_others_are_kept_as_they_are_written() {
        for state in ["initializing", "idle", "listening", "thinking", "speaking"] {
            let read = AgentState::from(state);
            assert_eq!(read.as_str(), state);
            assert!(!matches!(read, AgentState::Other(_)), "{state}");
        }
        let long = "dreaming".repeat(20);
        let dreaming = AgentState::from(long.as_str());
        assert_eq!(dreaming.as_str(), shortened(&long, MAX_STATE));
        assert!(dreaming.as_str().len() < long.len());
    }
}
