//! `history.html`: each series of each profile over its nightly runs; and a soak compared with previous nightly runs.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::chart::{Canvas, ChartFigure, LineStyle, line_through};
use super::page::{HeaderTone, page, section};
use super::scale::{Axis, Tick};
use super::value_axis::ValueAxis;
use crate::render::sentences::counted;
use crate::render::sentences::soak::nightly_sentence;
use crate::render::table::{Cell, Column, Frame, Table};
use crate::render::tables::nightly::{comparison_table, expected_range, history_table, started};
use crate::render::visible;
use crate::soak::{MIN_NIGHTS, NightlyComparison, NightlyJudgement, NightlyRun, SeriesUnit};

const LEVEL: LineStyle = LineStyle(0);
const ALARM: LineStyle = LineStyle(4);

/// The nightly runs of one profile in order, each compared with those before it.
pub type JudgedHistory<'a> = Vec<(&'a NightlyRun, NightlyComparison)>;

/// A soak compared with previous nightly runs.
pub(super) fn previous_nightly_runs(comparison: &NightlyComparison) -> Markup {
    if comparison.series.is_empty() {
        return html! {
            p {
                "This profile has " (counted(comparison.compared, "conclusive nightly run")) " before this session. A session "
                "is compared with them if there are at least " (MIN_NIGHTS) "."
            }
        };
    }
    html! {
        (comparison_table(comparison).html(Frame::Scrolled))
        p class="aside" {
            "One more nightly run like the previous ones is expected in the range, with all series judged as one family. "
            "Growth from run to run is found by a self-starting CUSUM. Either counts only if the change is material."
        }
    }
}

/// The history of each profile as one page.
pub fn history_page(profiles: &[JudgedHistory<'_>]) -> String {
    let runs: usize = profiles.iter().map(Vec::len).sum();
    let header = html! {
        header class=(HeaderTone::None.class()) {
            p class="session" { "history" }
            h1 {
                (counted(runs as u64, "nightly run")) " of " (counted(profiles.len() as u64, "profile"))
            }
            p {
                "A nightly run is a session that " code { "rushhour soak" } " judged. Profiles that differ in any setting are not compared; "
                "each has its own part."
            }
        }
    };
    page(
        "Nightly runs",
        &header,
        &html! {
            @for (number, nights) in profiles.iter().enumerate() {
                @if let Some((last, _)) = nights.last() {
                    (section(&format!("profile-{number}"), &title(last), &profile(number, nights)))
                }
            }
        },
    )
}

fn title(night: &NightlyRun) -> String {
    let hash: String = night.profile_hash.chars().take(8).collect();
    visible(&format!("{} ({hash})", night.profile))
}

fn profile(number: usize, nights: &JudgedHistory<'_>) -> Markup {
    let names: BTreeSet<&String> =
        nights.iter().flat_map(|(night, _)| night.series.keys()).collect();
    html! {
        (history_table(nights).html(Frame::Scrolled))
        @for (place, name) in names.iter().enumerate() {
            (chart(&format!("nights-{number}-{place}"), name, nights))
        }
    }
}

/// One series in one nightly run.
struct NightPoint<'a> {
    night: &'a NightlyRun,
    unit: SeriesUnit,
    level: f64,
    comparison: &'a NightlyComparison,
    judged: Option<&'a NightlyJudgement>,
}

impl NightPoint<'_> {
    fn is_worse(&self) -> bool {
        self.judged.is_some_and(|judged| judged.finding.is_worse())
    }
}

fn points<'a>(name: &str, nights: &'a JudgedHistory<'_>) -> Vec<NightPoint<'a>> {
    nights
        .iter()
        .filter(|(night, _)| night.is_conclusive())
        .filter_map(|(night, comparison)| {
            let figure = night.series.get(name)?;
            let judged = comparison.series.iter().find(|one| one.series == name);
            Some(NightPoint { night, unit: figure.unit, level: figure.level, comparison, judged })
        })
        .collect()
}

