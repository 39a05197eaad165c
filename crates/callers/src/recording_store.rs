//! Where recordings of conversations go: the interface between callers, which make them without IO, and whoever keeps
//! them.

use rushhour_core::recording::ConversationRecord;
use rushhour_core::units::RunIndex;

/// One side of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordedSide {
    /// What the caller sent.
    Caller,
    /// What came from the agent.
    Agent,
}

impl RecordedSide {
    /// Both sides.
    pub const ALL: [Self; 2] = [Self::Caller, Self::Agent];

    /// The name in the names of files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Agent => "agent",
        }
    }
}

/// Keeps the recordings of a session.
pub trait RecordingStore: Send + Sync {
    /// Opens the recording of a run; `None` if this one is not recorded.
    fn open(&self, run: RunIndex) -> Option<Box<dyn RecordingSink>>;
}

/// Keeps one recording. It is called on a thread that serves many callers, and must not block. One that is dropped
/// without an end is given up.
pub trait RecordingSink: Send {
    /// Appends bytes of Ogg Opus. Returns whether the recording goes on: if not, it is given up.
    fn write(&mut self, side: RecordedSide, bytes: Vec<u8>) -> bool;

    /// The conversation is over.
    fn finish(self: Box<Self>, record: ConversationRecord);
}
