//! How often our own callers lost their connections and came back, summed over all runs.

use std::collections::BTreeMap;

use rushhour_core::event::{Reconnect, ReconnectCause, ReconnectMethod};
use rushhour_core::units::Micros;

/// Connections that were lost and recovered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReconnectTally {
    /// How often, by cause.
    pub by_cause: BTreeMap<ReconnectCause, u64>,
    /// How often the caller had to join again.
    pub rejoined: u64,
    /// In how many conversations.
    pub runs: u64,
    /// The longest time that a connection was away.
    pub longest: Micros,
    /// Turns during which the connection was away: they count in no latency.
    pub turns_away: u64,
}

impl ReconnectTally {
    pub(super) fn add(&mut self, reconnect: Reconnect, is_first_of_run: bool) {
        *self.by_cause.entry(reconnect.cause).or_default() += 1;
        self.rejoined += u64::from(reconnect.method == ReconnectMethod::Rejoin);
        self.runs += u64::from(is_first_of_run);
        self.longest = self.longest.max(reconnect.duration());
    }

    /// How often.
    pub fn count(&self) -> u64 {
        self.by_cause.values().sum()
    }
}
