//! Rushhour, a load tester for AI agents that run on LiveKit.
//!
//! # Layout
//!
//! Data goes one way: a [`profile`] says what is wanted, a [`plan`] says which run when, the [`driver`]
//! walks it in time and speaks to the outside world ([`livekit`] and an [`evaluator`]), what happened
//! becomes [`event`]s, a [`record`] is kept of them, what it costs is on the [`bill`], and a [`report`] is made of that, with [`stats`];
//! [`soak`] judges whether the agent stays well through a long one, and looks at its [`worker`].
//! [`cli`] wires the rooms together and is the only printer. [`sandbox`] stands in for the outside world, and
//! `agent` (feature `native`) is a real agent whose faults are known; both draw from [`chance`].

#[cfg(feature = "native")]
pub mod agent;
pub mod bill;
pub mod capacity;
pub mod chance;
pub mod cli;
pub mod driver;
pub mod evaluator;
pub mod event;
pub mod http;
pub mod livekit;
pub mod plan;
pub mod profile;
pub mod record;
pub mod report;
pub mod sandbox;
pub mod soak;
pub mod stats;
pub mod units;
pub mod worker;
