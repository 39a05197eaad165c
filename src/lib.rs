//! Rushhour, a load tester for AI agents that run on LiveKit.

pub mod driver;
pub mod evaluator;
pub mod event;
pub mod http;
pub mod livekit;
pub mod plan;
pub mod profile;
pub mod record;
pub mod units;
