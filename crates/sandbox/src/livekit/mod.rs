//! The LiveKit control plane over Twirp: rooms, participants and agent dispatch.
//!
//! Responses and error texts follow livekit-server 1.13.5: a missing grant is a 401 `unauthenticated`, and for an
//! invalid token the plain-text response repeats the token. Unlike that server, JSON omits default values, as proto3
//! allows.

mod dispatches;
mod rooms;
mod routes;
mod twirp;

pub(crate) use routes::handle;
