//! [`RoomNaming`]: the names of rooms and the identities of callers, derived from the session's prefix and the run's
//! index.

use rushhour_core::units::{Identity, RoomName, RunIndex};

/// Names the rooms and callers of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomNaming {
    prefix: String,
}

impl RoomNaming {
    /// Names rooms `prefix-000007`; the prefix must be unique to the session.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// The naming by which a run's room got its name; `None` where the name has another form.
    pub fn from_room(room: &RoomName, run: RunIndex) -> Option<Self> {
        let prefix = room.as_str().strip_suffix(&format!("-{:06}", run.0))?;
        Some(Self::new(prefix))
    }

    /// Whether a room belongs to the session.
    pub fn owns(&self, room: &RoomName) -> bool {
        let number =
            room.as_str().strip_prefix(&self.prefix).and_then(|rest| rest.strip_prefix('-'));
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// The room of a run.
    pub fn room_name(&self, run: RunIndex) -> RoomName {
        RoomName::new(format!("{}-{:06}", self.prefix, run.0))
    }

    /// The evaluator's identity in the room of a run.
    pub fn caller_identity(&self, run: RunIndex) -> Identity {
        Identity::new(format!("caller-{:06}", run.0))
    }
}
