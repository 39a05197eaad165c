//! Many participants on few threads: the sockets, the clock and the beat that the cores beneath do without.
//!
//! `App` is what a participant is used for, a caller or an agent; `Hand` is what it can do.

mod app;
mod clock;
#[expect(clippy::module_inception, reason = "the room's own file is named for it")]
mod engine;
mod health;
mod seat;
mod socket;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod thread;
mod wire;

pub use app::{LeaveReason, NextTick, ParticipantHandle, ParticipantHandler};
pub use clock::EngineClock;
pub use engine::{Engine, HANDLES_EACH, JoinRequest, ParticipantControl, raise_file_limit};
pub use health::{EngineHealth, LATE_BEAT};
pub use wire::{WebSocket, connect};
