//! One session of a search: how many at once, for how long, what for, and what came of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use rushhour_core::units::Micros;

/// What a session of a search is for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// On the way up, or down where the first level fails.
    Step,
    /// Between the last that passed and the first that failed.
    Bisect,
    /// A level once more whose verdict the answer rests on.
    Confirm,
    /// The last passed level at one instant.
    Burst,
    /// The lowest level after the first failed one: whether it is well again.
    Recover,
}

impl Purpose {
    /// The word used in files and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Bisect => "bisect",
            Self::Confirm => "confirm",
            Self::Burst => "burst",
            Self::Recover => "recover",
        }
    }

    /// Whether its verdict says whether the level is held.
    pub const fn decides_level(self) -> bool {
        matches!(self, Self::Step | Self::Bisect | Self::Confirm)
    }
}

/// One session of a search, before it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// What it is for.
    pub purpose: Purpose,
    /// Conversations at once, at least 1.
    pub in_flight: u32,
    /// How long its measured stretch is; of a burst, how long the level it is compared with was held.
    pub duration: Micros,
}

/// What a session says of its level.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LevelVerdict {
    /// Every threshold holds.
    Passed,
    /// A threshold does not hold.
    Failed,
    /// No threshold fails, and one cannot be decided.
    Undecided,
    /// The generator was at fault: nothing is said of the agent.
    Generator,
    /// It was stopped by a signal.
    Stopped,
    /// A cap on money, runs or minutes was reached.
    Budget,
    /// The session could not go on: a key, the journal, or its process died.
    Broken,
}

impl LevelVerdict {
    /// The word used in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undecided => "undecided",
            Self::Generator => "generator",
            Self::Stopped => "stopped",
            Self::Budget => "budget",
            Self::Broken => "broken",
        }
    }

    /// The words used in reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undecided => "not enough data",
            Self::Generator => "the generator's limit",
            Self::Stopped => "stopped",
            Self::Budget => "budget reached",
            Self::Broken => "broken off",
        }
    }
}

/// One session of a search, after it was held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialResult {
    /// What was tried.
    pub trial: Trial,
    /// What came of it.
    pub verdict: LevelVerdict,
    /// Where it is undecided: about how many times as long would settle it, if that is known.
    pub extension: Option<f64>,
    /// When its load began, from the search's beginning.
    pub start: Micros,
    /// When its last run had ended, from the search's beginning.
    pub end: Micros,
}
