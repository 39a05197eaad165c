//! How a session hands its events over: without waiting, into a queue with a bound.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    Begin(LiveSession),
    /// The same; its events so far come from its journal, until it goes on.
    Replay(LiveSession),
    /// The session that has begun goes on with another clock.
    GoOn(LiveSession),
    Event(Box<Event>),
    Level(Box<LevelSoFar>),
    Judging(String),
}

/// Where a session's events go.
#[derive(Debug, Clone)]
pub struct LiveFeed {
    sender: mpsc::Sender<FeedMessage>,
    /// Whether a message did not fit.
    is_incomplete: Arc<AtomicBool>,
}

impl LiveFeed {
    pub(crate) fn new() -> (Self, mpsc::Receiver<FeedMessage>, Arc<AtomicBool>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let is_incomplete = Arc::new(AtomicBool::new(false));
        (Self { sender, is_incomplete: is_incomplete.clone() }, receiver, is_incomplete)
    }

    /// A session begins; its events follow.
    pub fn begin(&self, session: LiveSession) {
        self.send(FeedMessage::Begin(session));
    }

    /// A session that is resumed; the events of its journal follow, and then it goes on.
    pub fn replay(&self, session: LiveSession) {
        self.send(FeedMessage::Replay(session));
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
            self.is_incomplete.store(true, Ordering::Relaxed);
        }
    }
}
