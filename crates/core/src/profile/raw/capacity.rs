//! `[capacity]` as written.

use crate::profile::table::raw_table;
use crate::units::{Percent, PositiveDuration, Rate};

raw_table! {
    /// How to search for the number of conversations that the agent handles at once. `rushhour capacity` uses it instead of the stages.
    RawCapacity {
        /// Conversations at once on the first level.
        start: u32,
        /// The highest level; by default `limits.in_flight`.
        most: u32,
        /// The factor from each level to the next, until one fails.
        factor: f64,
        /// The search ends when the lowest failed level is at most this fraction above the highest passed one.
        width: Percent,
        /// How fast a level is reached.
        ramp: Rate,
        /// How long a level is held before its runs count; by default the longest scenario's `lasts`.
        settle: PositiveDuration,
        /// How long a level's runs count; by default as long as its thresholds need, but at least three conversations.
        lasts: PositiveDuration,
        /// The longest that the runs of an undecided level count; by default four times as long.
        longest: PositiveDuration,
        /// Whether to measure how soon the agent recovers on the lowest level after the first failed one.
        recover: bool,
        /// How long to watch for recovery.
        recover_within: PositiveDuration,
        /// Whether to start the last passed level in one burst as well.
        burst: bool,
        /// The required number of conversations at once; the command exits with 99 if the agent does not reach it.
        needed: u32,
        /// No level begins later than this after the start of the search.
        within: PositiveDuration,
    }
}
