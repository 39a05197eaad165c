//! The names of rooms and callers: from the session's stem and a run's number, so that they need not be kept.

use rushhour_core::units::{Identity, RoomName, RunIndex};

/// Names the rooms and callers of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomNames {
    stem: String,
}

impl RoomNames {
    /// Rooms are called `stem` and the run's number; the stem is unlike any other session's.
    pub fn new(stem: impl Into<String>) -> Self {
        Self { stem: stem.into() }
    }

    /// As the room of a run says that they are named; none where it is no name of ours.
    pub fn of_room(room: &RoomName, run: RunIndex) -> Option<Self> {
        let stem = room.as_str().strip_suffix(&format!("-{:06}", run.0))?;
        Some(Self::new(stem))
    }

    /// Whether a room is one of the session's.
    pub fn made(&self, room: &RoomName) -> bool {
        let number = room.as_str().strip_prefix(&self.stem).and_then(|rest| rest.strip_prefix('-'));
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// The room of a run.
    pub fn room(&self, run: RunIndex) -> RoomName {
        RoomName::new(format!("{}-{:06}", self.stem, run.0))
    }

    /// Who the evaluator is in that room.
    pub fn caller(&self, run: RunIndex) -> Identity {
        Identity::new(format!("caller-{:06}", run.0))
    }
}
