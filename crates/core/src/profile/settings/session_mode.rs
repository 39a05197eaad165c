//! The mode of a session.

use crate::profile::table::choice;
use crate::units::Mode;

choice! {
    /// The mode of the conversations.
    #[schemars(rename = "RawMode")]
    pub SessionMode {
        /// Spoken.
        Voice = "voice",
        /// Written.
        Chat = "chat",
        /// Each conversation twice, spoken and written, at about the same time.
        Paired = "paired",
    }
}

impl SessionMode {
    /// The modes of its runs.
    pub const fn modes(self) -> &'static [Mode] {
        match self {
            Self::Voice => &[Mode::Voice],
            Self::Chat => &[Mode::Chat],
            Self::Paired => &Mode::ALL,
        }
    }

    /// One mode that its runs have: voice in a paired session.
    pub const fn representative(self) -> Mode {
        match self {
            Self::Voice | Self::Paired => Mode::Voice,
            Self::Chat => Mode::Chat,
        }
    }

    /// Whether each conversation runs in both modes.
    pub const fn is_paired(self) -> bool {
        matches!(self, Self::Paired)
    }
}

impl From<Mode> for SessionMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Voice => Self::Voice,
            Mode::Chat => Self::Chat,
        }
    }
}
