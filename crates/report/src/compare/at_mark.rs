//! Runs in flight at the mark that a session is split at. What the mark stands for, such as a deployment, may have ended
//! them, so they are no runs as they were before it, and a figure of their own.

use schemars::JsonSchema;
use serde::Serialize;

use super::arm::{ArmRun, RunEnding};
use rushhour_core::units::SessionTime;

/// So few of the runs before the mark, one in 50, may be in flight at it and the others still be a fair sample.
const FEW: usize = 50;

/// Measured runs that were due before the mark and belong to neither side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct RunsAtMark {
    /// In flight at the mark.
    pub in_flight: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Due when most of these were and ended before the mark: only short runs did, and most failures are short.
    pub left_out: u64,
}

/// Keeps of the runs due before the mark, in the order of intended starts, those that show how runs were before it.
pub(super) fn keep_runs_before(runs: &mut Vec<ArmRun>, mark: SessionTime) -> RunsAtMark {
    let is_in_flight = |run: &ArmRun| run.ended.is_none_or(|ended| ended >= mark);
    let mut found = RunsAtMark::default();
    let (mut in_flight, mut kept) = (0, 0);
    for (at, run) in runs.iter().enumerate() {
        if is_in_flight(run) {
            in_flight += 1;
            found.failed += u64::from(run.end == RunEnding::Failed);
        }
        if in_flight * FEW <= at + 1 {
            kept = at + 1;
        }
    }
    let all = runs.len();
    runs.truncate(kept);
    runs.retain(|run| !is_in_flight(run));
    found.in_flight = in_flight as u64;
    found.left_out = (all - in_flight - runs.len()) as u64;
    found
}
