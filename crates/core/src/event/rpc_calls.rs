//! What an agent asked of its caller by RPC.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Methods that are kept by name; an agent may invent as many as it likes.
const MAX_METHODS: usize = 16;
/// The longest name that is kept, in characters.
const MAX_NAME: usize = 64;

/// The agent's calls by RPC in one conversation. Each was answered at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpcCalls {
    /// Calls that were answered with what the profile says.
    pub answered: u64,
    /// Calls of methods that the profile does not have, answered as unsupported.
    pub unsupported: u64,
    /// The names of those methods, as far as they are kept.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub methods: BTreeSet<String>,
}

impl RpcCalls {
    /// Whether there were none.
    pub const fn is_empty(&self) -> bool {
        self.answered == 0 && self.unsupported == 0
    }

    /// Counts a call of a method that the profile does not have.
    pub fn add_unsupported(&mut self, method: &str) {
        self.unsupported += 1;
        self.keep(method);
    }

    /// Counts the calls of another conversation as well.
    pub fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.unsupported += other.unsupported;
        for method in &other.methods {
            self.keep(method);
        }
    }

    fn keep(&mut self, method: &str) {
        if self.methods.len() < MAX_METHODS {
            self.methods.insert(method.chars().take(MAX_NAME).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_and_names_are_bounded() {
        let mut calls = RpcCalls::default();
        assert!(calls.is_empty());
        calls.add_unsupported(&"x".repeat(1_000));
        let mut all = RpcCalls { answered: 2, ..RpcCalls::default() };
        all.add(&calls);
        for n in 0..100 {
            all.add_unsupported(&format!("method {n}"));
        }
        assert_eq!((all.answered, all.unsupported), (2, 101));
        assert_eq!(all.methods.len(), MAX_METHODS);
        assert!(all.methods.iter().all(|name| name.len() <= MAX_NAME));
    }
}
