//! Each threshold's figure with its interval, by the number of conversations at once.

use maud::{Markup, html};

use super::verdict_marks::{legend, threshold_mark};
use crate::capacity::TrialFinding;
use crate::render::html::chart::{Canvas, ChartFigure, LineStyle, coordinate};
use crate::render::html::scale::{Axis, Scale, Tick};
use crate::render::sentences::counted;
use crate::render::sentences::first_to_give::number;
use crate::render::table::{Cell, Column, Frame, Table};
use crate::render::tables::capacity::figure;
use crate::session::Estimated;
use rushhour_core::profile::{Threshold, ThresholdBound};
use rushhour_core::units::Micros;

/// One session's figure.
struct Point {
    in_flight: u32,
    estimated: Estimated,
    mark: LineStyle,
    n: u64,
}

/// A chart per threshold. Bursts and recoveries are left out, because they are no levels.
pub(in crate::render::html) fn figures(
    thresholds: &[Threshold],
    findings: &[TrialFinding],
) -> Markup {
    html! {
        @for (index, threshold) in thresholds.iter().enumerate() {
            (chart(threshold, &points(findings, threshold), index))
        }
    }
}

fn points(findings: &[TrialFinding], threshold: &Threshold) -> Vec<Point> {
    let mut points: Vec<Point> = findings
        .iter()
        .filter(|finding| finding.purpose().decides_level() && finding.generator_faults.is_empty())
        .filter_map(|finding| {
            let found = finding.thresholds.iter().find(|found| found.threshold == *threshold)?;
            Some(Point {
                in_flight: finding.in_flight(),
                estimated: found.estimated?,
                mark: threshold_mark(found.verdict),
                n: found.n,
            })
        })
        .collect();
    points.sort_by_key(|point| point.in_flight);
    points
}

fn chart(threshold: &Threshold, points: &[Point], index: usize) -> Markup {
    let Some((lowest, highest)) = points.first().zip(points.last()) else {
        return html! { p { (threshold) ": too little was measured for a figure." } };
    };
    let (lowest, highest) = (lowest.in_flight, highest.in_flight);
    let levels = Scale::up_to(f64::from(highest));
    let values = value_scale(threshold, points);
    let marks: Vec<LineStyle> = points.iter().map(|point| point.mark).collect();
    let sessions = counted(points.len() as u64, "session");
    ChartFigure {
        id: &format!("threshold-{index}"),
        title: html! { (threshold.measure) " by conversations at once" },
        name: format!("{} by conversations at once", threshold.measure),
        description: format!(
            "{sessions} of {lowest} to {highest} at once; the bound is {}.",
            threshold.bound
        ),
        note: html! { "The figure of each session with its 95 % interval. The dashed line is the bound." },
        table: table(threshold, points).html(Frame::Scrolled),
    }
    .draw(|canvas| {
        let (height, legend) = canvas.legend(&legend(&marks));
        let drawn = html! {
            (canvas.axes(
                &Axis { name: "at once", ticks: &levels.number_ticks(canvas.ticks_across) },
                &Axis { name: &threshold.measure.to_string(), ticks: &value_ticks(values, threshold) },
            ))
            (bound(canvas, threshold, values))
            @for point in points {
                @let x = canvas.x(levels.at(f64::from(point.in_flight)));
                @let y = |value: f64| canvas.y(values.at(value));
                (interval(point.mark, x, y(point.estimated.low), y(point.estimated.high)))
                (point.mark.mark(x, y(point.estimated.value)))
            }
            (legend)
        };
        (height, drawn)
    })
}

/// The dashed line at the bound.
fn bound(canvas: &Canvas, threshold: &Threshold, values: Scale) -> Markup {
    let y = canvas.y(values.at(threshold.bound_number()));
    let (left, right) = (canvas.x(0.0), canvas.x(1.0));
    html! {
        g class="stages" {
            line x1=(coordinate(left)) x2=(coordinate(right)) y1=(coordinate(y)) y2=(coordinate(y)) {}
            text x=(coordinate(left + 4.0)) y=(coordinate(y - 5.0)) { (threshold) }
        }
    }
}

fn interval(mark: LineStyle, x: f64, from: f64, to: f64) -> Markup {
    let path = format!("M{} {}V{}", coordinate(x), coordinate(from), coordinate(to));
    html! { path class=(mark.class("interval")) d=(path) {} }
}

/// Linear from zero for shares, logarithmic for latencies; the bound is always included.
fn value_scale(threshold: &Threshold, points: &[Point]) -> Scale {
    let bound = threshold.bound_number();
    // An interval that extends to almost zero would leave no space for the others.
    let low = |point: &Point| point.estimated.low.max(point.estimated.value / 10.0);
    let lowest = points.iter().map(low).fold(bound, f64::min);
    let highest = points.iter().map(|point| point.estimated.high).fold(bound, f64::max);
    match threshold.bound {
        ThresholdBound::Share(_) | ThresholdBound::Rate(_) => Scale::up_to(highest),
        ThresholdBound::Time(_) => {
            let micros = |value: f64| Micros::from_secs_f64(value / 1e6);
            Scale::latency(micros(lowest), micros(highest))
        }
    }
}

fn value_ticks(scale: Scale, threshold: &Threshold) -> Vec<Tick> {
    match threshold.bound {
        ThresholdBound::Time(_) => scale.latency_ticks(7),
        ThresholdBound::Share(_) | ThresholdBound::Rate(_) => {
            scale.ticks(6, |value| number(threshold, value))
        }
    }
}

fn table<'a>(threshold: &'a Threshold, points: &'a [Point]) -> Table<'a, &'a Point> {
    Table::new([
        Column::number("at once", |row: &&Point| Cell::count(row.in_flight.into())),
        Column::figure(threshold.measure.to_string(), |row: &&Point| {
            figure(threshold, Some(row.estimated))
        }),
        Column::number("n", |row: &&Point| Cell::count(row.n)),
    ])
    .with_rows(points)
}
