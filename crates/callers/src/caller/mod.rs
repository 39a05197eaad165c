//! A caller: has one conversation with an agent by a script, and reports what happens in it.
//!
//! `Caller` is the handler of a participant, without IO and without a clock: `prepared_script` is what it says,
//! `turn_state` knows the agents in the room, `utterances` what they wrote, `open_turn` the turn in progress;
//! `conversation` moves from stage to stage, and `leave_outcome` says what leaving early means for the run.

#[expect(clippy::module_inception, reason = "the file is named after the type that it holds")]
mod caller;
mod conversation;
mod keypad;
mod leave_outcome;
mod open_turn;
mod prepared_script;
#[cfg(test)]
mod tests;
mod turn_state;
mod utterances;

pub(crate) use caller::{Caller, CallerConfig};
pub use prepared_script::{PreparedScript, ScriptError};
