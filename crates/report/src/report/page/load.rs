//! The load over time: starts asked for against starts made, and runs in flight.

use maud::{Markup, html};

use super::super::validity::rates;
use super::bins::{Bin, count_bins};
use super::chart::{Canvas, ChartFigure, LineStyle, through};
use super::over_time::end;
use super::scale::Scale;
use super::stages::stages;
use super::tables::scrolled;
use crate::fold::FoldedSession;
use rushhour_core::units::Micros;

const DELIVERED: LineStyle = LineStyle(0);
const ASKED: LineStyle = LineStyle(1);
const IN_FLIGHT: LineStyle = LineStyle(0);

/// Both figures; words where nothing was to start.
pub(super) fn load(folded: &FoldedSession) -> Markup {
    let bins = count_bins(folded);
    if bins.iter().all(|bin| bin.intended == 0 && bin.started == 0) {
        return html! { p { "No run was to start, so there is no load to show." } };
    }
    html! {
        (rate(folded, &bins))
        (in_flight(folded, &bins))
    }
}

fn rate(folded: &FoldedSession, bins: &[Bin]) -> Markup {
    let asked = |bin: &Bin| bin.intended as f64 / bin.seconds();
    let made = |bin: &Bin| bin.started as f64 / bin.seconds();
    let most = bins.iter().flat_map(|bin| [asked(bin), made(bin)]).fold(0.0, f64::max);
    let over_all = match rates(folded) {
        (Some(asked), Some(delivered)) => format!(
            "Over the whole session {asked:.3} starts a second were asked for and {delivered:.3} were made."
        ),
        _ => {
            "All starts were at one instant, so there is no rate over the whole session.".to_owned()
        }
    };
    ChartFigure {
        id: "rate",
        title: html! { "Starts asked for and made" },
        name: "Starts asked for and made, over time".to_owned(),
        description: format!("{over_all} The most in one stretch was {most:.2} a second."),
        note: html! { (over_all) " Where the lines part, the generator or its limits held starts back." },
        table: table(bins),
    }
    .draw(|canvas| {
        let key = [(ASKED, "asked for".to_owned()), (DELIVERED, "made".to_owned())];
        let up = Scale::up_to(most);
        draw(folded, canvas, bins, up, "starts a second", &key, &|canvas, time| {
            html! {
                (DELIVERED.path(&stairs(canvas, bins, time, up, made)))
                (ASKED.path(&stairs(canvas, bins, time, up, asked)))
            }
        })
    })
}

fn in_flight(folded: &FoldedSession, bins: &[Bin]) -> Markup {
    let count = |bin: &Bin| bin.in_flight_at_end as f64;
    let most = bins.iter().map(count).fold(0.0, f64::max);
    let peak = folded.in_flight_peak;
    let limit = folded.opening.profile.limits.in_flight;
    ChartFigure {
        id: "in-flight",
        title: html! { "Runs in flight" },
        name: "Runs in flight, over time".to_owned(),
        description: format!("At most {peak} runs were in flight at once; {limit} were allowed."),
        note: html! {
            "At most " (peak) " at once; " (limit) " were allowed. Drawn as they stood at the end of each stretch."
        },
        table: table(bins),
    }
    .draw(|canvas| {
        let key = [];
        let up = Scale::up_to(most);
        draw(folded, canvas, bins, up, "runs", &key, &|canvas, time| {
            let points = bins
                .iter()
                .map(|bin| Some((canvas.x(time.at(bin.to.0 as f64)), canvas.y(up.at(count(bin))))));
            let from = Some((canvas.x(0.0), canvas.y(0.0)));
            IN_FLIGHT.path(&through(std::iter::once(from).chain(points)))
        })
    })
}

fn draw(
    folded: &FoldedSession,
    canvas: &Canvas,
    bins: &[Bin],
    up: Scale,
    name: &str,
    key: &[(LineStyle, String)],
    lines: &dyn Fn(&Canvas, Scale) -> Markup,
) -> (f64, Markup) {
    let time = Scale::time(end(bins));
    let ticks = |scale: Scale, ticks: Vec<(f64, String)>| -> Vec<(f64, String)> {
        ticks.into_iter().map(|(value, words)| (scale.at(value), words)).collect()
    };
    let across = ticks(time, time.time_ticks(canvas.ticks_across));
    let upward = ticks(up, up.number_ticks(5));
    let (height, key) = canvas.key(key);
    let drawn = html! {
        (stages(folded, canvas, time))
        (canvas.frame(&across, &upward, ("session time", name)))
        (lines(canvas, time))
        (key)
    };
    (height, drawn)
}

/// A line that keeps its height over each stretch.
fn stairs(
    canvas: &Canvas,
    bins: &[Bin],
    time: Scale,
    up: Scale,
    value: impl Fn(&Bin) -> f64,
) -> String {
    through(bins.iter().flat_map(|bin| {
        let y = canvas.y(up.at(value(bin)));
        [bin.from, bin.to].map(|at| Some((canvas.x(time.at(at.0 as f64)), y)))
    }))
}

fn table(bins: &[Bin]) -> Markup {
    scrolled(&html! {
        table {
            thead { tr {
                th scope="col" { "from" } th scope="col" { "to" }
                th scope="col" { "asked for" } th scope="col" { "made" } th scope="col" { "skipped" }
                th scope="col" { "completed" } th scope="col" { "failed" }
                th scope="col" { "in flight at its end" }
            } }
            tbody {
                @for bin in bins {
                    tr {
                        td { (Micros(bin.from.0)) }
                        td { (Micros(bin.to.0)) }
                        td { (bin.intended) }
                        td { (bin.started) }
                        td { (bin.skipped) }
                        td { (bin.completed) }
                        td { (bin.failed) }
                        td { (bin.in_flight_at_end) }
                    }
                }
            }
        }
    })
}
