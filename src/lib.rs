//! Rushhour, a load tester for AI agents that run on LiveKit.

pub mod profile;
pub mod units;
