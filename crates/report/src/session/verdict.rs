//! The analysis of a session: its validity, its thresholds, and what was compared and judged in it.

use super::threshold::{Criterion, ThresholdResult, Verdict, judge};
use super::validity::Validity;
use crate::fold::FoldedSession;
use crate::judged::JudgingResult;
use crate::paired::PairedComparison;
use rushhour_core::units::SessionTime;

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
}

impl SessionVerdict {
    /// Analyses a session.
    pub fn of(folded: &FoldedSession, criterion: Criterion) -> Self {
        let thresholds = folded.opening.profile.thresholds.iter();
        let validity = Validity::of(folded);
        Self {
            pairs: PairedComparison::of(folded, validity.holds()),
            validity,
            thresholds: thresholds
                .flat_map(|threshold| judge(folded, threshold, criterion))
                .collect(),
            judged: None,
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

    /// Whether any threshold does not hold.
    pub fn any_failed(&self) -> bool {
        self.thresholds.iter().any(|result| result.verdict.is_failure())
    }

    /// Whether any threshold is undecided.
    pub fn any_undecided(&self) -> bool {
        self.thresholds.iter().any(|result| matches!(result.verdict, Verdict::Undecided { .. }))
    }
}
