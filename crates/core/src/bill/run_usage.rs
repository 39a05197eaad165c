//! What one run used of everything that may be charged.

use crate::event::ModelUsage;
use crate::units::{Micros, Mode};

/// What one run used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunUsage {
    /// The mode of the conversation.
    pub mode: Mode,
    /// How long the agent was connected.
    pub agent: Micros,
    /// How long the caller was connected at most.
    pub caller: Micros,
    /// How long the conversation lasted; at most, unless the evaluator reported it.
    pub conversation: Micros,
    /// Whether the evaluator reported the duration of the conversation.
    pub conversation_reported: bool,
    /// Messages or utterances of the caller, if they were counted.
    pub messages: Option<u32>,
    /// What the agent reports about the use of its models.
    pub model_usage: ModelUsage,
    /// Whether the conversation may have been judged.
    pub judged: bool,
}

impl RunUsage {
    /// Whether there may have been a conversation.
    pub(crate) fn had_conversation(&self) -> bool {
        self.caller > Micros::ZERO
    }
}
