//! The sessions in the order in which they were held: drawn, and as a table with the way to each one's report.

use maud::{Markup, html};

use super::marks::{key, line_of, shown};
use crate::capacity::completed_search::CompletedSearch;
use crate::capacity::finding::TrialFinding;
use crate::capacity::messages::figure;
use crate::report::{
    ChartFigure, LineStyle, Scale, over_interval, place, scrolled, sideways, through, visible,
};

/// The line through the levels.
const PATH: LineStyle = LineStyle(5);

/// The levels in their order.
pub(super) fn levels(searched: &CompletedSearch<'_>) -> Markup {
    let findings = searched.findings;
    if findings.is_empty() {
        return html! { p { "No session was held." } };
    }
    let highest = findings.iter().map(TrialFinding::in_flight).max().unwrap_or(1);
    let (up, across) = (Scale::up_to(f64::from(highest)), Scale::up_to(findings.len() as f64));
    let drawn: Vec<LineStyle> =
        findings.iter().map(|finding| line_of(finding.result.verdict)).collect();
    ChartFigure {
        id: "levels-in-order",
        title: html! { "Levels in the order in which they were held" },
        name: "Levels in the order in which they were held".to_owned(),
        description: format!("{} sessions, of up to {highest} at once.", findings.len()),
        note: html! { "To the right the sessions, upward how many were held at once." },
        table: table(findings),
    }
    .draw(|canvas| {
        let ticks = |scale: Scale, most| -> Vec<_> {
            scale
                .number_ticks(most)
                .into_iter()
                .map(|(value, words)| (scale.at(value), words))
                .collect()
        };
        let points: Vec<(f64, f64)> = findings
            .iter()
            .map(|finding| {
                let (x, y) = (f64::from(finding.number), f64::from(finding.in_flight()));
                (canvas.x(across.at(x)), canvas.y(up.at(y)))
            })
            .collect();
        let (height, key) = canvas.key(&key(&drawn));
        let frame = canvas.frame(
            &ticks(across, canvas.ticks_across),
            &ticks(up, 7),
            ("session", "at once"),
        );
        let markup = html! {
            (frame)
            (PATH.path(&through(points.iter().copied().map(Some))))
            @for ((x, y), line) in points.iter().zip(&drawn) { (line.mark(*x, *y)) }
            (key)
        };
        (height, markup)
    })
}

fn table(findings: &[TrialFinding]) -> Markup {
    scrolled(&html! {
        table class="figures" {
            thead { tr {
                th scope="col" class="number" { "session" } th scope="col" class="number" { "at once" }
                th scope="col" { "verdict" }
            } }
            tbody {
                @for finding in findings {
                    tr {
                        td class="number" { (finding.number) }
                        td class="number" { (finding.in_flight()) }
                        td { (shown(finding.result.verdict)) }
                    }
                }
            }
        }
    })
}

/// Every session with its figures and the way to its own report.
pub(super) fn sessions(searched: &CompletedSearch<'_>) -> Markup {
    let thresholds = &searched.opening.profile.thresholds;
    sideways(&html! {
        table {
            thead { tr {
                th scope="col" class="number" { "session" } th scope="col" class="number" { "at once" }
                th scope="col" { "for" } th scope="col" { "verdict" } th scope="col" { "measured" }
                th scope="col" class="number" { "runs" } th scope="col" class="number" { "failed" }
                @for threshold in thresholds { th scope="col" { (threshold) } }
                th scope="col" { "report" }
            } }
            tbody {
                @for finding in searched.findings {
                    tr {
                        th scope="row" class="number" { (finding.number) }
                        td class="number" { (finding.in_flight()) }
                        td { (finding.purpose().name()) }
                        td { (shown(finding.result.verdict)) }
                        td { (finding.result.trial.duration) }
                        td class="number" { (finding.runs) }
                        td class="number" { (finding.failed) }
                        @for found in &finding.thresholds {
                            td { (over_interval(&figure(&found.threshold, found.estimated))) " (n=" (found.n) ")" }
                        }
                        td { a href=(format!("{}/report.html", place_of(&finding.folder))) {
                            (visible(&finding.folder))
                        } }
                    }
                    @for words in &finding.generator_faults {
                        tr { td {} td colspan=(thresholds.len() + 7) class="aside" { (visible(words)) } }
                    }
                }
            }
        }
    })
}

/// A folder's name as an address: letters, digits, `-`, `_`, `.` and the slashes between are all it holds.
fn place_of(folder: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || "-_./".contains(*c);
    folder.chars().filter(fits).collect()
}

/// A mark's place, kept here so that figures draw it alike.
pub(super) fn upright(line: LineStyle, x: f64, from: f64, to: f64) -> Markup {
    let path = format!("M{} {}V{}", place(x), place(from), place(to));
    html! { path class=(line.class("interval")) d=(path) {} }
}