fn chart(id: &str, name: &str, nights: &JudgedHistory<'_>) -> Markup {
    let points = points(name, nights);
    let Some(last) = points.last() else { return html! {} };
    let highs = points.iter().filter_map(|point| Some(point.judged?.high));
    let values = points.iter().map(|point| point.level).chain(highs);
    let axis = ValueAxis::of(last.unit, values);
    let alarms = points.iter().filter(|point| point.is_worse()).count();
    let mut legend = vec![(LEVEL, "each nightly run, shaded: expected range".to_owned())];
    if alarms > 0 {
        legend.push((ALARM, "worse than previous nightly runs".to_owned()));
    }
    ChartFigure {
        id,
        title: html! { (name) },
        name: format!("{name} by nightly run"),
        description: format!(
            "{} nightly runs, {alarms} worse than those before them.",
            points.len()
        ),
        note: html! {},
        table: table(name, &points).html(Frame::Scrolled),
    }
    .draw(|canvas| {
        let (height, legend) = canvas.legend(&legend);
        let drawn = html! {
            (canvas.axes(
                &Axis { name: "nightly run", ticks: &night_ticks(canvas, &points) },
                &Axis { name: &axis.name(name), ticks: &axis.ticks() },
            ))
            (marks(canvas, axis, &points))
            (legend)
        };
        (height, drawn)
    })
}

/// The position of a nightly run on the horizontal axis.
fn position(index: usize, nights: usize) -> f64 {
    (index as f64 + 0.5) / nights as f64
}

/// Ticks with month and day.
fn night_ticks(canvas: &Canvas, points: &[NightPoint<'_>]) -> Vec<Tick> {
    let every = points.len().div_ceil(canvas.ticks_across / 2).max(1);
    points
        .iter()
        .enumerate()
        .step_by(every)
        .map(|(index, point)| Tick {
            position: position(index, points.len()),
            label: visible(&started(point.night)).chars().skip(5).take(5).collect(),
        })
        .collect()
}

fn marks(canvas: &Canvas, axis: ValueAxis, points: &[NightPoint<'_>]) -> Markup {
    let x = |index: usize| canvas.x(position(index, points.len()));
    let y = |value: f64| canvas.y(axis.at(value));
    let levels: Vec<(f64, f64)> =
        points.iter().enumerate().map(|(index, point)| (x(index), y(point.level))).collect();
    let ranges: Vec<(f64, f64, f64)> = points
        .iter()
        .enumerate()
        .filter_map(|(index, point)| {
            let judged = point.judged?;
            Some((x(index), y(judged.low.max(0.0)), y(judged.high)))
        })
        .collect();
    let upper = ranges.iter().map(|(x, _, high)| Some((*x, *high)));
    let lower = ranges.iter().rev().map(|(x, low, _)| Some((*x, *low)));
    html! {
        @if ranges.len() > 1 {
            path class=(LEVEL.class("band")) d=(format!("{}z", line_through(upper.chain(lower)))) {}
        }
        (LEVEL.path(&line_through(levels.iter().copied().map(Some))))
        @for ((x, y), point) in levels.iter().zip(points) {
            @let style = if point.is_worse() { ALARM } else { LEVEL };
            (style.mark(*x, *y))
        }
    }
}

fn table<'a>(name: &'a str, points: &'a [NightPoint<'a>]) -> Table<'a, &'a NightPoint<'a>> {
    type Row<'a> = &'a NightPoint<'a>;
    Table::new([
        Column::text("nightly run", |row: &Row<'_>| Cell::text(started(row.night))),
        Column::number(name, |row: &Row<'_>| Cell::text(row.unit.amount(row.level))),
        Column::text("expected range", |row: &Row<'_>| {
            row.judged
                .map_or_else(|| Cell::missing("n/a"), |judged| Cell::text(expected_range(judged)))
        }),
        Column::text("finding", |row: &Row<'_>| {
            row.judged.map_or_else(
                || Cell::missing("too few previous runs"),
                |judged| Cell::text(nightly_sentence(row.comparison, judged)),
            )
        }),
    ])
    .with_rows(points)
}
