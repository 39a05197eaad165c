//! What an agent reports about the use of its models.

use serde::{Deserialize, Serialize};

use crate::units::Micros;

/// What an agent reports about the use of its models in a conversation (`session_usage_updated` on
/// LiveKit's `lk.agent.session`), summed over the models of a kind; `None` for what it does not report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUsage {
    /// Input tokens of the language model, including cached ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_read: Option<u64>,
    /// Cached input tokens of the language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_cached: Option<u64>,
    /// Output tokens of the language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_written: Option<u64>,
    /// Characters that were synthesised as speech.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub characters: Option<u64>,
    /// The duration of the synthesised speech.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spoken: Option<Micros>,
    /// The duration of the audio that speech recognition processed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Micros>,
}
