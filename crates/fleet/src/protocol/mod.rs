//! What coordinator and workers say to each other: JSON in messages of NATS, each with the protocol's version.

mod bounds;
mod envelope;
mod messages;
mod setup;
mod subjects;

pub(crate) use bounds::*;
pub use envelope::ForeignMessage;
pub(crate) use envelope::{decode, encode};
pub(crate) use messages::{
    Acknowledge, Attach, Attached, BlobRequest, ClockAnswer, Command, Done, Fence, NumberedUpdate,
    RunCommand, Submit, UpdateBatch,
};
pub use messages::{Refusal, WorkerReport, WorkerState};
pub use setup::{ScriptFile, ScriptRef, SessionSetup};
pub(crate) use subjects::{Role, Subjects};

/// The version of the protocol. Both sides must have the same, and the same version of Rushhour: figures of two versions
/// are not one measurement.
pub const PROTOCOL: u32 = 1;

/// The version of Rushhour.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
