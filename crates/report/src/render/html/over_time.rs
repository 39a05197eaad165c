//! Latency over time: the median with its interval and the 95th percentile of each period, with failures below and
//! stages behind.

use maud::{Markup, html};

use super::chart::{Canvas, ChartFigure, LineStyle, coordinate, line_through};
use super::definitions::metric_link;
use super::scale::{Axis, Scale, Tick};
use super::stages::stages;
use crate::fold::{FoldedSession, TIMELINE_METRICS};
use crate::render::table::{Cell, Column, Frame, Number, Table};
use crate::session::{Bin, BinFigure, FEWEST_FOR_P95, latency_bins};
use rushhour_core::units::{Metric, Micros, SessionTime};

/// The height of the area for failures, as a share of the plot.
const FAILURE_AREA: f64 = 0.16;
const MEDIAN: LineStyle = LineStyle(0);
const P95: LineStyle = LineStyle(1);

/// One chart per latency that is shown over time and was measured.
pub(super) fn over_time(folded: &FoldedSession) -> Markup {
    let bins = latency_bins(folded);
    let series: Vec<Series<'_>> = TIMELINE_METRICS
        .into_iter()
        .map(|metric| Series {
            metric,
            bins: &bins,
            figures: bins.iter().map(|bin| bin.figure(metric)).collect(),
        })
        .filter(|series| series.known().next().is_some())
        .collect();
    html! {
        @if !series.is_empty() {
            p class="aside" {
                "Over time: runs are placed at their intended start, failures at their end. A period has a p95 from "
                (FEWEST_FOR_P95) " runs on. The latency axis is logarithmic."
            }
        }
        @for series in &series { (series.chart(folded)) }
    }
}

/// One latency over time.
struct Series<'a> {
    metric: Metric,
    bins: &'a [Bin],
    /// One per bin.
    figures: Vec<Option<BinFigure>>,
}

impl Series<'_> {
    fn known(&self) -> impl Iterator<Item = &BinFigure> {
        self.figures.iter().flatten()
    }

    fn scale(&self) -> Scale {
        let low = |f: &BinFigure| f.interval.map_or(f.median, |(low, _)| low);
        let high = |f: &BinFigure| f.p95.max(f.interval.map(|(_, high)| high)).unwrap_or(f.median);
        let smallest = self.known().map(low).min();
        let largest = self.known().map(high).max();
        Scale::latency(smallest.unwrap_or_default(), largest.unwrap_or_default())
    }

    fn chart(&self, folded: &FoldedSession) -> Markup {
        let (metric, bins) = (self.metric, self.bins);
        let (latency, time) = (self.scale(), Scale::time(end(bins)));
        let medians = || self.known().map(|figure| figure.median);
        let failed: u64 = bins.iter().map(|bin| bin.failed).sum();
        ChartFigure {
            id: &format!("time-{}", metric.name().replace('.', "-")),
            title: html! { (metric_link(metric)) " over time" },
            name: format!("{metric} over time"),
            description: format!(
                "{} periods of the session; medians from {} to {}; {failed} runs failed.",
                self.known().count(),
                medians().min().unwrap_or_default(),
                medians().max().unwrap_or_default(),
            ),
            note: html! {},
            table: table(bins, &self.figures).html(Frame::Scrolled),
        }
        .draw(|canvas| {
            let vertical: Vec<Tick> = latency
                .latency_ticks(7)
                .into_iter()
                .map(|tick| Tick { position: above_failures(tick.position), ..tick })
                .collect();
            let x = |bin: &Bin| canvas.x(time.at(bin.middle()));
            let y = |value: Micros| canvas.y(above_failures(latency.at(value.0 as f64)));
            let points = |value: &dyn Fn(&BinFigure) -> Option<Micros>| -> Vec<Option<(f64, f64)>> {
                let pairs = bins.iter().zip(&self.figures);
                pairs.map(|(bin, figure)| Some((x(bin), y(value(figure.as_ref()?)?)))).collect()
            };
            let medians = points(&|figure| Some(figure.median));
            let p95s = points(&|figure| figure.p95);
            let mut legend = vec![(MEDIAN, "median, shaded: its 95 % interval".to_owned())];
            if p95s.iter().any(Option::is_some) {
                legend.push((P95, "p95".to_owned()));
            }
            let (height, legend) = canvas.legend(&legend);
            let drawn = html! {
                (stages(folded, canvas, time))
                (canvas.axes(
                    &Axis { name: "session time", ticks: &time.time_ticks(canvas.ticks_across) },
                    &Axis { name: metric.name(), ticks: &vertical },
                ))
                @for (from, to) in runs_of_intervals(&self.figures) {
                    path class=(MEDIAN.class("band"))
                        d=(band(&bins[from..to], &self.figures[from..to], x, y)) {}
                }
                (MEDIAN.path(&line_through(medians.iter().copied())))
                (P95.path(&line_through(p95s.iter().copied())))
                @for (x, y) in medians.iter().flatten() { (MEDIAN.mark(*x, *y)) }
                @for (x, y) in p95s.iter().flatten() { (P95.mark(*x, *y)) }
                (failures(canvas, bins, time))
                (legend)
            };
            (height, drawn)
        })
    }
}

