//! When the caller's own connection was away: what it measured meanwhile is not the agent's doing.

use rushhour_core::event::ReconnectMethod;
use rushhour_core::units::{Micros, SessionTime};

/// Outages that are remembered, at most: those of the open turn.
const MAX_OUTAGES: usize = 16;

/// The times in which the connection was away, as far as they matter to the turn in progress.
#[derive(Debug, Default)]
pub(super) struct Outages {
    /// From the loss to the return, in order.
    past: Vec<(SessionTime, SessionTime)>,
    /// Since when the connection is away, while it is.
    since: Option<SessionTime>,
    /// Whether the caller had to join again: an agent that is not there now was not seen to leave.
    rejoined: bool,
}

impl Outages {
    /// The connection is lost.
    pub(super) fn begin(&mut self, at: SessionTime) {
        self.since.get_or_insert(at);
    }

    /// The connection is back.
    pub(super) fn end(&mut self, at: SessionTime, method: ReconnectMethod) {
        self.rejoined |= method == ReconnectMethod::Rejoin;
        let Some(since) = self.since.take() else { return };
        if self.past.len() >= MAX_OUTAGES {
            // Two in one: what lies between them counts as away too.
            let (first, _) = self.past.remove(0);
            self.past[0].0 = first;
        }
        self.past.push((since, at));
    }

    /// What was closed last was the room: no connection was lost.
    pub(super) const fn forget_current(&mut self) {
        self.since = None;
    }

    /// A turn begins: what was before does not matter to it.
    pub(super) fn forget_past(&mut self) {
        self.past.clear();
        self.rejoined = false;
    }

    pub(super) const fn is_away(&self) -> bool {
        self.since.is_some()
    }

    /// Whether the connection was away at some time from `from` to `to`.
    pub(super) fn overlaps(&self, from: SessionTime, to: SessionTime) -> bool {
        self.since.is_some_and(|since| since <= to)
            || self.past.iter().any(|(lost, back)| *lost <= to && *back >= from)
    }

    /// For how long the connection was away after `from`: deadlines are later by that.
    pub(super) fn away_since(&self, from: SessionTime) -> Micros {
        let away = |(lost, back): &(SessionTime, SessionTime)| back.since((*lost).max(from));
        self.past.iter().map(away).fold(Micros::ZERO, |sum, one| sum + one)
    }

    /// Whether what failed after `from` may be due to an outage.
    pub(super) fn may_have_caused(&self, from: SessionTime, now: SessionTime) -> bool {
        self.rejoined || self.overlaps(from, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SessionTime {
        SessionTime(seconds * 1_000_000)
    }

    #[test]
    fn only_what_lies_in_an_outage_is_marked() {
        let mut outages = Outages::default();
        outages.begin(at(10));
        assert!(
            outages.is_away() && outages.overlaps(at(9), at(10)) && !outages.overlaps(at(8), at(9))
        );
        outages.end(at(12), ReconnectMethod::Resume);
        for (from, to, is_away) in [(8, 9, false), (9, 11, true), (12, 13, true), (13, 20, false)] {
            assert_eq!(outages.overlaps(at(from), at(to)), is_away, "{from} to {to}");
        }
        assert_eq!(outages.away_since(at(5)), Micros::from_secs(2));
        assert_eq!(outages.away_since(at(11)), Micros::from_secs(1));
        assert_eq!(outages.away_since(at(15)), Micros::ZERO);
    }

    #[test]
    fn whoever_joined_again_may_have_missed_anything_until_the_next_turn() {
        let mut outages = Outages::default();
        outages.begin(at(1));
        outages.end(at(2), ReconnectMethod::Rejoin);
        assert!(outages.may_have_caused(at(50), at(60)));
        outages.forget_past();
        assert!(!outages.may_have_caused(at(50), at(60)));
    }

    #[test]
    fn many_outages_take_little_memory() {
        let mut outages = Outages::default();
        for second in 0..100 {
            outages.begin(at(2 * second));
            outages.end(at(2 * second + 1), ReconnectMethod::Resume);
        }
        assert_eq!(outages.past.len(), MAX_OUTAGES);
        assert!(outages.overlaps(at(0), at(0)) && outages.overlaps(at(199), at(199)));
    }
}
