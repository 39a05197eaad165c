//! One pass over the events of a session, which computes everything that analysis and reports need.
//!
//! `session_fold` is the pass, `folded_session` its result. Each run in flight has a `run_record`, from which follow
//! `latency_samples` and, for a run that was cut off, its `unfinished` latencies. They go into `latencies` (histograms),
//! `timeline` (windows over time) and `slowest`; outcomes go into `tally`, `funnel`, `failure_messages`, `pairs` (of a
//! paired session) and `candidates` (runs that can be judged). `merge` makes the journals of several machines one
//! session.

mod agent_workers;
mod candidates;
mod connections;
mod conversations;
mod failure_messages;
mod folded_session;
mod funnel;
mod funnel_texts;
mod heard;
mod join_times;
mod latencies;
mod latency_samples;
mod merge;
mod pairs;
mod peak_health;
mod quality;
mod reconnects;
mod rules;
mod run_record;
mod session_fold;
mod slowest;
mod stage_names;
mod tally;
mod timeline;
mod unfinished;
mod workers;

pub use agent_workers::{AgentWorkers, WorkersChange};
pub(crate) use candidates::is_agent_failure;
pub use candidates::{Candidates, callers_verdict};
pub use connections::{ConnectionTallies, ConnectionTally, ConnectionsOfRun};
pub use conversations::{ConversationTally, EndOfConversation, InterruptionCounts};
pub use failure_messages::FailureMessages;
pub use folded_session::{FoldedSession, MAX_MARKS, Mark, ResumptionRecord, RoomsListed};
pub use funnel::{Funnel, FunnelStep};
pub use heard::{HeardOfRun, HeardTally, KeyWordCount, KeyWordPlace};
pub use join_times::{JoinTime, JoinTimes};
pub(crate) use latencies::value_at_rank;
pub use latencies::{Latencies, LatencyTable, Scope};
pub use latency_samples::LatencySample;
pub use merge::{JournalExtent, Merge, MergeError, MergePlacement};
pub use pairs::{PairTable, PairedEnd, PairedRun, RunPair};
pub use peak_health::PeakHealth;
pub(crate) use quality::MILLISECONDS_PER_MINUTE;
pub use quality::{QualityOfRun, QualityTally};
pub use reconnects::ReconnectTally;
pub use rules::RuleTally;
pub use run_record::{AgentTimes, RunOutcome, RunRecord, SubmissionTimes, TimeSpan};
pub use session_fold::{EndedRuns, Fold, FoldError, MAX_RUNS};
pub use slowest::{SlowRun, Slowest};
pub use stage_names::StageNames;
pub use tally::OutcomeTally;
pub(crate) use timeline::TIMELINE_METRICS;
pub use timeline::{Timeline, TimelineWindow};
pub use workers::{FoldedWorker, FoldedWorkers};
