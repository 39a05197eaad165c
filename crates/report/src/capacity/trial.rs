//! One session of a search: its level, its duration, its purpose, and its verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use rushhour_core::units::Micros;

/// The purpose of a session in a search.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The way up, or down if the first level fails.
    Step,
    /// A level between the last that passed and the first that failed.
    Bisect,
    /// A repetition of a level that the answer depends on.
    Confirm,
    /// A level once more, right after the server looked for workers: its dispatcher had held the level's dispatches back.
    Again,
    /// The highest level that passed, started simultaneously.
    Burst,
    /// The same again, each time right after the server looked for workers: its dispatcher had held the first one back.
    BurstAgain,
    /// The lowest level right after the first that failed: has the agent recovered?
    Recover,
}

impl Purpose {
    /// The name in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Bisect => "bisect",
            Self::Confirm => "confirm",
            Self::Again => "again",
            Self::Burst => "burst",
            Self::BurstAgain => "burst_again",
            Self::Recover => "recover",
        }
    }

    /// Whether its verdict counts for its level.
    pub const fn decides_level(self) -> bool {
        matches!(self, Self::Step | Self::Bisect | Self::Confirm | Self::Again)
    }
}

/// One session of a search, before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Its purpose.
    pub purpose: Purpose,
    /// Conversations at once, at least 1.
    pub in_flight: u32,
    /// The length of its measured stage; of a burst, that of the level it is compared with.
    #[serde(rename = "lasts")]
    pub duration: Micros,
}

/// The verdict of a session on its level.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LevelVerdict {
    /// Every threshold holds.
    Passed,
    /// A threshold does not hold.
    Failed,
    /// No threshold fails, but one cannot be decided.
    Undecided,
    /// The generator did not deliver its load: the session says nothing about the agent.
    Generator,
    /// A signal stopped it.
    Stopped,
    /// A limit on money, runs or minutes was reached.
    Budget,
    /// The session could not continue: a key was refused, the journal failed, or its process died.
    Broken,
}

impl LevelVerdict {
    /// The name in files.
    pub const fn name(self) -> &'static str {
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

    /// The label in reports.
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

/// One session of a search, after it ran.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialResult {
    /// The trial.
    pub trial: Trial,
    /// Its verdict.
    pub verdict: LevelVerdict,
    /// If undecided: the factor of its duration that would decide it, where known.
    pub extension: Option<f64>,
    /// Whether the server's dispatcher held dispatches back.
    pub stalled: bool,
    /// When its load began, from the start of the search.
    pub start: Micros,
    /// When its last run had ended, from the start of the search.
    pub end: Micros,
}

impl TrialResult {
    /// Whether it decides nothing about its level, because the server's dispatcher may be why it did not pass: the level is
    /// held again.
    pub(crate) fn is_the_dispatchers(&self) -> bool {
        let first = self.trial.purpose.decides_level() && self.trial.purpose != Purpose::Again;
        let not_passed = matches!(self.verdict, LevelVerdict::Failed | LevelVerdict::Undecided);
        first && not_passed && self.stalled
    }
}
