//! The calibration agent: a real LiveKit agent worker whose delays and faults are known.
//!
//! Data goes one way: a [`worker`] takes jobs, each becomes a [`session`] that behaves as [`behaviour`] says,
//! and what was truly done goes to [`truth`]. [`run`] puts them together, [`status`] tells how the agent is.

mod agent;
pub mod behaviour;
pub mod session;
pub mod status;
pub mod truth;
pub mod worker;

pub use agent::{AgentConfig, AgentError, AgentEvent, run};
