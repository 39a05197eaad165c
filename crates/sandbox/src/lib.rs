//! Loopback stand-ins for the LiveKit control plane and for Cekura's API: the quickstart and the test bench.
//!
//! A [`Sandbox`] listens on one loopback port and serves both under their own paths, `/twirp/...` and
//! `/test_framework/...`. Rooms, agents and runs live in one world that is moved by requests and by time alone;
//! how long things take and which faults strike is drawn from the seed and from the request's own names (the
//! room's, above all), never from the order in which requests come in. What really happened is kept as
//! [`Truth`] and, line by line, in the [`TruthLog`].

mod cekura;
mod clock;
mod config;
mod connection;
mod exchange;
mod facts;
mod faults;
mod livekit;
#[cfg(test)]
mod rehearsal;
mod router;
mod server;
mod shell;
mod socketless;
mod tokens;
mod truth_log;
mod world;

pub use config::{
    CekuraPlan, CekuraTimes, KeyScope, LivekitTimes, RoomOwnership, SandboxConfig, SandboxTimes,
    WorkerPool,
};
pub use facts::{
    AcceptedEntry, DispatchStart, RoomEnd, RoomStart, SandboxCounts, SandboxFact, SandboxTruth,
};
pub use faults::{Fault, Faults, TooManyFaults, UnknownFault};
pub use rushhour_core::chance::DelayDistribution;
pub use server::{Sandbox, SandboxError};
pub use socketless::{AnyRequest, InProcessSandbox};
pub use truth_log::{TruthLog, TruthWriter};
