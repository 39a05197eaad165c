//! Folds the session's events, draws its page for those who watch, and answers scrapes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::feed::{FeedMessage, LiveSession};
use super::page::DrawnPage;
use rushhour_core::units::SessionTime;
use rushhour_report::live::LiveFold;
use rushhour_report::render::{
    LiveContext, MetricsFormat, live_parts, live_title, session_metrics,
};
use rushhour_report::session::Criterion;

/// How often the page is drawn while somebody watches.
const DRAW_EVERY: Duration = Duration::from_secs(1);
/// After a drawing the page is left alone for this many times as long: drawing takes at most 2 % of a core.
const REST: u32 = 50;
/// How long an answer to a scrape serves others: whoever scrapes more often gets the same again.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);
/// The most events that are folded at once.
const BATCH: usize = 1_024;

/// A scrape that waits for its answer.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub(crate) format: MetricsFormat,
    pub(crate) answer: oneshot::Sender<Arc<str>>,
}

/// What viewers see of the view.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pages: watch::Sender<Arc<DrawnPage>>,
    /// Somebody waits for a drawing.
    pub(crate) wanted: Notify,
    pub(crate) scrapes: mpsc::Sender<Scrape>,
}

/// What comes to the view.
pub(crate) struct Inputs {
    pub(crate) feed: mpsc::Receiver<FeedMessage>,
    pub(crate) scrapes: mpsc::Receiver<Scrape>,
    /// The end, and what to say then.
    pub(crate) over: oneshot::Receiver<String>,
}

/// The session as it stands.
pub(crate) struct View {
    shared: Arc<Shared>,
    criterion: Criterion,
    fold: LiveFold,
    session: Option<LiveSession>,
    levels: Vec<String>,
    /// Whether an event is missing.
    is_incomplete: Arc<AtomicBool>,
    page: Arc<DrawnPage>,
    not_before: Instant,
    scraped: [Option<(Instant, Arc<str>)>; 2],
}

impl View {
    pub(crate) fn new(
        shared: Arc<Shared>,
        criterion: Criterion,
        is_incomplete: Arc<AtomicBool>,
    ) -> Self {
        Self {
            shared,
            criterion,
            fold: LiveFold::default(),
            session: None,
            levels: Vec::new(),
            is_incomplete,
            page: Arc::default(),
            not_before: Instant::now(),
            scraped: [None, None],
        }
    }

    /// Serves until the end is told; the last drawing is of the session as it then is.
    pub(crate) async fn run(mut self, mut inputs: Inputs) {
        let mut ticks = interval(DRAW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                note = &mut inputs.over => {
                    while let Ok(message) = inputs.feed.try_recv() {
                        self.take(message);
                    }
                    self.draw(Some(note.unwrap_or_default()));
                    return;
                }
                _ = ticks.tick() => self.draw_for_viewers(),
                () = self.shared.wanted.notified() => self.draw_for_viewers(),
                Some(scrape) = inputs.scrapes.recv() => self.answer(scrape),
                taken = inputs.feed.recv_many(&mut batch, BATCH), if !inputs.feed.is_closed() || !inputs.feed.is_empty() => {
                    if taken > 0 {
                        batch.drain(..).for_each(|message| self.take(message));
                    }
                }
            }
        }
    }

    fn take(&mut self, message: FeedMessage) {
        match message {
            FeedMessage::Begin(session) => {
                self.fold = LiveFold::default();
                self.session = Some(session);
            }
            FeedMessage::GoOn(session) => self.session = Some(session),
            FeedMessage::Event(event) => {
                if self.fold.add(&event).is_err() {
                    self.is_incomplete.store(true, Ordering::Relaxed);
                }
            }
            FeedMessage::Level(line) => self.levels.push(line),
        }
    }

    fn draw_for_viewers(&mut self) {
        let is_watched = self.shared.pages.receiver_count() > 0;
        if is_watched && Instant::now() >= self.not_before {
            self.draw(None);
        }
    }

    fn draw(&mut self, over: Option<String>) {
        let began = Instant::now();
        if let Some(snapshot) = self.fold.snapshot(self.criterion) {
            let last = snapshot.folded.last_event;
            let session = self.session.as_ref();
            let context = LiveContext {
                criterion: self.criterion,
                now: session.map_or(last, |session| (session.now)()),
                forecast: session.map_or((0, SessionTime::START), |one| (one.runs, one.last_start)),
                levels: &self.levels,
                is_incomplete: self.is_incomplete.load(Ordering::Relaxed),
            };
            let parts = live_parts(&snapshot, &context);
            self.page = Arc::new(self.page.next(live_title(&snapshot), parts));
        }
        if over.is_some() {
            self.page = Arc::new(DrawnPage { over, ..(*self.page).clone() });
        }
        self.shared.pages.send_replace(Arc::clone(&self.page));
        let rest = (began.elapsed() * REST).max(DRAW_EVERY / 2);
        self.not_before = Instant::now() + rest;
    }

    fn answer(&mut self, scrape: Scrape) {
        let forecast = self.session.as_ref().map(|session| session.runs);
        let kept = &mut self.scraped[scrape.format as usize];
        let text = match kept {
            Some((at, text)) if at.elapsed() < SCRAPE_EVERY => Arc::clone(text),
            _ => {
                let text: Arc<str> = session_metrics(&self.fold, forecast, scrape.format).into();
                *kept = Some((Instant::now(), Arc::clone(&text)));
                text
            }
        };
        // Whoever asked may have left.
        let _ = scrape.answer.send(text);
    }
}
