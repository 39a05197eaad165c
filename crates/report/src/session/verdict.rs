//! The analysis of a session: its validity, its thresholds, and what was compared and judged in it.

use super::threshold::{Criterion, ThresholdResult, Verdict, judge};
use super::validity::Validity;
use crate::fold::FoldedSession;
use crate::judged::JudgingResult;
use crate::paired::PairedComparison;
use rushhour_core::units::SessionTime;

/// A session in which no run completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NothingCompleted {
    /// Most failures can be the agent's fault.
    PossiblyTheAgent,
    /// Most failures are nothing of the agent's, or no run was made.
    Environment,
}

/// The analysis of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionVerdict {
    /// Whether the load generator delivered the load.
    pub validity: Validity,
    /// The thresholds, in the profile's order.
    pub thresholds: Vec<ThresholdResult>,
    /// Voice compared with chat; `None` in a session of one mode.
    pub pairs: Option<PairedComparison>,
    /// The runs that Cekura judged. Its journal is separate, so whoever has read that adds it.
    pub judged: Option<JudgingResult>,
    /// Where no run completed: whether that says anything about the agent.
    pub nothing_completed: Option<NothingCompleted>,
}

impl SessionVerdict {
    /// The validity and the thresholds of a session alone, which take little time.
    pub fn of_thresholds(
        folded: &FoldedSession,
        criterion: Criterion,
    ) -> (Validity, Vec<ThresholdResult>) {
        let thresholds = folded.opening.profile.thresholds.iter();
        let judged = thresholds.flat_map(|threshold| judge(folded, threshold, criterion));
        (Validity::of(folded), judged.collect())
    }

    /// Analyses a session.
    pub fn of(folded: &FoldedSession, criterion: Criterion) -> Self {
        let (validity, thresholds) = Self::of_thresholds(folded, criterion);
        Self {
            pairs: PairedComparison::of(folded, validity.holds()),
            validity,
            thresholds,
            judged: None,
            nothing_completed: nothing_completed(folded),
        }
    }

    /// The first threshold that may abort the session and whose whole interval fails at `now`. `None` while the load
    /// generator is at fault, because then the session says nothing about the agent.
    pub fn aborting_threshold(folded: &FoldedSession, now: SessionTime) -> Option<ThresholdResult> {
        let elapsed = now.since(SessionTime::START);
        let thresholds = folded.opening.profile.thresholds.iter();
        thresholds
            .filter(|threshold| {
                threshold.abort_after.is_some_and(|after| elapsed >= after.micros())
            })
            .flat_map(|threshold| judge(folded, threshold, Criterion::Interval))
            .find(|result| result.verdict == Verdict::Failed)
            .filter(|_| Validity::of(folded).holds())
    }

    /// Whether the session says nothing about the agent: the load was not delivered, or no run completed and that was
    /// nothing of the agent's.
    pub fn is_invalid(&self) -> bool {
        !self.validity.holds() || self.nothing_completed == Some(NothingCompleted::Environment)
    }

    /// Whether any threshold does not hold.
    pub fn any_failed(&self) -> bool {
        self.thresholds.iter().any(|result| result.verdict.is_failure())
    }

    /// Whether any threshold is undecided.
    pub fn any_undecided(&self) -> bool {
        self.thresholds.iter().any(|result| matches!(result.verdict, Verdict::Undecided { .. }))
    }
}

/// Whether no run of a finished session completed, and what that says.
fn nothing_completed(folded: &FoldedSession) -> Option<NothingCompleted> {
    let tally = &folded.tally;
    if tally.completed > 0 || !folded.closed {
        return None;
    }
    let possible = tally.failed.iter().filter(|(class, _)| class.can_be_the_agents());
    let possible: u64 = possible.map(|(_, count)| count).sum();
    Some(if possible > 0 && possible * 2 >= tally.failed_total() {
        NothingCompleted::PossiblyTheAgent
    } else {
        NothingCompleted::Environment
    })
}
