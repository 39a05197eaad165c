//! How a session hands its events over: without waiting, into a queue with a bound.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use rushhour_core::event::Event;
use rushhour_core::units::SessionTime;
use rushhour_report::render::LevelSoFar;

/// The most events that wait. The view takes all that wait at once, between two drawings of the page.
pub(crate) const MAX_WAITING: usize = 65_536;

/// What is known of a session beside its events.
pub struct LiveSession {
    /// The time on its clock.
    pub now: Box<dyn Fn() -> SessionTime + Send>,
    /// The runs that are forecast.
    pub runs: u64,
    /// The last intended start.
    pub last_start: SessionTime,
}

impl fmt::Debug for LiveSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSession").field("runs", &self.runs).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(crate) enum FeedMessage {
    Begin(Beginning),
    /// The same; its events so far come from its journal, until it goes on.
    Replay(Beginning),
    /// The session that has begun goes on with another clock.
    GoOn(LiveSession),
    Event(Box<Event>),
    Level(Box<LevelSoFar>),
    Judging(String),
}

/// A session that begins.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) session: LiveSession,
    /// The messages that did not fit before it: none of them is its own.
    pub(crate) missing_before: u64,
}

/// Where a session's events go.
#[derive(Debug, Clone)]
pub struct LiveFeed {
    sender: mpsc::Sender<FeedMessage>,
    /// The messages that did not fit.
    missing: Arc<AtomicU64>,
}

impl LiveFeed {
    pub(crate) fn new() -> (Self, mpsc::Receiver<FeedMessage>, Arc<AtomicU64>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let missing = Arc::<AtomicU64>::default();
        (Self { sender, missing: missing.clone() }, receiver, missing)
    }

    /// A session begins; its events follow.
    pub fn begin(&self, session: LiveSession) {
        self.send(FeedMessage::Begin(self.beginning(session)));
    }

    /// A session that is resumed; the events of its journal follow, and then it goes on.
    pub fn replay(&self, session: LiveSession) {
        self.send(FeedMessage::Replay(self.beginning(session)));
    }

    /// A session that was resumed goes on, with the clock that it has from now on.
    pub fn go_on(&self, session: LiveSession) {
        self.send(FeedMessage::GoOn(session));
    }

    /// Waits until there is room for more, before the events of a journal are sent, which come faster than any session's.
    #[expect(clippy::disallowed_methods, reason = "a journal is read by a caller that blocks")]
    pub fn wait_for_room(&self) {
        while !self.sender.is_closed() && self.sender.capacity() < MAX_WAITING / 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The next event of the session.
    pub fn record(&self, event: &Event) {
        self.send(FeedMessage::Event(Box::new(event.clone())));
    }

    /// What became of a level, in a search for capacity.
    pub fn level(&self, level: LevelSoFar) {
        self.send(FeedMessage::Level(Box::new(level)));
    }

    /// The session has ended, and its runs are judged; says so in sentences.
    pub fn judging(&self, text: String) {
        self.send(FeedMessage::Judging(text));
    }

    fn send(&self, message: FeedMessage) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.sender.try_send(message) {
            self.missing.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn beginning(&self, session: LiveSession) -> Beginning {
        Beginning { session, missing_before: self.missing.load(Ordering::Relaxed) }
    }
}

/// Events that the view does not have.
#[derive(Debug)]
pub(crate) struct Missing {
    /// What did not fit into the queue since the server started.
    did_not_fit: Arc<AtomicU64>,
    /// Of these, those that are not of this session.
    before: u64,
    /// Those of this session that came without others before them.
    pub(crate) not_added: u64,
    /// Called once, with the first one.
    tell: Option<fn()>,
}

impl Missing {
    pub(crate) const fn new(did_not_fit: Arc<AtomicU64>, tell: fn()) -> Self {
        Self { did_not_fit, before: 0, not_added: 0, tell: Some(tell) }
    }

    pub(crate) const fn begin(&mut self, before: u64) {
        (self.before, self.not_added) = (before, 0);
    }

    /// How many of this session there are.
    pub(crate) fn count(&mut self) -> u64 {
        let did_not_fit = self.did_not_fit.load(Ordering::Relaxed).saturating_sub(self.before);
        let count = did_not_fit + self.not_added;
        if count > 0
            && let Some(tell) = self.tell.take()
        {
            tell();
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> LiveSession {
        LiveSession {
            now: Box::new(|| SessionTime::START),
            runs: 1,
            last_start: SessionTime::START,
        }
    }

    #[test]
    fn events_that_did_not_fit_are_told_of_once_and_not_of_the_next_session() {
        static TOLD: AtomicU64 = AtomicU64::new(0);
        let tell = || {
            TOLD.fetch_add(1, Ordering::Relaxed);
        };
        let did_not_fit = Arc::new(AtomicU64::new(0));
        let mut missing = Missing::new(Arc::clone(&did_not_fit), tell);
        assert_eq!((missing.count(), TOLD.load(Ordering::Relaxed)), (0, 0));
        did_not_fit.store(3, Ordering::Relaxed);
        missing.not_added = 2;
        assert_eq!((missing.count(), missing.count()), (5, 5));
        // One more did not fit between the next session's beginning and the moment the view hears of it.
        did_not_fit.store(4, Ordering::Relaxed);
        missing.begin(3);
        assert_eq!(missing.count(), 1);
        assert_eq!(TOLD.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_full_queue_counts_what_it_does_not_take() {
        let (feed, receiver, missing) = LiveFeed::new();
        for _ in 0..MAX_WAITING + 2 {
            feed.go_on(session());
        }
        assert_eq!(missing.load(Ordering::Relaxed), 2);
        drop(receiver);
        feed.go_on(session());
        assert_eq!(missing.load(Ordering::Relaxed), 2, "nobody listens any more");
    }
}
