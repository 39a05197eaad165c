//! The outcome of a run: exactly one for every planned run.

use serde::{Deserialize, Serialize};

use super::failure::FailureClass;
use crate::units::ForeignText;

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The conversation was completed.
    Completed {
        /// The evaluator's judgement: passed, failed, or `None` without one.
        judged: Option<bool>,
    },
    /// The run failed.
    Failed {
        /// Why.
        class: FailureClass,
        /// What happened; the other side's message if there is one.
        detail: ForeignText,
    },
    /// The run did not start because no slot was free and `limits.when_full` is "skip".
    Skipped,
}

impl Outcome {
    /// The name used in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Why the run failed, if it did.
    pub const fn class(&self) -> Option<FailureClass> {
        match self {
            Self::Failed { class, .. } => Some(*class),
            Self::Completed { .. } | Self::Skipped => None,
        }
    }

    /// A failure with a message.
    pub fn failed(class: FailureClass, detail: impl Into<ForeignText>) -> Self {
        Self::Failed { class, detail: detail.into() }
    }
}
