//! The calibration agent: a real LiveKit agent worker whose delays and faults are known.
//!
//! Data goes one way: a [`worker`] takes jobs, each becomes a [`session`] that behaves as [`behaviour`] says,
//! and what was truly done goes to [`truth`].

pub mod behaviour;
pub mod session;
pub mod truth;
pub mod worker;
