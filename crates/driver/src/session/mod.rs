//! The session as a state machine: owner of all runs, of the plan, the budget and the queues of requests.
//!
//! | module | decides |
//! | --- | --- |
//! | `session` | [`Session`]: its state, taking in inputs, what is due next |
//! | `run_starts` | when runs start: arrival stages, hold stages, slots |
//! | `submissions` | submissions, their retries and pauses |
//! | `status_polls` | polling the evaluator for the status of runs |
//! | `budget` | stopping before a run could exceed a limit |
//! | `stop` | draining, then ending at once |
//! | `room_cleanup` | deleting rooms again at the end |
//! | `resume` | continuing from the journal of a crashed process |

mod budget;
mod livekit_requests;
mod rejections;
mod resume;
mod room_cleanup;
mod run_starts;
#[expect(clippy::module_inception, reason = "the session's own file is named for it")]
mod session;
mod status_polls;
mod stop;
mod submissions;

pub use resume::Resumption;
pub use session::Session;
