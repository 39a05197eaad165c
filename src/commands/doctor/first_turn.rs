//! The first turn of a script, for an agent that waits until somebody speaks to it.

use crate::bounded_file::MAX_CLIP;
use crate::profile_files::ProfileFiles;
use rushhour_callers::audio::Clip;
use rushhour_core::profile::Profile;
use rushhour_core::units::{Micros, Mode};

/// What is said, and how long its answer may take to begin.
#[derive(Debug, Clone)]
pub(super) struct FirstTurn {
    pub(super) words: FirstWords,
    pub(super) within: Micros,
}

#[derive(Debug, Clone)]
pub(super) enum FirstWords {
    Text(String),
    Clip(Clip),
}

impl FirstTurn {
    /// That of the first scenario; `None` where it has no script, or one whose turn would have to be synthesised or
    /// cannot be played.
    pub(super) fn of(profile: &Profile, mode: Mode, files: &ProfileFiles) -> Option<Self> {
        let scenarios = profile.mix.scenarios();
        let turn = scenarios.first()?.script.as_ref()?.turns.first()?;
        let words = match mode {
            Mode::Chat => FirstWords::Text(turn.say.clone()?),
            Mode::Voice => {
                let bytes = files.read(turn.play.as_ref()?, MAX_CLIP).ok()?;
                FirstWords::Clip(Clip::from_bytes(&bytes).ok()?)
            }
        };
        Some(Self { words, within: turn.within.micros() })
    }
}
