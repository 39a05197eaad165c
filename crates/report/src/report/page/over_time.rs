//! Latency over time: the median with its interval and the 95th percentile of each stretch, with the
//! failures below and the stages behind.

use maud::{Markup, html};

use super::bins::{Bin, BinFigure, ENOUGH_FOR_P95, latency_bins};
use super::chart::{Canvas, ChartFigure, LineStyle, place, through};
use super::definitions::metric_link;
use super::scale::Scale;
use super::stages::stages;
use super::tables::scrolled;
use crate::fold::{FoldedSession, TIMELINE_METRICS};
use rushhour_core::units::{Metric, Micros};

/// The height of the lane in which failures stand, as a share of the plot.
const LANE: f64 = 0.16;
const MEDIAN: LineStyle = LineStyle(0);
const HIGH: LineStyle = LineStyle(1);

/// One figure for each latency that is shown over time and was measured.
pub(super) fn over_time(folded: &FoldedSession) -> Markup {
    let bins = latency_bins(folded);
    let shown: Vec<(Metric, Vec<Option<BinFigure>>)> = TIMELINE_METRICS
        .into_iter()
        .map(|metric| (metric, bins.iter().map(|bin| bin.figure(metric)).collect()))
        .filter(|(_, figures): &(_, Vec<Option<BinFigure>>)| figures.iter().any(Option::is_some))
        .collect();
    html! {
        @if !shown.is_empty() {
            p class="aside" {
                "Over time: runs stand where they were meant to start, failures where they ended. A stretch has a p95 "
                "from " (ENOUGH_FOR_P95) " runs on. Time to the right, latency upward, each tenfold as high as the next."
            }
        }
        @for (metric, figures) in &shown { (one(folded, *metric, &bins, figures)) }
    }
}

fn one(
    folded: &FoldedSession,
    metric: Metric,
    bins: &[Bin],
    figures: &[Option<BinFigure>],
) -> Markup {
    let known = || figures.iter().flatten();
    let smallest = known().map(|f| f.interval.map_or(f.median, |(low, _)| low)).min();
    let largest =
        known().map(|f| f.p95.max(f.interval.map(|(_, high)| high)).unwrap_or(f.median)).max();
    let latency = Scale::latency(smallest.unwrap_or_default(), largest.unwrap_or_default());
    let time = Scale::time(end(bins));
    let medians = || known().map(|figure| figure.median);
    let failed: u64 = bins.iter().map(|bin| bin.failed).sum();
    let name = format!("{metric} over time");
    ChartFigure {
        id: &format!("time-{}", metric.name().replace('.', "-")),
        title: html! { (metric_link(metric)) " over time" },
        name,
        description: format!(
            "{} stretches of the session; medians from {} to {}; {failed} runs failed.",
            known().count(),
            medians().min().unwrap_or_default(),
            medians().max().unwrap_or_default(),
        ),
        note: html! {},
        table: table(bins, figures),
    }
    .draw(|canvas| {
        let across: Vec<_> = time
            .time_ticks(canvas.ticks_across)
            .into_iter()
            .map(|(value, words)| (time.at(value), words))
            .collect();
        let up: Vec<_> = latency
            .latency_ticks(7)
            .into_iter()
            .map(|(value, words)| (raised(latency, value), words))
            .collect();
        let at = |bin: &Bin| canvas.x(time.at(bin.middle()));
        let y = |value: Micros| canvas.y(raised(latency, value.0 as f64));
        let pairs = || bins.iter().zip(figures);
        let medians = pairs().map(|(bin, f)| f.map(|f| (at(bin), y(f.median))));
        let highs = pairs().map(|(bin, f)| f.and_then(|f| f.p95).map(|p95| (at(bin), y(p95))));
        let highs: Vec<_> = highs.collect();
        let medians: Vec<_> = medians.collect();
        let mut key = vec![
            (MEDIAN, "median, shaded: its 95 % interval".to_owned()),
            (HIGH, "p95".to_owned()),
        ];
        if highs.iter().all(Option::is_none) {
            key.truncate(1);
        }
        let (height, key) = canvas.key(&key);
        let drawn = html! {
            (stages(folded, canvas, time))
            (canvas.frame(&across, &up, ("session time", metric.name())))
            @for (from, to) in runs_of_bins(figures) {
                path class=(MEDIAN.class("band")) d=(band(&bins[from..to], &figures[from..to], at, y)) {}
            }
            (MEDIAN.path(&through(medians.iter().copied())))
            (HIGH.path(&through(highs.iter().copied())))
            @for (x, y) in medians.iter().flatten() { (MEDIAN.mark(*x, *y)) }
            @for (x, y) in highs.iter().flatten() { (HIGH.mark(*x, *y)) }
            (failures(canvas, bins, time))
            (key)
        };
        (height, drawn)
    })
}

