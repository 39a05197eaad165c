//! Keys of a telephone that are pressed one after the other.

use std::sync::Arc;

use rushhour_core::units::{DtmfKey, Micros, SessionTime};

/// From one key to the next: a tone of 100 ms and as long a pause, as telephones do it.
const KEY_INTERVAL: Micros = Micros::from_millis(200);

/// Keys that are being pressed.
#[derive(Debug, Clone)]
pub(super) struct Keypad {
    keys: Arc<[DtmfKey]>,
    next: usize,
    due_at: SessionTime,
}

impl Keypad {
    /// The first key is due at once.
    pub(super) const fn new(keys: Arc<[DtmfKey]>, now: SessionTime) -> Self {
        Self { keys, next: 0, due_at: now }
    }

    /// The key that is due, if one is.
    pub(super) fn due(&self, now: SessionTime) -> Option<DtmfKey> {
        self.keys.get(self.next).copied().filter(|_| now >= self.due_at)
    }

    /// The key that was due has been pressed.
    pub(super) fn pressed(&mut self, now: SessionTime) {
        self.next += 1;
        self.due_at = now + KEY_INTERVAL;
    }

    /// Whether exactly the first key has been pressed.
    pub(super) const fn has_begun(&self) -> bool {
        self.next == 1
    }

    /// Whether all keys have been pressed.
    pub(super) fn is_over(&self) -> bool {
        self.next >= self.keys.len()
    }
}
