//! The harness: the binary, profiles, sessions and the truth, in the domain's words.

mod binary;
mod session;
mod truth;
mod workplace;

pub(crate) use binary::{Running, Rushhour};
pub(crate) use session::Session;
pub(crate) use workplace::Workplace;
