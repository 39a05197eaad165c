//! A worker of LiveKit's agent service: it registers, receives jobs and reports their status.
//!
//! `protocol` decides without IO; `event_loop` gives it a WebSocket and a clock.

mod event_loop;
mod job;
mod protocol;

pub use event_loop::WorkerError;
pub(crate) use event_loop::{JobRunner, WorkerInputs, run_worker};
pub(crate) use job::{Assignment, HandOver, JobEnd, SessionEnd};
pub(crate) use protocol::{Worker, WorkerConfig};
