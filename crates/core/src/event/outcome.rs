//! How a run ended: every planned run in exactly one way.

use serde::{Deserialize, Serialize};

use super::failure::FailureClass;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The conversation was held to its end.
    Completed {
        /// The evaluator's judgement: passed, not passed, or none given.
        judged: Option<bool>,
    },
    /// It failed.
    Failed {
        /// Why.
        class: FailureClass,
        /// What was seen, in words; the other side's own where it has some.
        detail: String,
    },
    /// It did not take place because no place was free, as the profile asks.
    Skipped,
}

impl Outcome {
    /// The word used in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Why it failed, where it did.
    pub const fn class(&self) -> Option<FailureClass> {
        match self {
            Self::Failed { class, .. } => Some(*class),
            Self::Completed { .. } | Self::Skipped => None,
        }
    }

    /// A failure in words.
    pub fn failed(class: FailureClass, detail: impl Into<String>) -> Self {
        Self::Failed { class, detail: detail.into() }
    }
}
