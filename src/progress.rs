//! How a session is getting on, while it does: one line that moves in a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::IsTerminal;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::print;
use rushhour_core::event::{
    Event, EventKind, EventSink, EventSinkError, FailureClass, Outcome, StopReason,
};
use rushhour_core::plan::Forecast;
use rushhour_core::profile::Profile;
use rushhour_core::units::{Micros, SessionTime};
use rushhour_driver::SessionClock;
use rushhour_report::fold::Fold;
use rushhour_report::journal::Journal;
use rushhour_report::report::SessionVerdict;

const TERMINAL_EVERY: Duration = Duration::from_millis(200);
const LOG_EVERY: Duration = Duration::from_secs(10);

/// What has happened so far.
#[derive(Debug, Clone, Default)]
struct Counters {
    started: u64,
    completed: u64,
    failed: BTreeMap<FailureClass, u64>,
    skipped: u64,
    not_started: u64,
    /// How late the last start was, waiting for a place included.
    behind: Micros,
}

impl Counters {
    fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted { intended, .. } => {
                self.started += 1;
                self.behind = event.at.since(*intended);
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

    fn failed_in_all(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// Counts events on their way to the journal, and folds them where a threshold may end the session.
pub(crate) struct ProgressSink {
    journal: Journal,
    counters: Mutex<Counters>,
    fold: Option<Mutex<Fold>>,
}

impl ProgressSink {
    pub(crate) fn new(journal: Journal, profile: &Profile) -> Self {
        let aborts = profile.thresholds.iter().any(|threshold| threshold.abort_after.is_some());
        Self { journal, counters: Mutex::default(), fold: aborts.then(Mutex::default) }
    }

    /// Takes in what the journal already holds.
    pub(crate) fn recall(&self, event: &Event) {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).take(event);
        if let Some(fold) = &self.fold {
            // Events of the driver's own are a session's; what is not would show in the report.
            let _ = fold.lock().unwrap_or_else(PoisonError::into_inner).add(event);
        }
    }

    /// Whether any threshold may end the session.
    pub(crate) const fn may_abort(&self) -> bool {
        self.fold.is_some()
    }

    /// Why the session is to end now, where a threshold says so.
    pub(crate) fn aborts(&self, now: SessionTime) -> Option<String> {
        let fold = self.fold.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        fold.so_far().and_then(|folded| SessionVerdict::aborts(folded, now))
    }

    fn counters(&self) -> Counters {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl EventSink for ProgressSink {
    fn record(&self, event: Event) {
        self.recall(&event);
        if let EventKind::Stopping {
            reason: StopReason::Journal | StopReason::Credentials,
            detail,
        } = &event.kind
        {
            print::err(&format!(
                "{detail}: nothing more is started, the runs under way are finished"
            ));
        }
        self.journal.record(event);
    }

    fn flush(&self) -> Pin<Box<dyn Future<Output = Result<(), EventSinkError>> + Send + '_>> {
        self.journal.flush()
    }
}

/// Shows progress until it is dropped.
pub(crate) struct Progress {
    task: tokio::task::JoinHandle<()>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins to show how a session gets on; must be called within a runtime.
    pub(crate) fn show(
        watched: &Arc<ProgressSink>,
        clock: SessionClock,
        forecast: &Forecast,
    ) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = terminal.then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar
        });
        let (runs, last_start) = (forecast.runs, forecast.last_start);
        let task = tokio::spawn(show(Arc::clone(watched), clock, runs, last_start, bar.clone()));
        Self { task, bar }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

async fn show(
    watched: Arc<ProgressSink>,
    clock: SessionClock,
    runs: u64,
    last_start: SessionTime,
    bar: Option<ProgressBar>,
) {
    let mut ticks = tokio::time::interval(if bar.is_some() { TERMINAL_EVERY } else { LOG_EVERY });
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let line = line(&watched.counters(), clock.now(), runs, last_start);
        match &bar {
            Some(bar) => {
                bar.set_message(line);
                bar.tick();
            }
            None => print::err(&line),
        }
    }
}

fn line(counters: &Counters, now: SessionTime, runs: u64, last_start: SessionTime) -> String {
    let failed = counters.failed_in_all();
    let in_flight = counters.started.saturating_sub(counters.completed + failed);
    let mut parts = vec![
        format!("{} of {runs} started", counters.started),
        format!("{in_flight} in flight"),
        format!("{} done", counters.completed),
    ];
    if failed > 0 {
        let mut classes: Vec<(&FailureClass, &u64)> = counters.failed.iter().collect();
        classes.sort_by_key(|(class, count)| (std::cmp::Reverse(**count), **class));
        let shown: Vec<String> =
            classes.iter().take(3).map(|(class, count)| format!("{class} {count}")).collect();
        parts.push(format!("{failed} failed ({})", shown.join(", ")));
    }
    if counters.skipped > 0 {
        parts.push(format!("{} skipped", counters.skipped));
    }
    if counters.not_started > 0 {
        parts.push(format!("{} not started", counters.not_started));
    } else if counters.behind > Micros::from_millis(100) {
        parts.push(format!("{} behind schedule", counters.behind));
    }
    if now < last_start && counters.not_started == 0 {
        parts.push(format!("last start in {}", last_start.since(now)));
    }
    format!("{}  {}", now.since(SessionTime::START), parts.join(", "))
}
