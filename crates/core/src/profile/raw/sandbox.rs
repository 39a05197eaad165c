//! `[sandbox]` as written.

use crate::profile::diagnostic::Located;
use crate::profile::from_node::Named;
use crate::profile::table::raw_table;
use crate::units::{Percent, PositiveDuration};

raw_table! {
    /// How the embedded stand-ins behave.
    RawSandbox {
        /// From the dispatch until the agent is in the room.
        agent_join: RawLatency,
        /// From a submission to its answer.
        submission: RawLatency,
        /// From the answer to the start of the conversation.
        queue: RawLatency,
        /// The duration of a conversation.
        conversation: RawLatency,
        /// The duration of the judging after it.
        judging: RawLatency,
        /// How much later an agent joins under the fault `agent_late`.
        late_by: PositiveDuration,
        /// Conversations at once; more are queued.
        concurrency: u32,
        /// The probability of each fault, by its name.
        faults: Named<Located<Percent>>,
    }
}

raw_table! {
    /// A lognormal latency.
    RawLatency {
        /// The median.
        median: PositiveDuration,
        /// The 95th percentile.
        p95: PositiveDuration,
    }
}
