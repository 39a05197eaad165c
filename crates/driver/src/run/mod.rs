//! One run as a state machine: inputs and the time go in, [`RunEffect`]s come out. It reads no clock and no socket.
//!
//! A run passes through three parts:
//!
//! 1. `preparation`: create the room, dispatch the agent, wait for it to join.
//! 2. The conversation. `polled_conversation` polls an evaluator that is a service; `pushed_conversation` takes the
//!    updates of callers in this process. `submission_probe` watches the room where it is unknown whether the
//!    evaluator accepted the submission.
//! 3. `end_and_cleanup`: record the one outcome, end the call, delete the room.
//!
//! `resume` puts a run where the journal of a crashed process left it.

mod end_and_cleanup;
mod polled_conversation;
mod preparation;
mod pushed_conversation;
mod resume;
mod run_machine;
mod submission_probe;

pub use resume::EvaluatorLifetime;
pub(crate) use resume::ResumeContext;
pub(super) use run_machine::{RunEffect, RunMachine};
