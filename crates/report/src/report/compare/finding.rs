//! The words in which a comparison speaks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was found of one measure: the candidate against its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ComparisonFinding {
    /// A latency is longer, beyond chance.
    #[serde(rename = "slower")]
    Slower,
    /// A latency is shorter, beyond chance.
    #[serde(rename = "faster")]
    Faster,
    /// A share is larger, beyond chance.
    #[serde(rename = "more")]
    More,
    /// A share is smaller, beyond chance.
    #[serde(rename = "fewer")]
    Fewer,
    /// A run costs more, beyond chance.
    #[serde(rename = "costs more")]
    CostsMore,
    /// A run costs less, beyond chance.
    #[serde(rename = "costs less")]
    CostsLess,
    /// Chance alone may be behind what was seen.
    #[serde(rename = "no difference shown")]
    NoDifference,
    /// Too little was measured to ask.
    #[serde(rename = "not enough data")]
    NotEnoughData,
}

impl ComparisonFinding {
    /// The words used in reports.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::More => "more",
            Self::Fewer => "fewer",
            Self::CostsMore => "costs more",
            Self::CostsLess => "costs less",
            Self::NoDifference => "no difference shown",
            Self::NotEnoughData => "not enough data",
        }
    }
}

/// At most this chance of any false alarm among all judged figures.
pub(super) const FALSE_ALARMS: f64 = 0.05;
