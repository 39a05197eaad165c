//! Walking the plan in time: what is done when, to whom, and how each run ends.
//!
//! Everything that decides is pure: `run` is one run's states, `session` owns all runs and is told
//! what came in and what time it is, and answers with what to do. `shell` does it, and nothing else
//! knows a clock or a socket. Runs never see each other; the session is the one owner of all state.

mod action;
mod alarm;
mod carried;
pub mod cekura;
mod clock;
mod due_queue;
#[cfg(test)]
mod dying;
mod limiter;
mod machine;
mod names;
mod outgoing;
mod perform;
mod run;
mod session;
mod settings;
mod shell;
#[cfg(test)]
mod simulated_caps;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod telling;
pub mod worker;

pub use action::{RequestTiming, RoomPoll, SessionEffect, SessionInput};
pub use carried::{ReplayError, ReplayedSession};
pub use clock::SessionClock;
pub use names::RoomNames;
pub use perform::Services;
pub use run::EvaluatorFate;
pub use session::{Resumption, Session};
pub use settings::{DriverSettings, OnBudgetReached};
pub use shell::drive;
