//! Deleting rooms again at the end of a session: those that somebody may have created after their deletion, and those
//! whose deletion failed.

use std::collections::{BTreeMap, BTreeSet};

use super::session::Session;
use crate::livekit_throttle::MAX_ATTEMPTS;
use crate::session_effect::SessionEffect;
use rushhour_core::event::EventKind;
use rushhour_core::units::{Micros, RunIndex, SessionTime};
use rushhour_livekit::LiveKitError;

/// The wait before the first retry of a deletion; it doubles with each retry.
const FIRST_BACKOFF: Micros = Micros::from_secs(1);
const MAX_RETRIES: u32 = 3;
/// How long all of it may take; rooms that are left then are recorded.
const MAX_DURATION: Micros = Micros::from_secs(60);

/// How long it may take while LiveKit refuses requests because there are too many.
const MAX_PATIENCE: Micros = Micros::from_secs(300);

/// Rooms to delete again after all runs.
#[derive(Default)]
pub(super) struct RoomCleanup {
    /// Rooms whose deletion has not begun.
    waiting: BTreeSet<RunIndex>,
    /// Deletions under way, with how often each failed before.
    in_flight: BTreeMap<RunIndex, u32>,
    /// Failed deletions by the time of their retry, with how often each failed.
    retries: BTreeMap<(SessionTime, RunIndex), u32>,
    /// When it began.
    begun: Option<SessionTime>,
    /// When all of it must be done, once it has begun.
    until: Option<SessionTime>,
}

impl RoomCleanup {
    pub(super) fn insert(&mut self, run: RunIndex) {
        self.waiting.insert(run);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.in_flight.len() + self.retries.len()
    }

    /// Whether responses to deletions are for it rather than for a run.
    pub(super) const fn has_begun(&self) -> bool {
        self.until.is_some()
    }

    /// When something is due; at most `limit` deletions are under way at once.
    pub(super) fn next_due(&self, limit: usize) -> SessionTime {
        let until = self.until.filter(|_| !self.is_done()).unwrap_or(SessionTime::NEVER);
        match self.retries.first_key_value() {
            Some(((at, _), _)) if self.in_flight.len() < limit => until.min(*at),
            _ => until,
        }
    }

    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty() && self.retries.is_empty()
    }

    /// The rooms whose deletion begins now; at most `limit` deletions are under way at once.
    fn begin(&mut self, limit: usize, now: SessionTime) -> Vec<RunIndex> {
        let mut begun = Vec::new();
        while self.in_flight.len() < limit {
            let due = self.retries.first_key_value().filter(|((at, _), _)| *at <= now);
            let (run, failed) = if let Some((&(at, run), &failed)) = due {
                self.retries.remove(&(at, run));
                (run, failed)
            } else if let Some(run) = self.waiting.pop_first() {
                (run, 0)
            } else {
                break;
            };
            self.in_flight.insert(run, failed);
            begun.push(run);
        }
        begun
    }

    /// Takes in the response to a deletion; returns the error of the last retry.
    fn answered(
        &mut self,
        run: RunIndex,
        result: Result<(), LiveKitError>,
        now: SessionTime,
    ) -> Option<LiveKitError> {
        let failed = self.in_flight.remove(&run)?;
        let error = result.err()?;
        let most = if error.is_rate_limited() { MAX_ATTEMPTS } else { MAX_RETRIES };
        if failed >= most {
            return Some(error);
        }
        let backoff = Micros(FIRST_BACKOFF.0 << failed.min(MAX_RETRIES));
        tracing::info!(
            run = run.0,
            error = %error.message,
            wait_ms = backoff.0 / 1_000,
            "room deletion failed, retrying"
        );
        self.retries.insert((now + backoff, run), failed + 1);
        None
    }

    /// Gives up what is left.
    fn abandon(&mut self) -> BTreeSet<RunIndex> {
        let mut left = std::mem::take(&mut self.waiting);
        left.extend(std::mem::take(&mut self.in_flight).into_keys());
        left.extend(std::mem::take(&mut self.retries).into_keys().map(|(_, run)| run));
        left
    }
}

