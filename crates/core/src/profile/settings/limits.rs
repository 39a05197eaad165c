//! Rate limits, timeouts and budgets.

use serde::{Deserialize, Serialize};

use crate::profile::table::choice;
use crate::units::{PositiveDuration, Rate, Usd};

choice! {
    /// What happens to a start that finds no free slot.
    #[schemars(rename = "RawWhenFull")]
    pub WhenFull {
        /// It waits for a slot; its latency still counts from its intended start.
        Wait = "wait",
        /// It does not take place, and counts as skipped.
        Skip = "skip",
    }
}

/// Rate limits, timeouts and budgets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Submissions to the evaluator.
    pub requests: Rate,
    /// Status polls of runs at the evaluator.
    pub polls: Rate,
    /// Room polls at LiveKit.
    #[serde(rename = "looks")]
    pub room_polls: Rate,
    /// Runs in flight at once, at least 1.
    pub in_flight: u32,
    /// What happens to a start that finds no free slot.
    pub when_full: WhenFull,
    /// How often a submission is sent as long as it was certainly not accepted, at least 1.
    pub attempts: u32,
    /// Timeout of one request to LiveKit.
    pub livekit_timeout: PositiveDuration,
    /// Timeout of one submission.
    pub submit_timeout: PositiveDuration,
    /// Timeout of one status poll.
    pub poll_timeout: PositiveDuration,
    /// How long a run may take from its acceptance to its end.
    pub run_timeout: PositiveDuration,
    /// How long to watch the room of a submission that may have been accepted for the evaluator.
    pub watch_unknown: PositiveDuration,
    /// How long a stopped session waits for the runs in flight.
    pub drain: PositiveDuration,
    /// The most that the session may cost at list prices; above zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Usd>,
    /// The most runs to start, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_runs: Option<u64>,
    /// The most minutes of conversation over all runs, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_minutes: Option<u64>,
}
