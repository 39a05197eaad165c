//! Folds the session's events, draws its page for those who watch, and answers scrapes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::feed::{Beginning, FeedMessage, LiveSession, MAX_WAITING, Missing};
use super::page::DrawnPage;
use super::push::{PushInProgress, Pusher};
use rushhour_core::units::SessionTime;
use rushhour_report::live::{LiveFold, LiveSnapshot};
use rushhour_report::render::{
    LevelSoFar, LiveContext, MetricsFormat, PageParts, live_drift, live_parts, live_title,
    session_metrics,
};
use rushhour_report::session::Criterion;

/// How often the page is drawn while somebody watches.
const DRAW_EVERY: Duration = Duration::from_secs(1);
/// After a drawing the page is left alone for this many times as long: drawing takes at most 1 % of a core.
const REST: u32 = 100;
/// How often drift is drawn: it changes slowly, and its intervals take a while to compute.
const DRAW_DRIFT_EVERY: Duration = Duration::from_secs(30);
/// After that it is left alone for this many times as long.
const DRIFT_REST: u32 = 200;
/// The end does not wait for drift that took longer than this before.
const MAX_LAST_DRIFT: Duration = Duration::from_secs(1);
/// How long an answer to a scrape serves others: whoever scrapes more often gets the same again.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);
/// How often events are taken from the queue. One at a time, each would wake this thread, and cost the session's the
/// system call that does.
const TAKE_EVERY: Duration = Duration::from_millis(100);
/// The most events that are folded before viewers are served again.
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
    pub(crate) over: oneshot::Receiver<LiveEnd>,
}

/// For how long after the end scrapes are still waited for.
pub type Linger = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The end, and what is shown then.
#[derive(Default)]
pub(crate) struct LiveEnd {
    pub(crate) note: String,
    /// The report, where it says more than the session's events.
    pub(crate) report: Option<PageParts>,
    pub(crate) linger: Option<Linger>,
}

impl fmt::Debug for LiveEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveEnd").field("note", &self.note).finish_non_exhaustive()
    }
}

/// How a soak drifts, as it was last drawn.
#[derive(Debug, Default)]
struct DrawnDrift {
    html: Option<String>,
    /// When it may be drawn again; at once where it was not drawn yet.
    not_before: Option<Instant>,
    /// How long it took.
    took: Duration,
}

impl DrawnDrift {
    /// Draws it where it is time to. Returns how long that took.
    fn draw(&mut self, fold: &LiveFold, snapshot: &LiveSnapshot) -> Duration {
        let began = Instant::now();
        // The last one is of the whole session, unless somebody would have to wait for it.
        let is_last = snapshot.folded.closed && self.took < MAX_LAST_DRIFT;
        if !is_last && self.not_before.is_some_and(|at| began < at) {
            return Duration::ZERO;
        }
        self.html = fold.drift(snapshot).map(|drift| live_drift(&drift, &snapshot.folded));
        self.took = began.elapsed();
        self.not_before = Some(Instant::now() + (self.took * DRIFT_REST).max(DRAW_DRIFT_EVERY));
        self.took
    }
}

/// The session as it stands.
pub(crate) struct View {
    shared: Arc<Shared>,
    criterion: Criterion,
    fold: LiveFold,
    /// That of the next session.
    new_fold: fn() -> LiveFold,
    session: Option<LiveSession>,
    /// Whether the session's events come from its journal: its counters are lower than they were before.
    is_replayed: bool,
    levels: Vec<LevelSoFar>,
    drift: DrawnDrift,
    missing: Missing,
    /// What is said of the judging that goes on.
    judging: Option<String>,
    page: Arc<DrawnPage>,
    not_before: Instant,
    scraped: [Option<(Instant, Arc<str>)>; 2],
    pusher: Option<Pusher>,
}

impl View {
    pub(crate) fn new(
        shared: Arc<Shared>,
        criterion: Criterion,
        missing: Missing,
        pusher: Option<Pusher>,
        new_fold: fn() -> LiveFold,
    ) -> Self {
        Self {
            shared,
            criterion,
            fold: new_fold(),
            new_fold,
            session: None,
            is_replayed: false,
            levels: Vec::new(),
            drift: DrawnDrift::default(),
            missing,
            judging: None,
            page: Arc::default(),
            not_before: Instant::now(),
            scraped: [None, None],
            pusher,
        }
    }