impl Session {
    pub(super) fn next_room_cleanup(&self) -> SessionTime {
        self.room_cleanup.next_due(self.max_deletions())
    }

    fn max_deletions(&self) -> usize {
        self.settings.in_flight.max(1) as usize
    }

    /// Deletes rooms again, now that all runs are gone; returns whether that is done.
    pub(super) fn clean_up_rooms(&mut self, now: SessionTime) -> bool {
        let begun = *self.room_cleanup.begun.get_or_insert(now);
        // While LiveKit refuses requests, deletions wait too.
        let patient = self.livekit_throttle.paused_until() + MAX_DURATION;
        let until = (begun + MAX_DURATION).max(patient.min(begun + MAX_PATIENCE));
        self.room_cleanup.until = Some(until);
        if now >= until || self.stop_state.is_over(now) {
            for run in self.room_cleanup.abandon() {
                let detail = "the session ended before its room was deleted again".into();
                self.record(EventKind::RoomNotDeleted { run, detail }, now);
            }
        }
        let limit = self.max_deletions();
        for run in self.room_cleanup.begin(limit, now) {
            self.request_livekit(SessionEffect::DeleteRoom(run), now);
        }
        self.room_cleanup.is_done()
    }

    pub(super) fn room_cleaned_up(
        &mut self,
        run: RunIndex,
        result: Result<(), LiveKitError>,
        now: SessionTime,
    ) {
        if let Some(error) = self.room_cleanup.answered(run, result, now) {
            let detail = error.message;
            self.record(EventKind::RoomNotDeleted { run, detail }, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_livekit::LiveKitErrorKind;

    fn failed() -> Result<(), LiveKitError> {
        Err(LiveKitError::new(LiveKitErrorKind::Transport, "message"))
    }

    /// Takes in a response; returns the message of the last retry's error.
    fn answer(
        cleanup: &mut RoomCleanup,
        run: u64,
        result: Result<(), LiveKitError>,
        now: SessionTime,
    ) -> Option<String> {
        cleanup.answered(RunIndex(run), result, now).map(|error| error.message.to_string())
    }

    #[test]
    fn a_failed_deletion_is_retried_and_reported_in_the_end() {
        let mut cleanup = RoomCleanup::default();
        cleanup.insert(RunIndex(7));
        let mut now = SessionTime::START;
        for _ in 0..MAX_RETRIES {
            assert_eq!(cleanup.begin(9, now), [RunIndex(7)]);
            assert_eq!(answer(&mut cleanup, 7, failed(), now), None);
            assert!(!cleanup.is_done() && cleanup.begin(9, now).is_empty());
            now = cleanup.next_due(9);
        }
        assert_eq!(now, SessionTime(7_000_000));
        assert_eq!(cleanup.begin(9, now), [RunIndex(7)]);
        assert_eq!(answer(&mut cleanup, 7, failed(), now).as_deref(), Some("message"));
        assert!(cleanup.is_done());
    }

    #[test]
    fn deletions_under_way_stay_within_the_limit() {
        let mut cleanup = RoomCleanup::default();
        (0..5).for_each(|run| cleanup.insert(RunIndex(run)));
        let now = SessionTime::START;
        assert_eq!(cleanup.begin(2, now), [RunIndex(0), RunIndex(1)]);
        assert_eq!(answer(&mut cleanup, 0, failed(), now), None);
        assert_eq!(cleanup.begin(2, now), [RunIndex(2)]);
        // Nothing is due while the limit is reached.
        cleanup.until = Some(SessionTime::NEVER);
        assert_eq!(cleanup.next_due(2), SessionTime::NEVER);
        assert_eq!(answer(&mut cleanup, 1, Ok(()), now), None);
        assert_eq!(cleanup.next_due(2), SessionTime(1_000_000));
        assert_eq!(cleanup.abandon(), [0, 2, 3, 4].map(RunIndex).into());
        assert!(cleanup.is_done());
    }
}
