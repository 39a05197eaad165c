//! A caller: has one conversation with an agent by a script, and reports what happens in it.
//!
//! `Caller` is the handler of a participant, without IO and without a clock: `prepared_script` is what it says,
//! `agents` knows who the agent is and what is its voice, `state_history` when it thought and spoke, `turn_state` whether
//! it has finished, `tool_calls` whether a tool holds its answer back, `utterances` what it wrote, `caller_transcript`
//! what it understood of the caller, `open_turn` the turn in progress, `expected_text` which of its segments are the
//! expected answer. `hearing` takes in what it says, `unannounced` keeps what comes too early for that, `hidden_agent` waits
//! for one that nobody announces, `conversation` moves from stage to stage, `closing_turn` reports a turn that is over,
//! `unanswered` says why no answer came, `endings` how it ended, `outages` when the caller's own connection was away,
//! `rtc_stats_request` when the agent is asked for what its WebRTC stack counts, `conversation_recorder` keeps what was said
//! where it is recorded, and `leave_outcome` what the room and the server had to do with it.

mod agents;
#[expect(clippy::module_inception, reason = "the file is named after the type that it holds")]
mod caller;
mod caller_transcript;
mod closing_turn;
mod conversation;
mod conversation_recorder;
mod endings;
mod expected_text;
mod following_rules;
mod hearing;
mod hidden_agent;
#[cfg(any(test, feature = "testing"))]
pub mod hostile_room;
mod keypad;
mod leave_outcome;
mod newcomers;
mod open_turn;
mod outages;
mod prepared_script;
mod rtc_stats_request;
mod session_probe;
mod state_history;
#[cfg(test)]
mod tests;
mod tool_calls;
mod turn_state;
mod unannounced;
mod unanswered;
mod utterances;

pub use agents::{Agents, RoomChange};
pub(crate) use caller::{Caller, CallerConfig};
pub use prepared_script::{PreparedScript, ScriptError};
