//! Each threshold's figure, with its interval, against how many were held at once.

use maud::{Markup, html};

use super::levels::upright;
use super::marks::{key, line_of_threshold};
use crate::capacity::completed_search::CompletedSearch;
use crate::capacity::messages::{figure, number};
use crate::report::{ChartFigure, Estimated, LineStyle, Scale, Tick, place, scrolled};
use rushhour_core::profile::{Threshold, ThresholdBound};
use rushhour_core::units::Micros;

/// One session's figure.
struct Point {
    in_flight: u32,
    estimated: Estimated,
    line: LineStyle,
    n: u64,
}

/// A chart for each threshold that was measured; none of bursts and recoveries, which are no levels.
pub(super) fn figures(searched: &CompletedSearch<'_>) -> Markup {
    let thresholds = &searched.opening.profile.thresholds;
    html! {
        @for (place, threshold) in thresholds.iter().enumerate() {
            (one(searched, threshold, place))
        }
    }
}

fn points(searched: &CompletedSearch<'_>, threshold: &Threshold) -> Vec<Point> {
    let mut points: Vec<Point> = searched
        .findings
        .iter()
        .filter(|finding| finding.purpose().decides_level() && finding.generator_faults.is_empty())
        .filter_map(|finding| {
            let found = finding.thresholds.iter().find(|found| found.threshold == *threshold)?;
            Some(Point {
                in_flight: finding.in_flight(),
                estimated: found.estimated?,
                line: line_of_threshold(&found.verdict),
                n: found.n,
            })
        })
        .collect();
    points.sort_by_key(|point| point.in_flight);
    points
}

fn one(searched: &CompletedSearch<'_>, threshold: &Threshold, number_of: usize) -> Markup {
    let points = points(searched, threshold);
    let Some(highest) = points.last().map(|point| point.in_flight) else {
        return html! { p { (threshold) ": too little was measured for a figure." } };
    };
    let across = Scale::up_to(f64::from(highest));
    let up = axis(threshold, &points);
    let name = format!("{} against how many at once", threshold.measure);
    let drawn: Vec<LineStyle> = points.iter().map(|point| point.line).collect();
    ChartFigure {
        id: &format!("threshold-{number_of}"),
        title: html! { (threshold.measure) " against how many at once" },
        name,
        description: format!(
            "{} sessions of {} to {highest} at once; the bound is {}.",
            points.len(),
            points.first().map_or(0, |point| point.in_flight),
            threshold.bound
        ),
        note: html! { "Each session's figure with its 95 % interval; the dashed line is the bound." },
        table: table(threshold, &points),
    }
    .draw(|canvas| {
        let ticks_across: Vec<Tick> = across
            .number_ticks(canvas.ticks_across)
            .into_iter()
            .map(|(value, words)| (across.at(value), words))
            .collect();
        let bound = canvas.y(up.at(threshold.bound_number()));
        let (height, key) = canvas.key(&key(&drawn));
        let markup = html! {
            (canvas.frame(&ticks_across, &ticks_up(up, threshold), ("at once", &threshold.measure.to_string())))
            g class="stages" {
                line x1=(place(canvas.x(0.0))) x2=(place(canvas.x(1.0))) y1=(place(bound)) y2=(place(bound)) {}
                text x=(place(canvas.x(0.0) + 4.0)) y=(place(bound - 5.0)) { (threshold) }
            }
            @for point in &points {
                @let x = canvas.x(across.at(f64::from(point.in_flight)));
                @let y = |value: f64| canvas.y(up.at(value));
                (upright(point.line, x, y(point.estimated.low), y(point.estimated.high)))
                (point.line.mark(x, y(point.estimated.value)))
            }
            (key)
        };
        (height, markup)
    })
}

/// Upward: shares from nothing, latencies each tenfold as high as the next; the bound is always on it.
fn axis(threshold: &Threshold, points: &[Point]) -> Scale {
    let bound = threshold.bound_number();
    // An interval that reaches down to nothing would leave no room for the others.
    let low = |point: &Point| point.estimated.low.max(point.estimated.value / 10.0);
    let lowest = points.iter().map(low).fold(bound, f64::min);
    let highest = points.iter().map(|point| point.estimated.high).fold(bound, f64::max);
    match threshold.bound {
        ThresholdBound::Share(_) => Scale::up_to(highest),
        ThresholdBound::Time(_) => {
            let micros = |value: f64| Micros::from_secs_f64(value / 1e6);
            Scale::latency(micros(lowest), micros(highest))
        }
    }
}

fn ticks_up(up: Scale, threshold: &Threshold) -> Vec<Tick> {
    let ticks = match threshold.bound {
        ThresholdBound::Time(_) => up.latency_ticks(7),
        ThresholdBound::Share(_) => {
            let numbered = up.number_ticks(6).into_iter();
            numbered.map(|(value, _)| (value, number(threshold, value))).collect()
        }
    };
    ticks.into_iter().map(|(value, words)| (up.at(value), words)).collect()
}

fn table(threshold: &Threshold, points: &[Point]) -> Markup {
    scrolled(&html! {
        table {
            thead { tr {
                th scope="col" class="number" { "at once" } th scope="col" { (threshold.measure) }
                th scope="col" class="number" { "n" }
            } }
            tbody {
                @for point in points {
                    tr {
                        td class="number" { (point.in_flight) }
                        td { (figure(threshold, Some(point.estimated))) }
                        td class="number" { (point.n) }
                    }
                }
            }
        }
    })
}
