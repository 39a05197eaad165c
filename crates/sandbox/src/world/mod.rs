//! The simulated world: rooms, agents and runs as one state machine that requests and time change.
//!
//! Nothing here reads a clock or a socket. [`World::advance`] fires every due timer in order and at its own time, so
//! what a request finds does not depend on when the requests before it arrived.

mod agents;
mod room_access;
mod room_history;
mod rooms;
mod runs;
mod slot_queue;
mod state;
mod submissions;

pub(crate) use agents::{Dispatch, DispatchSpec};
pub(crate) use rooms::{ParticipantRole, ParticipantState, Room, RoomSpec};
pub(crate) use runs::{Phase, Run};
pub(crate) use state::World;
pub(crate) use submissions::{CekuraResult, Submission, SubmissionEntry, SubmissionIds};
