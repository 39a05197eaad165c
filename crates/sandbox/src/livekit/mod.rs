//! The LiveKit control plane over Twirp: rooms, participants and agent dispatch.
//!
//! Answers follow livekit-server 1.13.5, its words included: a missing grant is 401 `unauthenticated`, and a
//! token that does not verify is answered in plain text that repeats the token. JSON leaves out what has its
//! default value, as proto3 allows, where that server writes it.

mod dispatches;
mod rooms;
mod routes;
mod twirp;

pub(crate) use routes::answer;
