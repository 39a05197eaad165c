//! The driver: runs a plan against LiveKit and an evaluator, and records what happened as events.
//!
//! The decisions are a state machine without IO, in the manner of sans-IO protocols:
//!
//! - [`Session`] owns all runs of a session. [`SessionInput`]s and the time go in, [`SessionEffect`]s come out. It
//!   starts runs when the plan says so, keeps to rates and the budget, and brings every run to one outcome.
//! - `run` is the state machine of one run: room, dispatch, agent, submission, conversation, cleanup.
//! - `submission_queue`, `poll_queue`, `livekit_throttle` and `rate_limiter` decide which request may be sent next.
//! - [`ReplayedSession`] reads the journal of a crashed process; [`Session::resume`] continues from it.
//!
//! [`drive`] is the event loop around it: it owns the clock, executes the effects with the [`Services`], and returns
//! when the session has ended. Runs never see each other, and all state has one owner, so that there are no locks.
//!
//! [`cekura`] is the evaluator that is a service, [`agent_worker`] polls the health of the agent's own worker.
//!
//! # Logging
//!
//! `info` events of [`tracing`]: state changes of runs, retries and pauses of requests, and stops of the session. They
//! hold no keys, tokens or bodies.

mod agent_poll_times;
pub mod agent_worker;
#[cfg(test)]
mod budget_tests;
pub mod cekura;
mod clock;
#[cfg(test)]
mod crash_tests;
mod event_loop;
mod executor;
mod livekit_throttle;
mod poll_queue;
mod process_stats;
#[cfg(test)]
mod push_tests;
#[cfg(test)]
mod rate_limit_tests;
mod rate_limiter;
#[cfg(test)]
mod redial_tests;
mod replay;
mod room_naming;
mod run;
mod services;
mod session;
mod session_effect;
mod session_input;
mod settings;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulation_tests;
mod submission_queue;
mod timer;

pub use clock::SessionClock;
pub use event_loop::{DriveError, drive};
pub use replay::{ReplayError, ReplayedSession};
pub use room_naming::RoomNaming;
pub use run::EvaluatorLifetime;
pub use services::Services;
pub use session::{Resumption, Session};
pub use session_effect::SessionEffect;
pub use session_input::{
    DispatchCheck, PolledAgent, ProcessSample, RequestTiming, RoomPoll, SessionInput,
};
pub use settings::{DriverSettings, OnBudgetReached};
