//! One agent in one room, from joining to leaving, with the delays and the fault of its job.
//!
//! Nothing here reads a clock or a socket: the engine that runs the session passes both in.

mod agent_session;
mod attributes;
mod avatar;
mod breakup;
mod caller_speech;
mod context;
mod filler;
#[cfg(test)]
mod habit_tests;
mod hand_over;
#[cfg(test)]
mod hand_over_tests;
mod sounds;
mod step_queue;
#[cfg(test)]
mod tests;
mod turns;
mod voice;

pub(crate) use agent_session::AgentSession;
pub(crate) use avatar::{AvatarLink, AvatarSession};
pub(crate) use context::AgentContext;
pub(crate) use sounds::Sounds;