    /// Serves until the end is told; the last drawing is of the session as it then is. Returns what is then still to be
    /// sent: metrics of that session.
    pub(crate) async fn run(mut self, mut inputs: Inputs) -> Option<PushInProgress> {
        let mut ticks = interval(DRAW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut taking = interval(TAKE_EVERY);
        taking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                end = &mut inputs.over => {
                    while let Ok(message) = inputs.feed.try_recv() {
                        self.take(message);
                    }
                    let LiveEnd { note, report, linger } = end.unwrap_or_default();
                    self.draw_last(note, report);
                    let forecast = self.forecast_runs();
                    let pusher = self.pusher.take().filter(|_| !self.is_replayed);
                    let last = pusher.and_then(|pusher| pusher.last(&self.fold, forecast));
                    let Some(linger) = linger else { return last };
                    // The last push does not wait for a scrape.
                    let pushed = last.map(tokio::spawn);
                    self.answer_once_more(linger, &mut inputs.scrapes).await;
                    return pushed.map(|pushed| -> PushInProgress {
                        Box::pin(async { drop(pushed.await) })
                    });
                }
                _ = ticks.tick() => {
                    self.take_waiting(&mut inputs.feed).await;
                    self.count_missing();
                    self.draw_for_viewers();
                    let forecast = self.forecast_runs();
                    if let Some(pusher) = self.pusher.as_mut().filter(|_| !self.is_replayed) {
                        pusher.push_if_due(&self.fold, forecast);
                    }
                }
                () = self.shared.wanted.notified() => {
                    self.take_waiting(&mut inputs.feed).await;
                    self.draw_for_viewers();
                }
                Some(scrape) = inputs.scrapes.recv() => {
                    self.take_waiting(&mut inputs.feed).await;
                    self.answer(scrape);
                }
                _ = taking.tick() => {
                    if self.take_waiting(&mut inputs.feed).await > MAX_WAITING / 4 {
                        // A journal is replayed, whose reader waits for room.
                        taking.reset_immediately();
                    }
                }
            }
        }
    }

    /// Answers the next scrape with the figures of the end, unless `linger` ends before it comes.
    async fn answer_once_more(&mut self, mut linger: Linger, scrapes: &mut mpsc::Receiver<Scrape>) {
        // Those that were scraped before are older.
        self.scraped = [None, None];
        tokio::select! {
            () = &mut linger => {}
            Some(scrape) = scrapes.recv() => self.answer(scrape),
        }
    }

    /// Takes what waits in the queue, and returns how much that was. Connections are served in between.
    async fn take_waiting(&mut self, feed: &mut mpsc::Receiver<FeedMessage>) -> usize {
        let mut taken = 0;
        // What comes meanwhile is for the next time.
        while taken < MAX_WAITING {
            let batch = std::iter::from_fn(|| feed.try_recv().ok()).take(BATCH);
            let count = batch.map(|message| self.take(message)).count();
            taken += count;
            if count < BATCH {
                break;
            }
            tokio::task::yield_now().await;
        }
        taken
    }

    fn take(&mut self, message: FeedMessage) {
        match message {
            FeedMessage::Begin(session) => self.begin(session),
            FeedMessage::Replay(session) => {
                self.begin(session);
                self.is_replayed = true;
            }
            FeedMessage::GoOn(session) => {
                self.session = Some(session);
                self.is_replayed = false;
            }
            FeedMessage::Event(event) => {
                if self.fold.add(&event).is_err() {
                    self.missing.not_added += 1;
                }
            }
            FeedMessage::Level(level) => self.levels.push(*level),
            FeedMessage::Judging(text) => self.judging = Some(text),
        }
    }

    fn count_missing(&mut self) {
        self.fold.set_missing(self.missing.count());
    }

    fn begin(&mut self, Beginning { session, missing_before }: Beginning) {
        // The session before this one, of a search, has ended.
        let forecast = self.forecast_runs();
        if let Some(pusher) = &mut self.pusher {
            pusher.push_last_of_session(&self.fold, forecast);
        }
        self.judging = None;
        self.fold = (self.new_fold)();
        self.drift = DrawnDrift::default();
        self.session = Some(session);
        self.missing.begin(missing_before);
    }

    fn is_watched(&self) -> bool {
        self.shared.pages.receiver_count() > 0
    }

    fn draw_for_viewers(&mut self) {
        if self.is_watched() && Instant::now() >= self.not_before {
            self.draw();
            self.show();
        }
    }

    fn draw_last(&mut self, note: String, report: Option<PageParts>) {
        match report {
            Some(report) => {
                self.count_missing();
                self.page = Arc::new(self.page.next(report.title, report.parts));
            }
            None => self.draw(),
        }
        let mut last = (*self.page).clone();
        last.over = Some(note);
        self.page = Arc::new(last);
        self.show();
    }

    fn show(&self) {
        self.shared.pages.send_replace(Arc::clone(&self.page));
    }

    fn draw(&mut self) {
        let began = Instant::now();
        self.count_missing();
        let mut of_drift = Duration::ZERO;
        if let Some(snapshot) = self.fold.snapshot(self.criterion, self.forecast_runs()) {
            if self.is_watched() {
                of_drift = self.drift.draw(&self.fold, &snapshot);
            }
            let last = snapshot.folded.last_event;
            let session = self.session.as_ref();
            let context = LiveContext {
                criterion: self.criterion,
                now: session.map_or(last, |session| (session.now)()),
                last_start: session.map_or(SessionTime::START, |session| session.last_start),
                levels: &self.levels,
                drift: self.drift.html.as_deref(),
                is_incomplete: self.fold.missing() > 0,
                judging: self.judging.as_deref(),
            };
            let parts = live_parts(&snapshot, &context);
            self.page = Arc::new(self.page.next(live_title(&snapshot), parts));
        }
        let rest = (began.elapsed().saturating_sub(of_drift) * REST).max(DRAW_EVERY / 2);
        self.not_before = Instant::now() + rest;
    }

    fn forecast_runs(&self) -> Option<u64> {
        self.session.as_ref().map(|session| session.runs)
    }

    fn answer(&mut self, scrape: Scrape) {
        let forecast = self.forecast_runs();
        let kept = &mut self.scraped[scrape.format as usize];
        let text = match kept {
            Some((at, text)) if at.elapsed() < SCRAPE_EVERY => Arc::clone(text),
            _ => {
                self.fold.set_missing(self.missing.count());
                let text: Arc<str> = session_metrics(&self.fold, forecast, scrape.format).into();
                *kept = Some((Instant::now(), Arc::clone(&text)));
                text
            }
        };
        // Whoever asked may have left.
        let _ = scrape.answer.send(text);
    }
}

#[cfg(test)]
mod tests;