/// The position of a latency above the area for failures.
fn above_failures(position: f64) -> f64 {
    FAILURE_AREA + (1.0 - FAILURE_AREA) * position
}

/// The end of the last bin.
pub(super) fn end(bins: &[Bin]) -> Micros {
    bins.last().map_or(Micros::ZERO, |bin| Micros(bin.to.0))
}

/// Ranges of neighbouring bins whose medians have intervals.
fn runs_of_intervals(figures: &[Option<BinFigure>]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (index, figure) in figures.iter().enumerate() {
        if figure.and_then(|figure| figure.interval).is_none() {
            continue;
        }
        match runs.last_mut() {
            Some((_, to)) if *to == index => *to = index + 1,
            _ => runs.push((index, index + 1)),
        }
    }
    runs
}

/// The area between the ends of the medians' intervals.
fn band(
    bins: &[Bin],
    figures: &[Option<BinFigure>],
    x: impl Fn(&Bin) -> f64,
    y: impl Fn(Micros) -> f64,
) -> String {
    let ends = || {
        bins.iter()
            .zip(figures)
            .filter_map(|(bin, figure)| Some((x(bin), figure.as_ref()?.interval?)))
    };
    let upper = ends().map(|(x, (_, high))| Some((x, y(high))));
    let lower: Vec<_> = ends().map(|(x, (low, _))| Some((x, y(low)))).collect();
    format!("{}z", line_through(upper.chain(lower.into_iter().rev())))
}

/// Bars below the plot, scaled to the most failures in one bin.
fn failures(canvas: &Canvas, bins: &[Bin], time: Scale) -> Markup {
    let most = bins.iter().map(|bin| bin.failed).max().unwrap_or(0);
    let left = coordinate(canvas.x(0.0) + 4.0);
    if most == 0 {
        return html! {
            text class="failed" x=(left) y=(coordinate(canvas.y(0.0) - 6.0)) { "none failed" }
        };
    }
    let tallest = (FAILURE_AREA - 0.03) * canvas.height;
    let x = |at: SessionTime| canvas.x(time.at(at.0 as f64));
    html! {
        g class="failures" {
            @for bin in bins.iter().filter(|bin| bin.failed > 0) {
                @let (from, to) = (x(bin.from), x(bin.to));
                @let height = (tallest * bin.failed as f64 / most as f64).max(1.5);
                rect x=(coordinate(from + 0.5)) y=(coordinate(canvas.y(0.0) - height))
                    width=(coordinate((to - from - 1.0).max(0.8))) height=(coordinate(height)) {}
            }
        }
        text class="failed" x=(left) y=(coordinate(canvas.y(FAILURE_AREA) + 10.0)) {
            "failed, at most " (most) " in a period"
        }
    }
}

fn table<'a>(
    bins: &'a [Bin],
    figures: &'a [Option<BinFigure>],
) -> Table<'a, (&'a Bin, Option<BinFigure>)> {
    type Row<'a> = (&'a Bin, Option<BinFigure>);
    let time = |at: SessionTime| Cell::number(Number::micros(Micros(at.0)));
    let latency = |value: Option<Micros>| match value {
        Some(value) => Cell::number(Number::micros(value)),
        None => Cell::missing("n/a"),
    };
    Table::new([
        Column::number("from", move |row: &Row<'_>| time(row.0.from)),
        Column::number("to", move |row: &Row<'_>| time(row.0.to)),
        Column::number("n", |row: &Row<'_>| Cell::count(row.1.map_or(0, |figure| figure.n))),
        Column::figure("median, 95 % interval", |row: &Row<'_>| match row.1 {
            Some(BinFigure { median, interval: Some((low, high)), .. }) => {
                Cell::interval(Number::micros(median), Number::micros(low), Number::micros(high))
            }
            Some(BinFigure { median, interval: None, .. }) => Cell::number(Number::micros(median)),
            None => Cell::missing("n/a"),
        }),
        Column::number("p95", move |row: &Row<'_>| latency(row.1.and_then(|figure| figure.p95))),
        Column::number("failed", |row: &Row<'_>| Cell::count(row.0.failed)),
    ])
    .with_rows(bins.iter().zip(figures.iter().copied()))
}
