//! Deleting rooms once more at the session's end, where the evaluator may have made them anew.

use std::collections::{BTreeMap, BTreeSet};

use super::session::Session;
use crate::effects::SessionEffect;
use rushhour_core::event::EventKind;
use rushhour_core::units::{Micros, RunIndex, SessionTime};
use rushhour_livekit::LiveKitError;

/// A deletion that failed is tried again after this,
const AGAIN: Micros = Micros::from_secs(1);
/// so often.
const TRIED_AGAIN: u32 = 3;
/// All of it takes no longer than this; what is left then is told.
const LONGEST: Micros = Micros::from_secs(60);

/// Rooms that are looked after once all runs are gone.
#[derive(Default)]
pub(super) struct RoomCleanup {
    /// Not begun yet.
    waiting: BTreeSet<RunIndex>,
    /// Deletions under way, with how often each failed before.
    under_way: BTreeMap<RunIndex, u32>,
    /// Deletions that failed, with when each is due again and how often it failed.
    again: BTreeMap<(SessionTime, RunIndex), u32>,
    /// Until when all of it is to be done, once it has begun.
    until: Option<SessionTime>,
}

impl RoomCleanup {
    pub(super) fn insert(&mut self, run: RunIndex) {
        self.waiting.insert(run);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.under_way.len() + self.again.len()
    }

    /// Whether deletions are those of rooms visited again.
    pub(super) const fn have_begun(&self) -> bool {
        self.until.is_some()
    }

    /// When a deletion is due again; at most so many are under way at once.
    pub(super) fn next(&self, most: usize) -> SessionTime {
        let until = self.until.filter(|_| !self.are_done()).unwrap_or(SessionTime::NEVER);
        match self.again.first_key_value() {
            Some(((at, _), _)) if self.under_way.len() < most => until.min(*at),
            _ => until,
        }
    }

    fn are_done(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty() && self.again.is_empty()
    }

    /// The rooms whose deletion begins now; at most so many are under way at once.
    fn begin(&mut self, most: usize, now: SessionTime) -> Vec<RunIndex> {
        let mut begun = Vec::new();
        while self.under_way.len() < most {
            let due = self.again.first_key_value().filter(|((at, _), _)| *at <= now);
            let (run, failed) = if let Some((&(at, run), &failed)) = due {
                self.again.remove(&(at, run));
                (run, failed)
            } else if let Some(run) = self.waiting.pop_first() {
                (run, 0)
            } else {
                break;
            };
            self.under_way.insert(run, failed);
            begun.push(run);
        }
        begun
    }

    /// A deletion was answered; why it is given up, where it is.
    fn answered(
        &mut self,
        run: RunIndex,
        result: Result<(), LiveKitError>,
        now: SessionTime,
    ) -> Option<String> {
        let failed = self.under_way.remove(&run)?;
        let error = result.err()?;
        if failed >= TRIED_AGAIN {
            return Some(error.words);
        }
        self.again.insert((now + Micros(AGAIN.0 << failed), run), failed + 1);
        None
    }

    /// Gives up whatever is left.
    fn abandon(&mut self) -> BTreeSet<RunIndex> {
        let mut left = std::mem::take(&mut self.waiting);
        left.extend(std::mem::take(&mut self.under_way).into_keys());
        left.extend(std::mem::take(&mut self.again).into_keys().map(|(_, run)| run));
        left
    }
}

impl Session {
    /// When something is due for rooms that are visited again.
    pub(super) fn next_revisit(&self) -> SessionTime {
        self.revisits.next(self.deletions_at_once())
    }

    fn deletions_at_once(&self) -> usize {
        self.settings.in_flight.max(1) as usize
    }

    /// Deletes rooms once more, now that all runs are gone; whether that is done.
    pub(super) fn revisit(&mut self, now: SessionTime) -> bool {
        let until = *self.revisits.until.get_or_insert(now + LONGEST);
        if now >= until || self.stopping.is_over(now) {
            for run in self.revisits.abandon() {
                let detail = "the session ended before its room was deleted once more".to_owned();
                self.record(EventKind::RoomNotDeleted { run, detail }, now);
            }
        }
        let most = self.deletions_at_once();
        let rooms = self.revisits.begin(most, now).into_iter().map(SessionEffect::DeleteRoom);
        self.actions.extend(rooms);
        self.revisits.are_done()
    }

    pub(super) fn revisited(
        &mut self,
        run: RunIndex,
        result: Result<(), LiveKitError>,
        now: SessionTime,
    ) {
        if let Some(detail) = self.revisits.answered(run, result, now) {
            self.record(EventKind::RoomNotDeleted { run, detail }, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_livekit::LiveKitErrorKind;

    fn refused() -> Result<(), LiveKitError> {
        Err(LiveKitError::new(LiveKitErrorKind::Transport, "in words"))
    }

    #[test]
    fn a_deletion_that_fails_is_tried_again_and_told_in_the_end() {
        let mut revisits = RoomCleanup::default();
        revisits.insert(RunIndex(7));
        let mut now = SessionTime::START;
        for _ in 0..TRIED_AGAIN {
            assert_eq!(revisits.begin(9, now), [RunIndex(7)]);
            assert_eq!(revisits.answered(RunIndex(7), refused(), now), None);
            assert!(!revisits.are_done() && revisits.begin(9, now).is_empty());
            now = revisits.next(9);
        }
        assert_eq!(now, SessionTime(7_000_000));
        assert_eq!(revisits.begin(9, now), [RunIndex(7)]);
        let given_up = revisits.answered(RunIndex(7), refused(), now);
        assert_eq!(given_up.as_deref(), Some("in words"));
        assert!(revisits.are_done());
    }

    #[test]
    fn so_many_are_under_way_at_once_and_no_more() {
        let mut revisits = RoomCleanup::default();
        (0..5).for_each(|run| revisits.insert(RunIndex(run)));
        let now = SessionTime::START;
        assert_eq!(revisits.begin(2, now), [RunIndex(0), RunIndex(1)]);
        assert_eq!(revisits.answered(RunIndex(0), refused(), now), None);
        assert_eq!(revisits.begin(2, now), [RunIndex(2)]);
        // Nothing is due while there is no place for it.
        revisits.until = Some(SessionTime::NEVER);
        assert_eq!(revisits.next(2), SessionTime::NEVER);
        assert_eq!(revisits.answered(RunIndex(1), Ok(()), now), None);
        assert_eq!(revisits.next(2), SessionTime(1_000_000));
        assert_eq!(revisits.abandon(), [0, 2, 3, 4].map(RunIndex).into());
        assert!(revisits.are_done());
    }
}
