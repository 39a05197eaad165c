//! A worker of LiveKit's agent service: it registers, is offered jobs, and says how they go.
//!
//! `protocol` decides without IO, `connection` lends it a WebSocket and a clock.

mod connection;
mod job;
mod protocol;

pub use connection::{JobRunner, WorkerCommands, WorkerError, carry};
pub use job::{Assignment, JobEnd};
pub use protocol::{Worker, WorkerAction, WorkerConfig};