/// Above the lane of failures.
fn raised(latency: Scale, value: f64) -> f64 {
    LANE + (1.0 - LANE) * latency.at(value)
}

/// The session's end, as its last stretch has it.
pub(super) fn end(bins: &[Bin]) -> Micros {
    bins.last().map_or(Micros::ZERO, |bin| Micros(bin.to.0))
}

/// Stretches next to each other whose medians have intervals, as ranges of their places.
fn runs_of_bins(figures: &[Option<BinFigure>]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (place, figure) in figures.iter().enumerate() {
        if figure.and_then(|figure| figure.interval).is_none() {
            continue;
        }
        match runs.last_mut() {
            Some((_, to)) if *to == place => *to = place + 1,
            _ => runs.push((place, place + 1)),
        }
    }
    runs
}

fn band(
    bins: &[Bin],
    figures: &[Option<BinFigure>],
    at: impl Fn(&Bin) -> f64,
    y: impl Fn(Micros) -> f64,
) -> String {
    let ends = || {
        bins.iter()
            .zip(figures)
            .filter_map(|(bin, figure)| Some((at(bin), figure.as_ref()?.interval?)))
    };
    let upper = ends().map(|(x, (_, high))| Some((x, y(high))));
    let lower: Vec<_> = ends().map(|(x, (low, _))| Some((x, y(low)))).collect();
    format!("{}z", through(upper.chain(lower.into_iter().rev())))
}

/// Bars in the lane at the foot, as high as the share of the most that failed in one stretch.
fn failures(canvas: &Canvas, bins: &[Bin], time: Scale) -> Markup {
    let most = bins.iter().map(|bin| bin.failed).max().unwrap_or(0);
    if most == 0 {
        return html! {
            text class="lane" x=(place(canvas.x(0.0) + 4.0)) y=(place(canvas.y(0.0) - 6.0)) { "none failed" }
        };
    }
    let tall = (LANE - 0.03) * canvas.height;
    html! {
        g class="failures" {
            @for bin in bins.iter().filter(|bin| bin.failed > 0) {
                @let (from, to) = (canvas.x(time.at(bin.from.0 as f64)), canvas.x(time.at(bin.to.0 as f64)));
                @let high = (tall * bin.failed as f64 / most as f64).max(1.5);
                rect x=(place(from + 0.5)) y=(place(canvas.y(0.0) - high)) width=(place((to - from - 1.0).max(0.8))) height=(place(high)) {}
            }
        }
        text class="lane" x=(place(canvas.x(0.0) + 4.0)) y=(place(canvas.y(LANE) + 10.0)) {
            "failed, at most " (most) " in a stretch"
        }
    }
}

fn table(bins: &[Bin], figures: &[Option<BinFigure>]) -> Markup {
    scrolled(&html! {
        table {
            thead { tr {
                th scope="col" { "from" } th scope="col" { "to" } th scope="col" { "n" }
                th scope="col" { "median" } th scope="col" { "95 % interval" }
                th scope="col" { "p95" } th scope="col" { "failed" }
            } }
            tbody {
                @for (bin, figure) in bins.iter().zip(figures) {
                    tr {
                        td { (Micros(bin.from.0)) }
                        td { (Micros(bin.to.0)) }
                        @match figure {
                            Some(figure) => {
                                td { (figure.n) }
                                td { (figure.median) }
                                td { @match figure.interval {
                                    Some((low, high)) => { "[" (low) ", " (high) "]" }
                                    None => { "n/a" }
                                } }
                                td { @match figure.p95 { Some(p95) => { (p95) } None => { "n/a" } } }
                            }
                            None => { td { "0" } td { "n/a" } td { "n/a" } td { "n/a" } }
                        }
                        td { (bin.failed) }
                    }
                }
            }
        }
    })
}
