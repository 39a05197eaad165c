//! Loopback stand-ins for LiveKit's control plane and Cekura's API, for the quickstart and for tests.
//!
//! A [`Sandbox`] serves both on one loopback port, below `/twirp/` and `/test_framework/`. Rooms, agents and runs
//! live in one simulated world that only requests and time change. Delays and faults are drawn from the seed and
//! from the names in the request (the room's above all), never from the order in which requests arrive. The sandbox
//! keeps the ground truth as [`SandboxTruth`] and writes it line by line to the [`TruthLog`].

mod cekura;
mod clock;
mod config;
mod connection;
mod faults;
mod http;
mod in_process;
mod livekit;
mod response_body;
mod router;
mod server;
mod service;
#[cfg(test)]
mod test_sandbox;
mod tokens;
mod truth;
mod truth_log;
mod world;

pub use config::{
    CekuraPlan, CekuraTimes, KeyScope, LivekitTimes, RoomOwnership, SandboxConfig, SandboxTimes,
    WorkerPool,
};
pub use faults::{Fault, Faults, TooManyFaults};
pub use in_process::{InProcessSandbox, RawRequest};
pub use rushhour_core::rng::DelayDistribution;
pub use server::{Sandbox, SandboxError};
pub use truth::{AcceptedCount, SandboxCounts, SandboxTruth};
pub use truth_log::{TruthLog, TruthWriter};
