//! How well agents heard our own callers, summed over all turns.

use rushhour_core::event::{EventKind, TranscriptionErrors};

/// What agents heard of what callers said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeardTally {
    /// Turns whose words are known, and what was heard of them.
    pub turns: u64,
    /// Words that were heard as they were said, and the others.
    pub words: TranscriptionErrors,
}

impl HeardTally {
    /// Adds what an event of a run says of it.
    pub(super) fn add(&mut self, event: &EventKind) {
        if let EventKind::Turn { turn, .. } = event
            && let Some(heard) = &turn.heard
        {
            self.turns += 1;
            self.words = self.words.plus(heard);
        }
    }
}
