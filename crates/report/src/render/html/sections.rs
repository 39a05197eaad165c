//! The parts of a session's page that are sentences and tables.

use maud::{Markup, html};

use super::definitions::metric_link;
use super::recordings::RecordedRuns;
use crate::fold::{FoldedSession, SlowRun, TIMELINE_METRICS};
use crate::judged::JudgingResult;
use crate::paired::PairedComparison;
use crate::render::sentences::bill::{bill_sentence, limits_sentence};
use crate::render::sentences::counted;
use crate::render::sentences::judging::judging_sentences;
use crate::render::sentences::paired::{DIFFERENT_LATENCIES, paired_notes};
use crate::render::table::{Cell, Column, Frame, Number, Table};
use crate::render::tables::bill::bill_table;
use crate::render::tables::failures::failure_table;
use crate::render::tables::funnel::funnel_table;
use crate::render::tables::judged::{MOST_SHOWN, shown_run_table, stratum_table};
use crate::render::tables::latencies::latency_table;
use crate::render::tables::paired::{cost_table, difference_table, premium_table};
use crate::render::tables::thresholds::threshold_table;
use crate::render::tables::validity::validity_table;
use crate::render::visible;
use crate::session::{BillSummary, BillTotals, Criterion, LimitsUsed, OldPrices, SessionVerdict};
use rushhour_core::units::SessionTime;

pub(super) fn thresholds(verdict: &SessionVerdict, criterion: Criterion) -> Markup {
    if verdict.thresholds.is_empty() {
        return html! { p { "The profile sets no thresholds." } };
    }
    threshold_table(verdict, criterion).html(Frame::None)
}

pub(super) fn funnel(folded: &FoldedSession) -> Markup {
    if folded.planned() == 0 {
        return html! { p { "No run was planned or started." } };
    }
    funnel_table(folded).html(Frame::None)
}

pub(super) fn latencies(folded: &FoldedSession) -> Markup {
    let table = latency_table(folded);
    if table.is_empty() {
        return html! { p { "No run of a measured stage got far enough to be measured." } };
    }
    let method = folded.opening.profile.livekit.dispatch.method();
    html! {
        p {
            "Agents were dispatched by " code { (method) } ", on which join times depend: those of other methods are "
            "not comparable. Rooms created: " (folded.rooms_created) ", deleted: " (folded.rooms_deleted)
            ", left behind: " (folded.rooms_not_deleted) "."
        }
        p class="aside" {
            "Runs of measured stages, with " a class="term" href="#is-interval" { "95 % intervals" } "."
        }
        (table.html(Frame::None))
    }
}

pub(super) fn pairs(comparison: &PairedComparison) -> Markup {
    html! {
        p { strong { (visible(&comparison.answer.to_string())) } }
        @for note in paired_notes(comparison) { p { (visible(&note)) } }
        @if !comparison.differences.is_empty() {
            p class="aside" {
                "Means over pairs of measured runs, with 95 % intervals: pairs were resampled in blocks of neighbours, "
                "within their scenarios."
            }
            (difference_table(comparison).html(Frame::Whole))
            p class="aside" { (DIFFERENT_LATENCIES) }
        }
        @if let Some(premium) = &comparison.premium {
            h3 { "Where the difference in cost comes from" }
            p class="aside" {
                "Means of the " (counted(premium.pairs, "pair")) " of which both runs ended. The parts add up to the "
                "difference."
            }
            (premium_table(premium).html(Frame::Whole))
            h3 { "Cost of a run and of a task" }
            (cost_table(comparison).html(Frame::Whole))
        }
    }
}

/// `None` if nothing is charged.
pub(super) fn bill(folded: &FoldedSession) -> Option<Markup> {
    let (bill, totals) = (BillSummary::of(folded)?, BillTotals::of(folded)?);
    Some(html! {
        p { (bill_sentence("The session", &totals)) }
        @if let Some(limits) = limits_sentence(&LimitsUsed::of(folded)) { p { (limits) } }
        @if let Some(old) = OldPrices::of_session(folded) {
            p class="aside" { "Note: " (visible(&old.to_string())) "." }
        }
        (bill_table(&bill).html(Frame::Scrolled))
    })
}

