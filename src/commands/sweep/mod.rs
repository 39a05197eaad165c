//! `rushhour sweep`: what dead sessions left behind, shown, and deleted where that is asked for.
//!
//! `decision` says of each room whether it may go, `sessions` what this machine knows of the sessions,
//! `calls` which of the evaluator's calls are still held, `table` shows it all, `command` does it.

mod calls;
mod command;
mod decision;
mod sessions;
mod table;

pub(crate) use command::sweep;
