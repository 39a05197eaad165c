//! The events of a session: the driver writes them to the journal, and everything else reads them from it.
//!
//! A line of a journal is one [`Event`]. The format has a version ([`FORMAT_VERSION`]); readers reject a
//! newer version than their own.

mod agent_rtc_stats;
mod connection_ratings;
mod conversation_summary;
mod event_kind;
mod failure;
mod health;
mod key_words;
mod media_path;
mod model_usage;
mod outcome;
mod received_audio;
mod reconnect;
mod responsible_party;
mod rpc_calls;
mod session_header;
mod sink;
mod speech_quality;
mod transcription_errors;
mod turn;

pub use agent_rtc_stats::AgentRtcStats;
pub use connection_ratings::{ConnectionHistory, ConnectionRating, ConnectionRatings};
pub use conversation_summary::{ConversationEnd, ConversationSummary};
pub use event_kind::{
    AcceptedRun, Event, EventKind, FORMAT_VERSION, RetryReason, RunMapping, RunPhase, StopReason,
};
pub use failure::FailureClass;
pub use health::{AgentHealth, CallersHealth, GeneratorHealth, WorkerHealth, WorkerLoss};
pub use key_words::KeyWords;
pub use media_path::MediaPath;
pub use model_usage::ModelUsage;
pub use outcome::Outcome;
pub use received_audio::ReceivedAudio;
pub use reconnect::{Reconnect, ReconnectCause, ReconnectMethod};
pub use responsible_party::ResponsibleParty;
pub use rpc_calls::RpcCalls;
pub use session_header::SessionHeader;
pub use sink::{EventSink, EventSinkError};
pub use speech_quality::{SpeechQuality, TurnTaking};
pub use transcription_errors::TranscriptionErrors;
pub use turn::{FramesSent, Turn, TurnEnding, TurnParts};

/// Whether a field is as it is read where it is absent, so that it need not be written.
pub(crate) fn is_default<T: Default + PartialEq>(field: &T) -> bool {
    *field == T::default()
}
