//! One agent in one room: what it does from joining to leaving, as its behaviour and its fault have it.
//!
//! `session` is its life, `answering` its turns, `voice` its ear and mouth, `agenda` what it still has to do.
//! None of it reads a clock or a socket: the engine that carries it hands both in.

mod agenda;
mod answering;
mod common;
#[expect(clippy::module_inception, reason = "the room's own file is named for it")]
mod session;
#[cfg(test)]
mod tests;
mod voice;
mod words;

pub use common::AgentContext;
pub use session::{AgentSession, OnSessionEnd};
