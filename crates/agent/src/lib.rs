//! The calibration agent: a real LiveKit agent worker with known delays and faults.
//!
//! A `worker` accepts jobs. Each job becomes a `session`, which behaves as [`behaviour`] says, and writes what it
//! really did to the `truth` log. [`run`] combines them; `status` serves the worker's state over HTTP.

mod agent;
pub mod behaviour;
mod session;
mod session_registry;
mod status;
mod truth;
mod worker;

pub use agent::{AgentConfig, AgentError, AgentEvent, run};
pub use worker::WorkerError;
