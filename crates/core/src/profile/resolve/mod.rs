//! From the raw profile to the valid one: defaults, ranges and contradictions.
//!
//! `resolver` resolves single settings, each section of the profile has a file that uses it, and
//! `profile` calls them all.

mod agent_health;
mod bill;
mod caller;
mod capacity;
mod evaluator;
mod judging;
mod limits;
mod livekit;
mod metadata;
mod network;
mod notify;
mod prices;
mod profile;
mod recording;
mod resolver;
mod sandbox;
mod scenarios;
mod script;
mod script_rules;
mod soak;
mod speech;
mod stages;
mod thresholds;
mod workers;

pub(super) use agent_health::{parse_prometheus_url, worker_rejection};
pub(super) use prices::read_prices;
pub(super) use profile::{ResolveInput, resolve_profile};
pub use resolver::ResolvedSetting;
pub(super) use script::read_scripts;
