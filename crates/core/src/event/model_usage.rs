//! What an agent itself says that its models took of a conversation.

use serde::{Deserialize, Serialize};

use crate::units::Micros;

/// What an agent itself says that its models took of a conversation (`session_usage_updated` on LiveKit's
/// `lk.agent.session`), summed over models of a kind; what it says nothing of is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUsage {
    /// Tokens that its language model read, those it had in its cache included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_read: Option<u64>,
    /// Of these, tokens that it had in its cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_cached: Option<u64>,
    /// Tokens that its language model wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_written: Option<u64>,
    /// Characters that its voice spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub characters: Option<u64>,
    /// How long its voice spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spoken: Option<Micros>,
    /// How much audio its speech recognition heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Micros>,
}
