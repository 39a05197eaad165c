//! Many participants on few threads: sockets, clock and ticks for the sans-IO [`Participant`](crate::participant).
//!
//! [`Engine::join`] connects a participant and assigns it to a thread, which ticks every 5 ms. A participant that
//! has joined is served every 20 ms, the length of an audio frame: its thread reads its datagrams, runs its timers
//! and calls its [`ParticipantHandler`], the application. The handler acts through a [`ParticipantHandle`]. Signal
//! connections run on tokio.

mod clock;
mod connect_error;
#[expect(clippy::module_inception, reason = "the file is named after the type that it holds")]
mod engine;
mod handler;
mod health;
mod incoming;
mod leave_reason;
mod network_access;
mod paths;
mod signal_connection;
mod signal_task;
mod slot;
mod slot_handle;
mod socket;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod thread;

pub use clock::EngineClock;
pub use connect_error::ConnectError;
pub use engine::{
    Engine, FILES_PER_PARTICIPANT, JoinRequest, ParticipantControl, raise_file_limit,
};
pub use handler::{NextTick, ParticipantHandle, ParticipantHandler};
pub use health::{EngineHealth, LATE_TICK};
pub use leave_reason::LeaveReason;
pub use network_access::NetworkAccess;
pub use signal_connection::{WebSocket, connect};
