//! The truth log: what the agent really did, as JSON lines, to check its callers' measurements against.

mod fact;
mod log;

pub(crate) use fact::{AgentFact, MeasuredDelay, NoiseSource, RejectReason};
pub(crate) use log::{TruthFile, TruthSink};
