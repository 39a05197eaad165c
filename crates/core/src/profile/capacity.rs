//! How the number of conversations that an agent holds at once is searched for.

use serde::{Deserialize, Serialize};

use crate::units::{Percent, PositiveDuration, Rate};

/// How a search for capacity goes, its profile's stages left aside.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CapacitySettings {
    /// Conversations at once of the first level, at least 1 and at most `most`.
    pub start: u32,
    /// No level has more, at least 1 and at most `limits.in_flight`.
    pub most: u32,
    /// The next level as a multiple of the one before, until one fails; above 1, at most 10.
    pub factor: f64,
    /// How far the first failed level may be above the last passed one, as a part of the latter; more
    /// than nothing. Neighbouring whole numbers are always near enough.
    pub width: Percent,
    /// How fast a level's number is reached.
    pub ramp: Rate,
    /// How long a level is held after its number was reached, before its runs count.
    pub settle: PositiveDuration,
    /// How long a level's measured stretch is; where there is none, as long as its thresholds need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<PositiveDuration>,
    /// How long the measured stretch of an undecided level may become; not below `lasts`. Four times its
    /// first length where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<PositiveDuration>,
    /// How long after the first failed level it is watched for its recovery; not at all where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recover: Option<PositiveDuration>,
    /// Whether the last passed level is also started at one instant.
    pub burst: bool,
    /// How many at once are needed; the search answers without it, and ends with 99 where they are not held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<u32>,
    /// No level is begun later than this after the search began.
    pub within: PositiveDuration,
}
