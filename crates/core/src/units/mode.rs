//! The mode of a conversation: voice or chat.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The mode of a conversation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Spoken, over audio tracks.
    Voice,
    /// Written, over text streams; the agent runs without speech recognition and synthesis.
    Chat,
}

impl Mode {
    /// Both modes, in the order of reports.
    pub const ALL: [Self; 2] = [Self::Voice, Self::Chat];

    /// The other mode.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Voice => Self::Chat,
            Self::Chat => Self::Voice,
        }
    }

    /// The name used in profiles, journals and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Chat => "chat",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
