//! The harness: the binary, profiles, sessions and the truth, in the domain's words.

mod binary;
mod framework_agents;
mod leaks;
mod made;
mod peers;
mod served;
mod session;
mod truth;
mod workplace;

pub(crate) use binary::{Ran, Running, Rushhour};
pub(crate) use framework_agents::Framework;
pub(crate) use made::Made;
pub(crate) use peers::{LiveKitServer, Peers};
pub(crate) use served::Served;
pub(crate) use session::{Row, Session, rows};
pub(crate) use truth::Truth;
pub(crate) use workplace::Workplace;
