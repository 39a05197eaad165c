//! What is kept of a session: the journal, and what it comes to.
//!
//! The journal is the source of everything else. `journal` writes it and `reader` reads it, line by line, and
//! `orphan` is one whose process died; `fold` goes through its events once and keeps what reports need: a
//! record for each run (`run_record`), latencies (`latencies`), windows over time (`timeline`), counts
//! (`tally`), how far runs came (`funnel`), what was said of failures (`failure_words`), where to look first
//! (`slowest`), the `pairs` of a paired session, which runs can be judged (`candidates`). `merge` makes one
//! session of several machines' journals.

mod candidates;
mod failure_words;
mod fold;
mod funnel;
mod journal;
mod journal_file;
mod latencies;
mod line;
mod merge;
mod orphan;
mod pairs;
mod reader;
mod run_record;
mod slowest;
mod tally;
mod timeline;

pub use candidates::{Candidates, callers_verdict, is_the_agents};
pub use failure_words::FailureWords;
pub use fold::{Fold, FoldError, Folded, Names, PeakHealth, Resumption, Told};
pub use funnel::{Funnel, Step};
pub use journal::Journal;
pub use journal_file::JournalFile;
pub use latencies::{Latencies, LatencyTable, Scope, value_at_rank};
pub use merge::{Extent, Merge, MergeError, Placement};
pub use orphan::{Orphan, OrphanError};
pub use pairs::{Pair, PairedEnd, PairedRun, Pairs};
pub use reader::{JournalError, JournalReader, Torn};
pub use run_record::{AgentTimes, Ending, RunRecord, Sample, Span, SubmissionTimes};
pub use slowest::{SlowRun, Slowest};
pub use tally::Tally;
pub use timeline::{Timeline, WINDOWED, Window};
