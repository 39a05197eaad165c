//! The one vocabulary of what happened: written by the driver, read by everything after it.
//!
//! A line of a journal is one [`Event`]. The vocabulary is versioned: what a newer version wrote is
//! refused by name, never half understood.

mod agent_use;
mod failure;
mod happening;
mod outcome;
mod sink;
mod turn;

pub use agent_use::AgentUse;
pub use failure::FailureClass;
pub use happening::{
    AgentHealth, CallersHealth, Entered, Event, FORMAT_VERSION, Happening, Health, Mapping,
    Opening, RetryReason, Sighting, StopReason,
};
pub use outcome::Outcome;
pub use sink::{Sink, SinkError};
pub use turn::{FramesSent, Turn, TurnEnding, TurnParts};
