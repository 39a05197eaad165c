//! The profile's `[capacity]` as it is written.

use super::read::raw_table;
use crate::units::{Percent, PositiveDuration, Rate};

raw_table! {
    /// How the number of conversations that the agent holds at once is searched for; `rushhour capacity` uses it in place of the stages.
    RawCapacity {
        /// Conversations at once of the first level.
        start: u32,
        /// No level has more; `limits.in_flight` where left out.
        most: u32,
        /// The next level as a multiple of the one before, until one fails.
        factor: f64,
        /// How far the first failed level may at most be above the last passed one, as a part of it.
        width: Percent,
        /// How fast a level's number is reached.
        ramp: Rate,
        /// How long a level is held after that before its runs count; the longest scenario's `lasts` where left out.
        settle: PositiveDuration,
        /// How long a level's runs count; as long as its thresholds need, and three conversations, where left out.
        lasts: PositiveDuration,
        /// How long that may become where a level is undecided; four times as long where left out.
        longest: PositiveDuration,
        /// Whether it is watched how soon the lowest level is well again after the first failed one.
        recover: bool,
        /// For how long it is watched.
        recover_within: PositiveDuration,
        /// Whether the last passed level is also started at one instant.
        burst: bool,
        /// How many at once are needed: the search ends with 99 where they are not held.
        needed: u32,
        /// No level is begun later than this after the search began.
        within: PositiveDuration,
    }
}
