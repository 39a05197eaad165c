//! How the agent is, for whoever asks over HTTP on this machine, as LiveKit's own workers tell it.

mod board;
mod server;

pub use board::WorkerStats;
pub use server::{StatusServer, serve};
