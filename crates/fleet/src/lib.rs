//! Callers on other machines, over NATS.
//!
//! One coordinator owns a session as on one machine: plan, limiter, budget, rooms, dispatches, journal, reports. Only
//! the native callers move, because only they cost processor time:
//!
//! ```text
//!   coordinator                         NATS                          worker, on each machine
//!   ┌──────────────────────┐                                        ┌──────────────────────────┐
//!   │ driver               │   rh.<namespace>.w.<worker>.command    │ worker: one session      │
//!   │   Evaluator          ├── attach, submit, end, acknowledge ───►│   lease, outbox          │
//!   │     Fleet            │                                        │   NativeCallers          │
//!   │       fleet state ───┤◄── updates in numbered batches ────────┤                          │
//!   │       placement,     │    rh.<namespace>.up.<coordinator>.updates                        │
//!   │       clock          │◄── beats, once a second ───────────────┤                          │
//!   │       blobs          │◄── scripts and clips, by SHA-256 ──────┤                          │
//!   └──────────────────────┘                                        └──────────────────────────┘
//! ```
//!
//! Nothing is stored by NATS: a worker keeps each update until the coordinator has acknowledged it after its fsync.
//! A worker gets a token for one room with each conversation, and no key, no secret and no money.

mod blobs;
pub mod clock;
mod connection;
mod coordinator;
mod measure;
pub mod placement;
mod protocol;
mod roll_call;
mod worker;

pub use blobs::{BlobHash, BlobStore, InvalidHash};
pub use connection::{NatsConfig, NatsError, NatsLogin};
#[cfg(any(test, feature = "testing"))]
pub use coordinator::hostile_worker;
pub use coordinator::{Fleet, FleetConfig, FleetError, ResumedRuns};
pub use measure::{CapacityMeasure, CapacityMeasured, LevelFigures, LoopbackServer, MeasuredLimit};
pub use protocol::{
    ForeignMessage, PROTOCOL, Refusal, ScriptFile, ScriptRef, SessionSetup, VERSION, WorkerReport,
    WorkerState,
};
pub use roll_call::{DrainError, PresentWorker, RollCall, call_roll, drain_worker};
pub use worker::{
    AllowedHost, AllowedHosts, CallerFactory, InvalidHost, NativeFactory, PreparedSession,
    StopRequest, WorkerConfig, WorkerEvent, WorkerLifetime, run_worker,
};
