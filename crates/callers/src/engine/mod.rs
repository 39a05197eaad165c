//! Many participants on few threads: the sockets, the clock and the beat that the cores beneath do without.
//!
//! `App` is what a participant is used for, a caller or an agent; `Hand` is what it can do.

mod clock;
#[expect(clippy::module_inception, reason = "the room's own file is named for it")]
mod engine;
mod handler;
mod health;
mod signal_connection;
mod slot;
mod socket;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod thread;

pub use clock::EngineClock;
pub use engine::{Engine, HANDLES_EACH, JoinRequest, ParticipantControl, raise_file_limit};
pub use handler::{LeaveReason, NextTick, ParticipantHandle, ParticipantHandler};
pub use health::{EngineHealth, LATE_BEAT};
pub use signal_connection::{WebSocket, connect};
