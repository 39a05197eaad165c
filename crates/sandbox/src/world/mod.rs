//! The sandbox's world: rooms, agents and runs as one state machine, moved by requests and by time.
//!
//! Nothing here reads a clock or a socket. [`World::advance`] fires every timer that is due, in order and at
//! its own time, so that what a request finds does not depend on when it happened to be looked at.

mod agents;
mod queue;
mod room_history;
mod rooms;
mod runs;
mod state;
mod submissions;
mod ticket;

pub(crate) use agents::{Dispatch, NewDispatch};
pub(crate) use rooms::{NewRoom, Occupant, Room, RoomMember};
pub(crate) use runs::{Phase, Run};
pub(crate) use state::World;
pub(crate) use submissions::{Folder, Submission, SubmissionEntry, SubmissionReceipt};
