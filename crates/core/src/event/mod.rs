//! The one vocabulary of what happened: written by the driver, read by everything after it.
//!
//! A line of a journal is one [`Event`]. The vocabulary is versioned: what a newer version wrote is
//! refused by name, never half understood.

mod event_kind;
mod failure;
mod model_usage;
mod outcome;
mod sink;
mod turn;

pub use event_kind::{
    AcceptedRun, AgentHealth, CallersHealth, Event, EventKind, FORMAT_VERSION, GeneratorHealth,
    RetryReason, RunMapping, RunPhase, SessionHeader, StopReason,
};
pub use failure::FailureClass;
pub use model_usage::ModelUsage;
pub use outcome::Outcome;
pub use sink::{EventSink, EventSinkError};
pub use turn::{FramesSent, Turn, TurnEnding, TurnParts};
