//! The coordinator's side: an [`Evaluator`](rushhour_core::evaluator::Evaluator) whose callers are on workers.
//!
//! `state` decides without IO: which worker gets a run, which updates are new, who is lost, what is acknowledged.
//! `gathering` finds the workers before the session and has them prepare it; `fleet` is the evaluator; `tasks` listen.

mod conversion;
mod fleet;
mod gathering;
#[cfg(any(test, feature = "testing"))]
pub mod hostile_worker;
mod member;
mod state;
mod tasks;

pub use fleet::Fleet;
pub use gathering::{FleetConfig, FleetError, ResumedRuns};
