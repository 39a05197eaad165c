//! Rushhour, a load tester for AI agents that run on LiveKit.

pub mod units;
