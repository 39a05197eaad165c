//! What the agent truly did, one JSON object a line, so that what its callers measured can be checked against it.

mod fact;
mod log;

pub use fact::{AgentFact, KeptAudio, Refusal};
pub use log::{TruthFile, TruthSink, written};
