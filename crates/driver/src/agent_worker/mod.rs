//! The agent's own worker, looked at from outside: its jobs, load, processes and memory, as it tells them itself.
//!
//! `status` reads what livekit-agents serves at `/worker`, `exposition` its Prometheus text; `watch` asks for both.

mod client;
mod exposition;
mod status;

pub use client::WorkerClient;
pub use exposition::read_exposition;
pub use status::read_status;
