//! Loopback stand-ins for the LiveKit control plane and for Cekura's API: the quickstart and the test bench.
//!
//! A [`Sandbox`] listens on one loopback port and serves both under their own paths, `/twirp/...` and
//! `/test_framework/...`. Rooms, agents and runs live in one world that is moved by requests and by time alone;
//! how long things take and which faults strike is drawn from the seed and from the request's own names (the
//! room's, above all), never from the order in which requests come in. What really happened is kept as
//! [`SandboxTruth`] and, line by line, in the [`TruthLog`].

mod cekura;
mod clock;
mod config;
mod connection;
mod exchange;
mod faults;
mod in_process;
mod livekit;
mod router;
mod server;
mod state;
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
pub use in_process::{AnyRequest, InProcessSandbox};
pub use rushhour_core::rng::DelayDistribution;
pub use server::{Sandbox, SandboxError};
pub use truth::{
    AcceptedEntry, DispatchStart, RoomEnd, RoomStart, SandboxCounts, SandboxFact, SandboxTruth,
};
pub use truth_log::{TruthLog, TruthWriter};
