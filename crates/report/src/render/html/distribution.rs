//! Distributions: the cumulative distribution of each latency, with percentiles and their intervals.

use std::fmt::Write;

use hdrhistogram::Histogram;
use maud::{Markup, html};

use super::chart::{Canvas, ChartFigure, LineStyle, coordinate};
use super::scale::{Axis, Scale, Tick};
use crate::fold::{FoldedSession, Latencies};
use crate::render::table::Frame;
use crate::render::tables::latencies::{PERCENTILES, distribution_table};
use crate::session::{MeasuredLatency, PercentileFigure, measured_latencies};
use rushhour_core::units::{Metric, Micros};

/// The latencies that are drawn: the first six that were measured.
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
/// The smallest horizontal distance between two steps of a curve; smaller ones are invisible.
const FINEST: f64 = 1.0;
/// The position of 100 %, slightly below the top to leave room for marks.
const TOP: f64 = 0.97;

pub(super) fn distribution(folded: &FoldedSession) -> Markup {
    let mut shown = measured_latencies(folded, DRAWN);
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
        description: description(&shown),
        note: html! {
            "The share of measured runs that took at most this long, on a logarithmic axis. Marks show p50, p95 and p99 "
            "with their 95 % intervals, if there are enough runs."
            @if polled {
                " If ends come from polling, the line is the upper bound and the shaded area extends to the lower "
                "bound: the true distribution is within it."
            }
        },
        table: distribution_table(&shown).html(Frame::Scrolled),
    }
    .draw(|canvas| {
        let shares = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| Tick {
            position: share * TOP,
            label: format!("{:.0} %", share * 100.0),
        });
        let lines = || (0..).map(LineStyle).zip(&shown);
        let legend: Vec<(LineStyle, String)> = lines()
            .map(|(line, one)| (line, format!("{} (n={})", one.label(), one.latencies.count())))
            .collect();
        let (height, legend) = canvas.legend(&legend);
        let drawn = html! {
            (canvas.axes(
                &Axis { name: "latency", ticks: &scale.latency_ticks(canvas.ticks_across + 2) },
                &Axis { name: "share of runs", ticks: &shares },
            ))
            @for (line, one) in lines() { (curve(canvas, scale, line, one.latencies)) }
            @for (line, one) in lines() { (marks(canvas, scale, line, one.latencies)) }
            (legend)
        };
        (height, drawn)
    })
}

fn description(shown: &[MeasuredLatency<'_>]) -> String {
    let described = |one: &MeasuredLatency<'_>| {
        let latencies = one.latencies;
        let median = match PercentileFigure::of(latencies, PERCENTILES[0]) {
            PercentileFigure::Known { value, low, high } => {
                format!("median {value}, between {low} and {high} with 95 % confidence")
            }
            PercentileFigure::TooFew { .. } => {
                let (min, max) = (latencies.min(), latencies.max());
                format!("too few runs for a median, between {min} and {max}")
            }
        };
        format!("{}: {median}", one.label())
    };
    let latencies: Vec<String> = shown.iter().map(described).collect();
    format!("{}.", latencies.join("; "))
}

fn curve(canvas: &Canvas, scale: Scale, line: LineStyle, latencies: &Latencies) -> Markup {
    let upper = steps(canvas, scale, latencies.histogram());
    let foot = canvas.y(0.0);
    html! {
        @if let Some(low) = latencies.lower_bounds() {
            @let lower = steps(canvas, scale, low);
            path class=(line.class("band")) d=(area_between(&lower, &upper, foot)) {}
        }
        (line.path(&staircase(&upper, foot)))
    }
}

/// The upper corners of the cumulative distribution's steps.
fn steps(canvas: &Canvas, scale: Scale, histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let total = histogram.len().max(1) as f64;
    let mut steps: Vec<(f64, f64)> = Vec::new();
    let mut below = 0;
    for bucket in histogram.iter_recorded() {
        below += bucket.count_at_value();
        let value = bucket.value_iterated_to().min(histogram.max());
        let x = canvas.x(scale.at(value as f64));
        let y = canvas.y(TOP * below as f64 / total);
        match steps.last_mut() {
            Some((last, height)) if x - *last < FINEST => *height = y,
            _ => steps.push((x, y)),
        }
    }
    steps
}

/// The points of a staircase, each step to the right and then up.
fn staircase_points(steps: &[(f64, f64)], foot: f64) -> Vec<(f64, f64)> {
    let mut height = foot;
    let mut path = Vec::with_capacity(2 * steps.len());
    for (x, y) in steps {
        path.push((*x, height));
        path.push((*x, *y));
        height = *y;
    }
    path
}

fn staircase(steps: &[(f64, f64)], foot: f64) -> String {
    let mut path = String::new();
    for (n, (x, y)) in steps.iter().enumerate() {
        let _ = match n {
            0 => write!(path, "M{} {}V{}", coordinate(*x), coordinate(foot), coordinate(*y)),
            _ => write!(path, "H{}V{}", coordinate(*x), coordinate(*y)),
        };
    }
    path
}

/// The area between the staircases of the lower and the upper bounds.
fn area_between(lower: &[(f64, f64)], upper: &[(f64, f64)], foot: f64) -> String {
    let mut path = String::new();
    let there = staircase_points(lower, foot);
    let back = staircase_points(upper, foot);
    for (x, y) in there.into_iter().chain(back.into_iter().rev()) {
        path.push(if path.is_empty() { 'M' } else { 'L' });
        let _ = write!(path, "{} {}", coordinate(x), coordinate(y));
    }
    path.push('z');
    path
}

fn marks(canvas: &Canvas, scale: Scale, line: LineStyle, latencies: &Latencies) -> Markup {
    html! {
        @for percentile in PERCENTILES {
            @if let PercentileFigure::Known { value, low, high } = PercentileFigure::of(latencies, percentile) {
                @let y = canvas.y(TOP * percentile.fraction());
                @let x = |value: Micros| canvas.x(scale.at(value.0 as f64));
                path class=(line.class("interval"))
                    d=(format!("M{} {}H{}", coordinate(x(low)), coordinate(y), coordinate(x(high)))) {}
                (line.mark(x(value), y))
            }
        }
    }
}
