//! Rushhour, a load tester for AI agents that run on LiveKit.

pub mod plan;
pub mod profile;
pub mod units;
