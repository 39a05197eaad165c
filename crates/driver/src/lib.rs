//! Walking the plan in time: what is done when, to whom, and how each run ends.
//!
//! Everything that decides is pure: `run` is one run's states, `session` owns all runs and is told
//! what came in and what time it is, and answers with what to do. `shell` does it, and nothing else
//! knows a clock or a socket. Runs never see each other; the session is the one owner of all state.

pub mod agent_worker;
#[cfg(test)]
mod budget_tests;
pub mod cekura;
mod clock;
#[cfg(test)]
mod crash_tests;
mod effects;
mod event_loop;
mod executor;
mod poll_queue;
mod process_stats;
#[cfg(test)]
mod push_tests;
mod rate_limiter;
mod replay;
mod room_names;
mod run;
mod session;
mod settings;
#[cfg(test)]
mod simulation;
mod submission_queue;
mod timer;

pub use clock::SessionClock;
pub use effects::{RequestTiming, RoomPoll, SessionEffect, SessionInput};
pub use event_loop::drive;
pub use executor::Services;
pub use replay::{ReplayError, ReplayedSession};
pub use room_names::RoomNames;
pub use run::EvaluatorFate;
pub use session::{Resumption, Session};
pub use settings::{DriverSettings, OnBudgetReached};
