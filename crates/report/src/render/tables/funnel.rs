//! The funnel: how many runs reached each step, and why the others did not.

use std::fmt::Write;

use super::definition_anchor;
use crate::fold::{FoldedSession, FunnelStep, Latencies};
use crate::render::table::{Aside, Cell, Column, Formats, Number, Table};
use crate::session::{FunnelRow, Loss, PercentileFigure, funnel_rows, single_mode};
use rushhour_core::units::Percentile;

/// The most turns that are shown on a screen; turns at which runs were lost are always shown.
const MOST_TURNS: u32 = 8;

/// The funnel of all runs. In CSV, the percentiles are those of measured stages, and empty if there are too few
/// samples; all turns share the latency of turns.
pub(crate) fn funnel_table(folded: &FoldedSession) -> Table<'_, FunnelRow<'_>> {
    let rows = funnel_rows(folded);
    let planned = rows.first().map_or(0, |row| row.runs).max(1);
    let method = folded.opening.profile.livekit.dispatch.method().name();
    let mode = single_mode(folded);
    let is_running = folded.is_running;
    let mut columns = vec![
        Column::csv("step", |row: &FunnelRow<'_>| Cell::text(step_name(row))),
        Column::csv("dispatch_method", move |_| Cell::text(method)),
        Column::text("step", move |row: &FunnelRow<'_>| {
            let mut remark = String::new();
            if row.stalled > 0 {
                let _ = write!(remark, " ({} held back by LiveKit's dispatcher)", row.stalled);
            }
            if !row.is_required {
                remark.push_str(" (not waited for)");
            }
            Cell::text(step_name(row))
                .with_suffix(remark)
                .with_asides(row.lost.iter().map(|lost| loss(lost, is_running)))
        }),
        Column::number("runs", |row: &FunnelRow<'_>| Cell::count(row.runs)).and_csv("runs"),
        Column::text("share of planned", move |row: &FunnelRow<'_>| {
            Cell::bar(row.runs as f64 / planned as f64, !row.is_required)
        })
        .only(Formats::SHOWN),
        Column::csv("went_no_further", |row: &FunnelRow<'_>| {
            Cell::count(row.lost.iter().map(|(_, count)| count).sum())
        }),
        Column::text("got no further", |row: &FunnelRow<'_>| Cell::text(losses(row)))
            .only(Formats::TEXT.and(Formats::CSV))
            .and_csv("why"),
        Column::csv("latency", move |row: &FunnelRow<'_>| {
            let metric = row.step.and_then(|step| step.metric(mode?));
            metric.map_or_else(Cell::absent, |metric| Cell::text(metric.name()))
        }),
        Column::csv("n", |row: &FunnelRow<'_>| {
            Cell::count(row.latencies.map_or(0, Latencies::count))
        }),
    ];
    columns.extend(Percentile::LISTED.map(|percentile| {
        Column::csv(format!("{percentile}_us"), move |row: &FunnelRow<'_>| {
            match row.latencies.map(|latencies| PercentileFigure::of(latencies, percentile)) {
                Some(PercentileFigure::Known { value, .. }) => Cell::number(Number::micros(value)),
                Some(PercentileFigure::TooFew { .. }) | None => Cell::absent(),
            }
        })
    }));
    let mut table = Table::new(columns)
        .with_caption("All runs of the session, including those of unmeasured stages.")
        .with_class("funnel");
    for row in rows {
        let formats = formats(&row, folded);
        table.push_only(row, formats);
    }
    table
}

/// `planned` is in no CSV file; steps of other sessions and most turns are not shown to people.
fn formats(row: &FunnelRow<'_>, folded: &FoldedSession) -> Formats {
    let Some(step) = row.step else { return Formats::SHOWN };
    let judged = folded.tally.judged_failed + folded.tally.judged_passed;
    let is_minor = match step {
        FunnelStep::Turn(number) => number > MOST_TURNS && row.lost.is_empty(),
        FunnelStep::Passed => judged == 0,
        _ => false,
    };
    match (row.applies, is_minor) {
        (false, _) => Formats::CSV,
        (true, true) => Formats::ALL.without(Formats::TEXT),
        (true, false) => Formats::ALL,
    }
}

fn step_name(row: &FunnelRow<'_>) -> String {
    row.step.map_or_else(|| "planned".to_owned(), |step| step.name().into_owned())
}

fn losses(row: &FunnelRow<'_>) -> String {
    let mut text = String::new();
    for (loss, count) in &row.lost {
        let gap = if text.is_empty() { "" } else { ", " };
        let name = match loss {
            Loss::Failed(class) => class.name(),
            Loss::Skipped => "skipped",
            Loss::NotStarted => "not started",
            Loss::Open => "under way",
        };
        let _ = write!(text, "{gap}{name} {count}");
    }
    text
}

fn loss((loss, count): &(Loss, u64), is_running: bool) -> Aside {
    if *loss == Loss::Open && is_running {
        return Aside::note(format!("{count} in flight"));
    }
    let why = match loss {
        Loss::Failed(_) => "",
        Loss::Skipped => "skipped, because no slot was free",
        Loss::NotStarted => "not started, because the session was stopped",
        Loss::Open => "still open when the journal ends",
    };
    let aside = Aside::loss(format!("{count} got no further: {why}"));
    match loss {
        Loss::Failed(class) => aside.with_link(class.name(), &definition_anchor(class.name())),
        Loss::Skipped | Loss::NotStarted | Loss::Open => aside,
    }
}
