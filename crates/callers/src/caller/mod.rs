//! A caller: holds one conversation by its script and tells what happens in it.
//!
//! `prompts` is the script made ready, `floor` knows who is talking, `utterances` what the agent wrote,
//! and `caller` goes through the turns;
//! `departure` says what its being put out of the room means. None of it reads a clock or a socket.

#[expect(clippy::module_inception, reason = "the room's own file is named for it")]
mod caller;
mod departure;
mod open_turn;
mod prepared_script;
#[cfg(test)]
mod tests;
mod turn_state;
mod utterances;

pub use caller::{Caller, CallerConfig};
pub use prepared_script::{PreparedScript, PreparedTurn};
