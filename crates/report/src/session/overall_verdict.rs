//! The one verdict on a session.

use super::verdict::{NothingCompleted, SessionVerdict};

/// The verdict on a session as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OverallVerdict {
    /// Every threshold holds.
    Passed,
    /// At least one threshold does not hold.
    Failed,
    /// No threshold fails, and at least one is undecided.
    Undecided,
    /// The load generator did not deliver the load, so the session says nothing about the agent.
    Invalid,
    /// No run completed, and most failures can be the agent's fault.
    NothingCompleted,
    /// No run completed, and most failures are nothing of the agent's.
    EnvironmentFailed,
    NoThresholds,
}

impl OverallVerdict {
    pub(crate) fn of(verdict: &SessionVerdict) -> Self {
        if !verdict.validity.holds() {
            Self::Invalid
        } else if let Some(nothing) = verdict.nothing_completed {
            match nothing {
                NothingCompleted::PossiblyTheAgent => Self::NothingCompleted,
                NothingCompleted::Environment => Self::EnvironmentFailed,
            }
        } else if verdict.any_failed() {
            Self::Failed
        } else if verdict.any_undecided() {
            Self::Undecided
        } else if verdict.thresholds.is_empty() {
            Self::NoThresholds
        } else {
            Self::Passed
        }
    }
}
