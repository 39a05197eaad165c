//! The session: owner of all runs. It is told what came in and what time it is, and says what to do.

mod capping;
mod polling;
mod resuming;
mod room_cleanup;
#[expect(clippy::module_inception, reason = "the session's own file is named for it")]
mod session;
mod starting;
mod stopping;
mod submitting;

pub use resuming::Resumption;
pub use session::Session;
