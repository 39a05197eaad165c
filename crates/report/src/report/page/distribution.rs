//! Distributions: for each latency the share of runs that took no longer, drawn over one another, with
//! percentiles and their intervals.

use std::fmt::Write;

use hdrhistogram::Histogram;
use maud::{Markup, html};

use super::super::figures::{PercentileFigure as Percentiles, figure};
use super::super::measured::{Measured, measured};
use super::super::terminal::PERCENTILES;
use super::chart::{Canvas, ChartFigure, LineStyle, place};
use super::definitions::metric_link;
use super::scale::Scale;
use super::tables::{interval, scrolled};
use crate::fold::{FoldedSession, Latencies};
use rushhour_core::units::{Metric, Micros, Percentile};

/// Latencies that are drawn where they were measured, the first six of them.
const DRAWN: [Metric; 8] = [
    Metric::AgentJoin,
    Metric::Greeting,
    Metric::TurnChatFirst,
    Metric::TurnVoice,
    Metric::TimeToYield,
    Metric::SubmissionResponse,
    Metric::Conversation,
    Metric::CompletionResponse,
];
/// Places across between two corners of a curve, at least: finer is not seen.
const FINEST: f64 = 1.0;

/// The figure; words where nothing was measured.
pub(super) fn distribution(folded: &FoldedSession) -> Markup {
    let mut shown = measured(folded, DRAWN);
    shown.retain(|one| one.latencies.count() > 0);
    shown.truncate(LineStyle::COUNT);
    if shown.is_empty() {
        return html! { p { "Nothing was measured, so there is no distribution to show." } };
    }
    let scale = Scale::latency(
        shown.iter().map(|one| one.latencies.min()).min().unwrap_or_default(),
        shown.iter().map(|one| one.latencies.max()).max().unwrap_or_default(),
    );
    let polled = shown.iter().any(|one| one.latencies.lower_bounds().is_some());
    ChartFigure {
        id: "distribution",
        title: html! { "Distributions" },
        name: "Distributions of latencies".to_owned(),
        description: described(&shown),
        note: html! {
            "The share of measured runs that took no longer. Marks stand at p50, p95 and p99 where there are enough "
            "runs, with their 95 % intervals. Time to the right, each tenfold as long as the next."
            @if polled {
                " Where ends come from polling, the line is the upper bound and the shade reaches to the lower one: "
                "the truth lies within it."
            }
        },
        table: table(&shown),
    }
    .draw(|canvas| {
        let across: Vec<_> = scale
            .latency_ticks(canvas.ticks_across + 2)
            .into_iter()
            .map(|(value, words)| (scale.at(value), words))
            .collect();
        let up = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| (share * TALL, format!("{:.0} %", share * 100.0)));
        let key: Vec<(LineStyle, String)> = shown
            .iter()
            .enumerate()
            .map(|(n, one)| (LineStyle(n), format!("{} (n={})", one.label(), one.latencies.count())))
            .collect();
        let (height, key) = canvas.key(&key);
        let drawn = html! {
            (canvas.frame(&across, &up, ("latency", "share of runs")))
            @for (n, one) in shown.iter().enumerate() { (curve(canvas, scale, LineStyle(n), one.latencies)) }
            @for (n, one) in shown.iter().enumerate() { (marks(canvas, scale, LineStyle(n), one.latencies)) }
            (key)
        };
        (height, drawn)
    })
}

/// The whole share stands a little below the top, so that its marks are seen.
const TALL: f64 = 0.97;

