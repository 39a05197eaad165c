//! How long `report.html` of 100,000 runs takes, and how large it is: `cargo bench -- page`.

use std::time::Instant;

use rushhour_core::event::{Event, EventKind};
use rushhour_core::units::SessionTime;
use rushhour_report::fold::Fold;
use rushhour_report::render::session_page;
use rushhour_report::session::{Criterion, SessionVerdict};

const RUNS: u64 = 100_000;

pub(crate) fn figures() {
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