pub(super) fn judged(result: &JudgingResult) -> Markup {
    let chosen = result.runs.len();
    html! {
        @for sentence in judging_sentences(result) { p { (visible(&sentence)) } }
        (stratum_table(result).html(Frame::None))
        details {
            summary { "The chosen runs, those first whose verdicts differ" }
            @if chosen > MOST_SHOWN {
                p class="aside" { (MOST_SHOWN) " of " (chosen) " runs; judged.csv has all of them." }
            }
            (shown_run_table(result).html(Frame::Scrolled))
        }
    }
}

pub(super) fn failures(folded: &FoldedSession, recordings: &RecordedRuns) -> Markup {
    if folded.tally.failed.is_empty() {
        return html! { p { "No run failed that was started." } };
    }
    html! {
        (failure_table(folded).html(Frame::None))
        @if let Some(links) = recordings.failed() { (links) }
    }
}

/// The slowest runs of each latency that is shown over time.
pub(super) fn slowest(folded: &FoldedSession, recordings: &RecordedRuns) -> Markup {
    let session = folded.opening.profile.mode;
    let each = |metric| session.modes().iter().map(move |mode| (metric, *mode));
    let mut measured = TIMELINE_METRICS
        .into_iter()
        .flat_map(each)
        .map(|(metric, mode)| (metric, mode, folded.slowest.of(metric, mode)))
        .filter(|(.., runs)| !runs.is_empty())
        .peekable();
    if measured.peek().is_none() {
        return html! { p { "Nothing was measured." } };
    }
    html! {
        @for (metric, mode, runs) in measured {
            h3 { (metric_link(metric)) @if session.is_paired() { ", " (mode) } }
            (slowest_table(folded, runs, recordings).html(Frame::Scrolled))
        }
    }
}

fn slowest_table<'a>(
    folded: &'a FoldedSession,
    runs: &'a [SlowRun],
    recordings: &'a RecordedRuns,
) -> Table<'a, &'a SlowRun> {
    Table::new([
        Column::number("took", |row: &&SlowRun| Cell::number(Number::micros(row.high))),
        Column::number("run", |row: &&SlowRun| {
            let cell = Cell::text(row.run);
            match recordings.address_of(row.run) {
                Some(address) => cell.linking_to(address),
                None => cell,
            }
        }),
        Column::number("intended start", |row: &&SlowRun| {
            Cell::number(Number::micros(row.intended.since(SessionTime::START)))
        }),
        Column::text("scenario", |row: &&SlowRun| {
            let name = folded.names.scenarios.get(row.scenario as usize);
            name.map_or_else(Cell::absent, Cell::foreign)
        }),
        Column::text("room", |row: &&SlowRun| {
            row.room.as_ref().map_or_else(Cell::absent, Cell::code)
        }),
        Column::text("run at the evaluator", |row: &&SlowRun| {
            row.evaluator_run.as_ref().map_or_else(Cell::absent, Cell::code)
        }),
    ])
    .with_rows(runs)
}

/// The conditions that the load generator had to meet, and its own health.
pub(super) fn generator(folded: &FoldedSession, verdict: &SessionVerdict) -> Markup {
    let health = &folded.health;
    html! {
        @if verdict.validity.rules.is_empty() {
            p { "There was nothing to check." }
        } @else {
            (validity_table(&verdict.validity).html(Frame::None))
        }
        @if health.memory > 0 {
            p {
                "Peak memory " (format!("{:.1} MB", health.memory as f64 / 1e6)) ", processor time " (health.cpu)
                ", longest delay of the event loop " (health.loop_lag) ", status polls " (health.status_polls)
                ", of which failed " (health.status_polls_failed) ", room polls " (health.room_polls) "."
            }
        }
    }
}
