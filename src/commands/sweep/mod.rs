//! `rushhour sweep`: shows what dead sessions left behind, and deletes it with `--yes`.
//!
//! `decision` decides which rooms may be deleted, `local_sessions` finds out what this machine knows of a session,
//! `calls` which calls are still open at the evaluator, `table` shows it all, and `command` does it.

mod calls;
mod command;
mod decision;
mod local_sessions;
mod table;

pub(crate) use command::{SweepArgs, sweep};
