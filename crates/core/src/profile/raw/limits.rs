//! `[limits]` as written.

use crate::profile::settings::limits::WhenFull;
use crate::profile::table::raw_table;
use crate::units::{PositiveDuration, Rate, Usd};

raw_table! {
    /// Rate limits, timeouts and budgets.
    RawLimits {
        /// Submissions to the evaluator.
        requests: Rate,
        /// Status polls of runs at the evaluator.
        polls: Rate,
        /// Room polls at LiveKit, to see the agent join.
        looks: Rate,
        /// Runs in flight at once.
        in_flight: u32,
        /// What happens to a start that finds no free slot.
        when_full: WhenFull,
        /// How often a submission is sent as long as it was certainly not accepted.
        attempts: u32,
        /// Timeout of one request to LiveKit.
        livekit_timeout: PositiveDuration,
        /// Timeout of one submission; after it, whether the submission was accepted is unknown.
        submit_timeout: PositiveDuration,
        /// Timeout of one status poll.
        poll_timeout: PositiveDuration,
        /// How long a run may take from its acceptance to its end.
        run_timeout: PositiveDuration,
        /// How long to watch the room of a submission that may have been accepted; if the evaluator joins, it was.
        watch_unknown: PositiveDuration,
        /// How long a stopped session waits for the runs in flight.
        drain: PositiveDuration,
        /// The most that the session may cost at list prices; no run starts that could exceed it.
        budget: Usd,
        /// The most runs to start.
        max_runs: u64,
        /// The most minutes of conversation, over all runs.
        max_minutes: u64,
    }
}
