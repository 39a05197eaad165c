//! What one run took of everything that may be charged.

use crate::event::ModelUsage;
use crate::units::{Micros, Mode};

/// What one run took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunUsage {
    /// How the conversation was held.
    pub mode: Mode,
    /// How long the agent was connected.
    pub agent: Micros,
    /// How long the caller may have been connected.
    pub caller: Micros,
    /// How long the conversation lasted, or at most lasted where nobody told.
    pub conversation: Micros,
    /// Whether that is the evaluator's own word.
    pub told: bool,
    /// Messages or utterances of the caller, where they were counted.
    pub messages: Option<u32>,
    /// What the agent itself says that its models took.
    pub used: ModelUsage,
    /// Whether the conversation may have been judged.
    pub judged: bool,
}

impl RunUsage {
    /// Whether there was a conversation, as far as is known.
    pub fn talked(&self) -> bool {
        self.caller > Micros::ZERO
    }
}
