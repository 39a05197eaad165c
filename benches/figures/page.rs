//! How long `report.html` of 100,000 runs takes, and how large it is, and what following a session with 9,500 runs in flight
//! takes: `cargo bench -- page`.

use std::time::Instant;

use rushhour_core::event::{Event, EventKind};
use rushhour_core::units::SessionTime;
use rushhour_report::fold::Fold;
use rushhour_report::live::LiveFold;
use rushhour_report::render::{
    LiveContext, MetricsFormat, live_parts, session_metrics, session_page,
};
use rushhour_report::session::{Criterion, SessionVerdict};

const RUNS: u64 = 100_000;

pub(crate) fn figures() {
    report();
    running();
}

/// The shortest of some attempts, in milliseconds.
fn best_ms(mut attempt: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        attempt();
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
    }
    best
}

/// What the page's thread does for each event, each drawing and each scrape.
fn running() {
    let kind = EventKind::Opened(Box::new(super::journal::header()));
    let mut events = vec![Event { at: SessionTime::START, kind }];
    // Ten starts a second, and conversations ten times as long as the report's.
    let now = SessionTime(1_200_000_000);
    events.extend(super::journal::events(12_000, 10.0).take_while(|event| event.at < now));
    let mut fold = LiveFold::with_drift();
    let start = Instant::now();
    for event in &events {
        fold.add(event).expect("the events are a session's");
    }
    let each = start.elapsed().as_secs_f64() * 1e6 / events.len() as f64;
    super::support::figure("following a session, an event", &format!("{each:.2} us"), "-", true);
    let in_flight = fold.so_far().map_or(0, |folded| folded.tally.open());
    let context = LiveContext {
        criterion: Criterion::Interval,
        now,
        last_start: now,
        levels: &[],
        drift: None,
        judging: None,
        is_incomplete: false,
    };
    let snapshot = || fold.snapshot(Criterion::Interval, None).expect("it has begun");
    let took = best_ms(|| drop(snapshot()));
    let shown = format!("  a snapshot with {in_flight} runs in flight, best of 20");
    super::support::figure(&shown, &format!("{took:.2} ms"), "-", true);
    let took = best_ms(|| drop(live_parts(&snapshot(), &context)));
    super::support::figure("  a drawing, with its snapshot", &format!("{took:.2} ms"), "-", true);
    let took = best_ms(|| drop(session_metrics(&fold, None, MetricsFormat::Prometheus)));
    super::support::figure("  an answer to a scrape", &format!("{took:.2} ms"), "-", true);
}

fn report() {
    let mut fold = Fold::default();
    let kind = EventKind::Opened(Box::new(super::journal::header()));
    let opened = Event { at: SessionTime::START, kind };
    for event in std::iter::once(opened).chain(super::journal::events(RUNS, 1.0)) {
        fold.add(&event).expect("the events are a session's");
    }
    let folded = fold.finish().expect("it was opened");
    let verdict = SessionVerdict::of(&folded, Criterion::Interval);
    let mut best = f64::MAX;
    let mut bytes = 0;
    for _ in 0..5 {
        let start = Instant::now();
        bytes = session_page(&folded, &verdict, Criterion::Interval).len() as u64;
        best = best.min(start.elapsed().as_secs_f64());
    }
    super::support::figure(
        "report.html of 100,000 runs, fold excluded, best of 5",
        &format!("{:.1} ms", best * 1e3),
        "< 1 s",
        best < 1.0,
    );
    super::support::figure(
        "  size",
        &super::support::megabytes(bytes),
        "< 1 MB",
        bytes < 1_000_000,
    );
}
