//! What is kept of a session: the journal, and what it comes to.
//!
//! The journal is the source of everything else. `journal` writes it and `reader` reads it, line by
//! line; `fold` goes through its events once and keeps what reports need: a record for each run
//! (`run_record`), latencies (`latencies`), windows over time (`timeline`), counts (`tally`).

mod fold;
mod journal;
mod latencies;
mod line;
mod reader;
mod run_record;
mod tally;
mod timeline;

pub use fold::{Fold, FoldError, Folded, Names, PeakHealth, Told};
pub use journal::{Journal, JournalFile};
pub use latencies::{Latencies, LatencyTable, Scope};
pub use reader::{JournalError, JournalReader, Torn};
pub use run_record::{AgentTimes, Ending, RunRecord, Sample, Span, SubmissionTimes};
pub use tally::Tally;
pub use timeline::{Timeline, WINDOWED, Window};
