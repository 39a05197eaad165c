//! The CSV files whose tables other formats show too.

use std::io::Write;

use crate::capacity::CompletedSearch;
use crate::compare::SessionComparison;
use crate::fold::FoldedSession;
use crate::judged::JudgingResult;
use crate::render::tables::{capacity, comparison, funnel, judged};

/// `funnel.csv`: how many runs reached each step. Counts are of all runs; times are of measured stages, and empty if
/// there are too few samples for an interval. All turns share the times of one latency.
///
/// # Errors
/// If writing fails.
pub fn funnel_csv(folded: &FoldedSession, to: impl Write) -> csv::Result<()> {
    funnel::funnel_table(folded).csv(to)
}

/// `judged.csv`: every run that was chosen to be judged, with its rerun, in the order of the original session.
/// `weight` is the number of runs of the original session that a verdict stands for. `without_load` says of a failure
/// whether it occurred again.
///
/// # Errors
/// If writing fails.
pub fn judged_csv(judged: &JudgingResult, to: impl Write) -> csv::Result<()> {
    judged::run_table(judged).csv(to)
}

/// A comparison: one line per percentile, per share, and for the cost of a run. Figures that do not exist are empty.
///
/// # Errors
/// If writing fails.
pub fn comparison_csv(comparison: &SessionComparison, to: impl Write) -> csv::Result<()> {
    comparison::comparison_table(comparison).csv(to)
}

/// `capacity.csv`: the sessions of a search, in order.
///
/// # Errors
/// If writing fails.
pub fn capacity_csv(searched: &CompletedSearch<'_>, to: impl Write) -> csv::Result<()> {
    capacity::session_table(searched, capacity::LevelReports::Elsewhere).csv(to)
}