fn described(shown: &[Measured<'_>]) -> String {
    let mut words = Vec::new();
    for one @ Measured { latencies, .. } in shown {
        let median = match figure(latencies, PERCENTILES[0]) {
            Percentiles::Known { value, low, high } => {
                format!("median {value}, between {low} and {high} with 95 % confidence")
            }
            Percentiles::TooFew { .. } => {
                format!(
                    "too few runs for a median, between {} and {}",
                    latencies.min(),
                    latencies.max()
                )
            }
        };
        words.push(format!("{}: {median}", one.label()));
    }
    format!("{}.", words.join("; "))
}

fn curve(canvas: &Canvas, scale: Scale, line: LineStyle, latencies: &Latencies) -> Markup {
    let upper = corners(canvas, scale, latencies.histogram());
    let foot = canvas.y(0.0);
    html! {
        @if let Some(low) = latencies.lower_bounds() {
            @let lower = corners(canvas, scale, low);
            path class=(line.class("band")) d=(between(&lower, &upper, foot)) {}
        }
        (line.path(&climbing(&upper, foot)))
    }
}

/// The corners of the stairs, no closer to each other than is seen.
fn corners(canvas: &Canvas, scale: Scale, histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let total = histogram.len().max(1) as f64;
    let mut corners: Vec<(f64, f64)> = Vec::new();
    let mut below = 0;
    for bucket in histogram.iter_recorded() {
        below += bucket.count_at_value();
        let value = bucket.value_iterated_to().min(histogram.max());
        let x = canvas.x(scale.at(value as f64));
        let y = canvas.y(TALL * below as f64 / total);
        match corners.last_mut() {
            Some((last, height)) if x - *last < FINEST => *height = y,
            _ => corners.push((x, y)),
        }
    }
    corners
}

/// Along the stairs, each step to the right and then up.
fn stairs(corners: &[(f64, f64)], foot: f64) -> Vec<(f64, f64)> {
    let mut height = foot;
    let mut path = Vec::with_capacity(2 * corners.len());
    for (x, y) in corners {
        path.push((*x, height));
        path.push((*x, *y));
        height = *y;
    }
    path
}

/// A line along the stairs.
fn climbing(corners: &[(f64, f64)], foot: f64) -> String {
    let mut path = String::new();
    for (n, (x, y)) in corners.iter().enumerate() {
        let _ = match n {
            0 => write!(path, "M{} {}V{}", place(*x), place(foot), place(*y)),
            _ => write!(path, "H{}V{}", place(*x), place(*y)),
        };
    }
    path
}

/// The area from the stairs of the lower bounds to those of the upper ones.
fn between(lower: &[(f64, f64)], upper: &[(f64, f64)], foot: f64) -> String {
    let mut path = String::new();
    let there = stairs(lower, foot);
    let back = stairs(upper, foot);
    for (x, y) in there.into_iter().chain(back.into_iter().rev()) {
        path.push(if path.is_empty() { 'M' } else { 'L' });
        let _ = write!(path, "{} {}", place(x), place(y));
    }
    path.push('z');
    path
}

fn marks(canvas: &Canvas, scale: Scale, line: LineStyle, latencies: &Latencies) -> Markup {
    html! {
        @for percentile in PERCENTILES {
            @if let Percentiles::Known { value, low, high } = figure(latencies, percentile) {
                @let y = canvas.y(TALL * percentile.fraction());
                @let at = |value: Micros| canvas.x(scale.at(value.0 as f64));
                path class=(line.class("interval")) d=(format!("M{} {}H{}", place(at(low)), place(y), place(at(high)))) {}
                (line.mark(at(value), y))
            }
        }
    }
}

fn table(shown: &[Measured<'_>]) -> Markup {
    scrolled(&html! {
        table {
            thead { tr {
                th scope="col" { "latency" } th scope="col" { "n" } th scope="col" { "least" }
                @for percentile in Percentile::LISTED { th scope="col" { (percentile) } }
                th scope="col" { "most" }
            } }
            tbody {
                @for one @ Measured { latencies, .. } in shown {
                    tr {
                        th scope="row" {
                            (metric_link(one.metric)) @if let Some(mode) = one.mode { " " (mode) }
                        }
                        td { (latencies.count()) }
                        td { (latencies.min()) }
                        @for percentile in Percentile::LISTED { td { (interval(figure(latencies, percentile))) } }
                        td { (latencies.max()) }
                    }
                }
            }
        }
    })
}
