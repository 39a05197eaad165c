//! The agent's state over HTTP, in the formats of LiveKit's own workers.

mod server;
mod stats;

pub(crate) use server::StatusServer;
pub(crate) use stats::WorkerStats;
