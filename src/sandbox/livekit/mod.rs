//! The LiveKit control plane over Twirp: rooms, participants and agent dispatch.
//!
//! Answers follow livekit-server 1.13.5, its words included: a missing grant is 401 `unauthenticated`, and a
//! token that does not verify is answered in plain text that repeats the token.

mod dispatches;
mod rooms;
mod routes;
mod twirp;

pub(crate) use routes::answer;
