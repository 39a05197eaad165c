//! How to search for the number of conversations that an agent handles at once.

use serde::{Deserialize, Serialize};

use super::limits::Limits;
use super::scenario::ScenarioMix;
use crate::units::{Percent, PositiveDuration, Rate};

/// The default ramp, in starts per second: a join costs a LiveKit server some 50 ms of processor time.
const RAMP: u32 = 10;
const FACTOR: f64 = 1.5;
const WIDTH: f64 = 0.1;
const START: u32 = 5;
pub(crate) const RECOVER_WITHIN: PositiveDuration = PositiveDuration::secs(5 * 60);
const WITHIN: PositiveDuration = PositiveDuration::secs(8 * 3_600);

/// How to search for capacity. The search ignores the profile's stages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CapacitySettings {
    /// Conversations at once on the first level, at least 1 and at most `most`.
    pub start: u32,
    /// The highest level, at least 1 and at most `limits.in_flight`.
    pub most: u32,
    /// The factor from each level to the next, until one fails; above 1, at most 10.
    pub factor: f64,
    /// The search ends when the lowest failed level is at most this fraction above the highest passed
    /// one; above zero. Neighbouring whole numbers always end it.
    pub width: Percent,
    /// How fast a level is reached.
    pub ramp: Rate,
    /// How long a level is held before its runs count.
    pub settle: PositiveDuration,
    /// How long a level's runs count; if `None`, as long as its thresholds need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<PositiveDuration>,
    /// The longest that the runs of an undecided level count, at least `lasts`; if `None`, four times
    /// the initial duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<PositiveDuration>,
    /// How long to watch for recovery after the first failed level; `None` to skip that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recover: Option<PositiveDuration>,
    /// Whether to start the last passed level in one burst as well.
    pub burst: bool,
    /// The required number of conversations at once. The command exits with 99 if the agent does not
    /// reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<u32>,
    /// No level begins later than this after the start of the search.
    pub within: PositiveDuration,
}

impl CapacitySettings {
    /// The settings of a profile without `[capacity]`.
    pub fn default_for(mix: &ScenarioMix, limits: &Limits) -> Self {
        let longest_scenario = mix.scenarios().iter().map(|scenario| scenario.lasts).max();
        let ramp = Rate::per_second_const(RAMP);
        Self {
            start: START.min(limits.in_flight),
            most: limits.in_flight,
            factor: FACTOR,
            width: Percent::from_fraction(WIDTH).unwrap_or_default(),
            ramp: if limits.requests < ramp { limits.requests } else { ramp },
            settle: longest_scenario.unwrap_or(PositiveDuration::secs(60)),
            lasts: None,
            longest: None,
            recover: Some(RECOVER_WITHIN),
            burst: true,
            needed: None,
            within: WITHIN,
        }
    }
}
