//! The levels in the order in which they were tried.

use maud::{Markup, html};

use super::verdict_marks::{legend, level_mark};
use crate::capacity::TrialFinding;
use crate::render::html::chart::{ChartFigure, LineStyle, line_through};
use crate::render::html::scale::{Axis, Scale};
use crate::render::sentences::counted;
use crate::render::table::{Cell, Column, Frame, Table};
use crate::render::tables::capacity::level_verdict;

/// The line that connects the levels.
const PATH: LineStyle = LineStyle(5);

pub(in crate::render::html) fn levels(findings: &[TrialFinding]) -> Markup {
    if findings.is_empty() {
        return html! { p { "No session was run." } };
    }
    let highest = findings.iter().map(TrialFinding::in_flight).max().unwrap_or(1);
    let (up, across) = (Scale::up_to(f64::from(highest)), Scale::up_to(findings.len() as f64));
    let marks: Vec<LineStyle> =
        findings.iter().map(|finding| level_mark(finding.result.verdict)).collect();
    let sessions = counted(findings.len() as u64, "session");
    ChartFigure {
        id: "levels-in-order",
        title: html! { "Levels in the order in which they were tried" },
        name: "Levels in the order in which they were tried".to_owned(),
        description: format!("{sessions}, of up to {highest} at once."),
        note: html! { "Each mark is a session with that many conversations at once." },
        table: table(findings).html(Frame::Scrolled),
    }
    .draw(|canvas| {
        let points: Vec<(f64, f64)> = findings
            .iter()
            .map(|finding| {
                let (x, y) = (f64::from(finding.number), f64::from(finding.in_flight()));
                (canvas.x(across.at(x)), canvas.y(up.at(y)))
            })
            .collect();
        let (height, legend) = canvas.legend(&legend(&marks));
        let drawn = html! {
            (canvas.axes(
                &Axis { name: "session", ticks: &across.number_ticks(canvas.ticks_across) },
                &Axis { name: "at once", ticks: &up.number_ticks(7) },
            ))
            (PATH.path(&line_through(points.iter().copied().map(Some))))
            @for ((x, y), mark) in points.iter().zip(&marks) { (mark.mark(*x, *y)) }
            (legend)
        };
        (height, drawn)
    })
}

fn table(findings: &[TrialFinding]) -> Table<'_, &TrialFinding> {
    Table::new([
        Column::number("session", |row: &&TrialFinding| Cell::count(row.number.into())),
        Column::number("at once", |row: &&TrialFinding| Cell::count(row.in_flight().into())),
        Column::text("verdict", |row: &&TrialFinding| level_verdict(row.result.verdict)),
    ])
    .with_rows(findings)
}
