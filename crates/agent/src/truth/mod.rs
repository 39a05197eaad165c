//! What the agent truly did, one JSON object a line, so that what its callers measured can be checked against it.

mod fact;
mod log;

pub use fact::{Fact, Kept, Refusal};
pub use log::{TruthFile, TruthSink, written};
