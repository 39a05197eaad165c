//! One run as a state machine: what came in, what time it is, and what is to be done about it.
//!
//! A run's life has three parts: `preparing` (room, dispatch, agent), `following` (accepted by the
//! evaluator, until it is over; `watching` where it may or may not have been accepted) and `ending`
//! (its one outcome, and clearing up after it). `resuming` takes up a run whose process died.

mod call;
mod ending;
mod following;
mod preparing;
mod resuming;
mod state;
mod submission_probe;

pub(crate) use resuming::AfterCrash;
pub use resuming::EvaluatorFate;
pub(super) use state::{RunEffect, RunMachine};
