//! How the agent is, for whoever asks over HTTP on this machine, as LiveKit's own workers tell it.

mod server;
mod stats;

pub use server::{StatusServer, serve};
pub use stats::WorkerStats;
