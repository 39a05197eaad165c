//! Recordings of conversations: what is said of one beside its audio, and which ones are kept.

mod conversation_record;
mod selection;

pub use conversation_record::{
    ConversationRecord, KeptFor, MAX_RECORDED_PARTS, MAX_RECORDED_TURNS, RECORD_VERSION,
    RecordedGap, RecordedGapCause, RecordedSpan, RecordedSpeaker, RecordedText, RecordedTrack,
    RecordedTurn,
};
pub use selection::{EarlierRecording, FinishedRecording, RecordingDecision, RecordingSelection};
