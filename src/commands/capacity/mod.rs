//! `rushhour capacity`: finds how many conversations an agent handles at once, session after session.
//!
//! `command` runs the sessions that the search asks for, `interruption` notices signals between two of them.

mod command;
mod interruption;

pub(crate) use command::{CapacityArgs, capacity};
