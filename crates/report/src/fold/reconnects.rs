//! How often our own callers lost their connections and came back, summed over all runs.

use std::collections::BTreeMap;

use super::run_record::RunRecord;
use rushhour_core::event::{EventKind, ReconnectCause, ReconnectMethod};
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
    /// Adds what an event of a run says of them; `record` is the run before that event.
    pub(super) fn add(&mut self, event: &EventKind, record: Option<&RunRecord>) {
        match event {
            EventKind::Turn { turn, .. } => self.turns_away += u64::from(turn.away),
            EventKind::Reconnected { reconnect, .. } => {
                *self.by_cause.entry(reconnect.cause).or_default() += 1;
                self.rejoined += u64::from(reconnect.method == ReconnectMethod::Rejoin);
                let is_first = record.is_some_and(|record| record.reconnects.is_empty());
                self.runs += u64::from(is_first);
                self.longest = self.longest.max(reconnect.duration());
            }
            _ => {}
        }
    }

    /// How often.
    pub fn count(&self) -> u64 {
        self.by_cause.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_record::tests::completed;
    use super::*;
    use rushhour_core::event::{Reconnect, Turn, TurnEnding};
    use rushhour_core::units::{Metric, RunIndex, SessionTime};

    fn reconnect(method: ReconnectMethod, lost: u64, back: u64) -> Reconnect {
        let (lost, back) = (SessionTime(lost), SessionTime(back));
        Reconnect { cause: ReconnectCause::SignalLost, method, lost, back, attempts: 1 }
    }

    fn turn(away: bool) -> Turn {
        let first = Some(SessionTime(150));
        Turn { first, away, ..Turn::new(1, SessionTime(100), TurnEnding::Answered) }
    }

    #[test]
    fn reconnects_are_counted_and_timed_and_turns_meanwhile_have_no_latency() {
        let mut record = completed();
        let mut tally = ReconnectTally::default();
        let run = RunIndex(0);
        for reconnect in [
            reconnect(ReconnectMethod::Resume, 100, 130),
            reconnect(ReconnectMethod::Rejoin, 200, 290),
        ] {
            tally.add(&EventKind::Reconnected { run, reconnect }, Some(&record));
            record.reconnects.push(reconnect);
        }
        for away in [true, false] {
            tally.add(&EventKind::Turn { run, turn: Box::new(turn(away)) }, Some(&record));
            record.turns.push(turn(away));
        }
        assert_eq!((tally.count(), tally.rejoined, tally.runs), (2, 1, 1));
        assert_eq!((tally.longest, tally.turns_away), (Micros(90), 1));
        let found = |metric| -> Vec<u64> {
            let samples = record.samples().into_iter().filter(|one| one.metric == metric);
            samples.map(|one| one.high.0).collect()
        };
        assert_eq!(found(Metric::Reconnect), [30, 90]);
        assert_eq!(found(Metric::TurnChatFirst), [50], "the other one was away");
    }
}
