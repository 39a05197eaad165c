//! What is kept of a session: the journal, and what it comes to.
//!
//! The journal is the source of everything else. `journal` writes it and `reader` reads it, line by line, and
//! `orphan` is one whose process died; `fold` goes through its events once and keeps what reports need: a
//! record for each run (`run_record`), latencies (`latencies`), windows over time (`timeline`), counts
//! (`tally`), how far runs came (`funnel`), what was said of failures (`failure_words`), where to look first
//! (`slowest`), the `pairs` of a paired session, which runs can be judged (`candidates`). `merge` makes one
//! session of several machines' journals.

mod candidates;
mod failure_messages;
mod fold;
mod funnel;
mod latencies;
mod merge;
mod pairs;
mod run_record;
mod slowest;
mod tally;
mod timeline;

pub use candidates::{Candidates, callers_verdict, is_the_agents};
pub use failure_messages::FailureMessages;
pub use fold::{
    EndedRuns, Fold, FoldError, FoldedSession, PeakHealth, ResumptionRecord, StageNames,
};
pub use funnel::{Funnel, FunnelStep};
pub use latencies::{Latencies, LatencyTable, Scope, value_at_rank};
pub use merge::{JournalExtent, Merge, MergeError, MergePlacement};
pub use pairs::{PairTable, PairedEnd, PairedRun, RunPair};
pub use run_record::{AgentTimes, LatencySample, RunOutcome, RunRecord, SubmissionTimes, TimeSpan};
pub use slowest::{SlowRun, Slowest};
pub use tally::OutcomeTally;
pub use timeline::{Timeline, TimelineWindow, WINDOWED};
