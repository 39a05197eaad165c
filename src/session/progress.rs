//! Progress of a session: a status line on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::print::{self, StatusLine};
use rushhour_core::event::{
    Event, EventKind, EventSink, EventSinkError, FailureClass, Outcome, StopReason,
};
use rushhour_core::plan::Forecast;
use rushhour_core::profile::Profile;
use rushhour_core::units::{Micros, SessionTime};
use rushhour_driver::SessionClock;
use rushhour_live::LiveFeed;
use rushhour_report::fold::Fold;
use rushhour_report::journal::Journal;
use rushhour_report::render::abort_reason;
use rushhour_report::session::SessionVerdict;

const STATUS_LINE_INTERVAL: Duration = Duration::from_millis(200);
const PLAIN_LINE_INTERVAL: Duration = Duration::from_secs(10);

/// A start that is later than this is shown as behind schedule.
const NOTABLE_LAG: Micros = Micros::from_millis(100);

/// The failure classes that are named, most frequent first.
const MOST_CLASSES: usize = 3;

/// What to say when a session starts no further runs by itself.
pub(crate) fn draining(reason: &str) -> String {
    format!("{reason}; no more runs will start, and the runs in flight will be finished")
}

#[derive(Debug, Clone, Default)]
struct Counters {
    started: u64,
    completed: u64,
    failed: BTreeMap<FailureClass, u64>,
    skipped: u64,
    not_started: u64,
    /// How late the last run started, time spent waiting for a slot included.
    lag: Micros,
}

impl Counters {
    fn add(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted { intended, .. } => {
                self.started += 1;
                self.lag = event.at.since(*intended);
            }
            EventKind::RunSkipped { .. } => self.skipped += 1,
            EventKind::RestNotStarted { count, .. } => self.not_started += count,
            EventKind::Ended { outcome, .. } => match outcome {
                Outcome::Failed { class, .. } => *self.failed.entry(*class).or_default() += 1,
                Outcome::Completed { .. } | Outcome::Skipped => self.completed += 1,
            },
            _ => {}
        }
    }

    fn failed(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// Somebody who follows the events of a session while it runs.
pub(crate) trait EventObserver: Send + Sync {
    /// An event is on its way to the journal.
    fn note(&self, event: &Event);

    /// The session is over. Returns what to say then.
    fn finish(&self) -> Vec<String>;
}

/// Counts events on their way to the journal, and folds them where a threshold can abort the session.
pub(crate) struct ProgressSink {
    journal: Journal,
    counters: Mutex<Counters>,
    fold: Option<Mutex<Fold>>,
    /// Who else follows the session.
    live: Option<LiveFeed>,
    observer: Option<Arc<dyn EventObserver>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ProgressSink {
    pub(crate) fn new(journal: Journal, profile: &Profile) -> Self {
        let aborts = profile.thresholds.iter().any(|threshold| threshold.abort_after.is_some());
        let fold = aborts.then(Mutex::default);
        Self { journal, counters: Mutex::default(), fold, observer: None, live: None }
    }

    /// The same with somebody who watches the session.
    pub(crate) fn followed_by(self, live: Option<LiveFeed>) -> Self {
        Self { live, ..self }
    }

    /// The same with somebody who follows the events.
    pub(crate) fn observed_by(self, observer: Option<Arc<dyn EventObserver>>) -> Self {
        Self { observer, ..self }
    }

    /// Tells the observer that the session is over, and the user what it says.
    pub(crate) fn finish_observer(&self) {
        for line in self.observer.iter().flat_map(|observer| observer.finish()) {
            print::stderr(&line);
        }
    }

    /// Adds an event that the journal already holds.
    pub(crate) fn replay(&self, event: &Event) {
        lock(&self.counters).add(event);
        if let Some(fold) = &self.fold {
            // The driver's own events always fold; if not, the report will say so.
            let _ = lock(fold).add(event);
        }
        if let Some(live) = &self.live {
            live.record(event);
        }
    }

    /// Whether any threshold can abort the session.
    pub(crate) const fn can_abort(&self) -> bool {
        self.fold.is_some()
    }

    /// The threshold that aborts the session now, as a message; none while all of them hold.
    pub(crate) fn failed_abort_threshold(&self, now: SessionTime) -> Option<String> {
        let fold = lock(self.fold.as_ref()?);
        fold.so_far()
            .and_then(|folded| SessionVerdict::aborting_threshold(folded, now))
            .map(|failed| abort_reason(&failed))
    }

    fn counters(&self) -> Counters {
        lock(&self.counters).clone()
    }
}

impl EventSink for ProgressSink {
    fn record(&self, event: Event) {
        self.replay(&event);
        if let Some(observer) = &self.observer {
            observer.note(&event);
        }
        if let EventKind::Stopping {
            reason:
                StopReason::Journal
                | StopReason::Credentials
                | StopReason::Rejected
                | StopReason::Workers,
            detail,
        } = &event.kind
        {
            print::stderr(&draining(detail));
        }
        self.journal.record(event);
    }

    fn flush(&self) -> Pin<Box<dyn Future<Output = Result<(), EventSinkError>> + Send + '_>> {
        self.journal.flush()
    }
}

/// Shows progress until it is dropped.
pub(crate) struct Progress {
    task: JoinHandle<()>,
    _status_line: Option<StatusLine>,
}

impl Progress {
    /// Starts to show progress. Must be called within a runtime.
    pub(crate) fn show(sink: &Arc<ProgressSink>, clock: SessionClock, forecast: &Forecast) -> Self {
        let status_line = StatusLine::show();
        let (runs, last_start) = (forecast.runs, forecast.last_start);
        let sink = Arc::clone(sink);
        let on_terminal = status_line.is_some();
        let task = tokio::spawn(async move {
            let (interval, show): (_, fn(&str)) = if on_terminal {
                (STATUS_LINE_INTERVAL, print::set_status)
            } else {
                (PLAIN_LINE_INTERVAL, print::stderr)
            };
            let mut ticks = tokio::time::interval(interval);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                show(&progress_line(&sink.counters(), clock.now(), runs, last_start));
            }
        });
        Self { task, _status_line: status_line }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn progress_line(
    counters: &Counters,
    now: SessionTime,
    runs: u64,
    last_start: SessionTime,
) -> String {
    let failed = counters.failed();
    let in_flight = counters.started.saturating_sub(counters.completed + failed);
    let mut parts = vec![
        format!("{} of {runs} started", counters.started),
        format!("{in_flight} in flight"),
        format!("{} done", counters.completed),
    ];
    if failed > 0 {
        let mut classes: Vec<(&FailureClass, &u64)> = counters.failed.iter().collect();
        classes.sort_by_key(|(class, count)| (std::cmp::Reverse(**count), **class));
        let named: Vec<String> = classes
            .iter()
            .take(MOST_CLASSES)
            .map(|(class, count)| format!("{class} {count}"))
            .collect();
        parts.push(format!("{failed} failed ({})", named.join(", ")));
    }
    if counters.skipped > 0 {
        parts.push(format!("{} skipped", counters.skipped));
    }
    if counters.not_started > 0 {
        parts.push(format!("{} not started", counters.not_started));
    } else if counters.lag > NOTABLE_LAG {
        parts.push(format!("{} behind schedule", counters.lag));
    }
    if now < last_start && counters.not_started == 0 {
        parts.push(format!("last start in {}", last_start.since(now)));
    }
    format!("{}  {}", now.since(SessionTime::START), parts.join(", "))
}
