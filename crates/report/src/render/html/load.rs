//! The load over time: starts requested and delivered, and runs in flight.

use maud::{Markup, html};

use super::chart::{Canvas, ChartFigure, LineStyle, line_through};
use super::over_time::end;
use super::scale::{Axis, Scale};
use super::stages::stages;
use crate::fold::FoldedSession;
use crate::render::table::{Cell, Column, Frame, Number, Table};
use crate::session::{Bin, StartRates, count_bins, start_rates};
use rushhour_core::units::{Micros, SessionTime};

const DELIVERED: LineStyle = LineStyle(0);
const REQUESTED: LineStyle = LineStyle(1);
const IN_FLIGHT: LineStyle = LineStyle(0);

pub(super) fn load(folded: &FoldedSession) -> Markup {
    let bins = count_bins(folded);
    if bins.iter().all(|bin| bin.intended == 0 && bin.started == 0) {
        return html! { p { "No run was planned to start, so there is no load to show." } };
    }
    let chart = LoadChart { folded, bins: &bins };
    html! { (chart.rate()) (chart.in_flight()) }
}

struct LoadChart<'a> {
    folded: &'a FoldedSession,
    bins: &'a [Bin],
}

impl LoadChart<'_> {
    fn rate(&self) -> Markup {
        let requested = |bin: &Bin| bin.intended as f64 / bin.seconds();
        let delivered = |bin: &Bin| bin.started as f64 / bin.seconds();
        let most =
            self.bins.iter().flat_map(|bin| [requested(bin), delivered(bin)]).fold(0.0, f64::max);
        let over_all = match start_rates(self.folded) {
            StartRates { requested: Some(requested), delivered: Some(delivered) } => format!(
                "Over the whole session, {requested:.3} starts per second were requested and {delivered:.3} were delivered."
            ),
            _ => "All starts were at one instant, so there is no rate over the whole session."
                .to_owned(),
        };
        ChartFigure {
            id: "rate",
            title: html! { "Starts requested and delivered" },
            name: "Starts requested and delivered over time".to_owned(),
            description: format!("{over_all} The most in one period were {most:.2} per second."),
            note: html! {
                (over_all) " Where the lines differ, the load generator or its limits held starts back."
            },
            table: table(self.bins).html(Frame::Scrolled),
        }
        .draw(|canvas| {
            let legend =
                [(REQUESTED, "requested".to_owned()), (DELIVERED, "delivered".to_owned())];
            let scale = Scale::up_to(most);
            self.draw(canvas, "starts per second", scale, &legend, |time| {
                html! {
                    (DELIVERED.path(&steps(canvas, self.bins, time, scale, delivered)))
                    (REQUESTED.path(&steps(canvas, self.bins, time, scale, requested)))
                }
            })
        })
    }

    fn in_flight(&self) -> Markup {
        let count = |bin: &Bin| bin.in_flight_at_end as f64;
        let most = self.bins.iter().map(count).fold(0.0, f64::max);
        let peak = self.folded.in_flight_peak;
        let limit = self.folded.opening.profile.limits.in_flight;
        let peak = format!("At most {peak} runs were in flight at once; the limit was {limit}.");
        ChartFigure {
            id: "in-flight",
            title: html! { "Runs in flight" },
            name: "Runs in flight over time".to_owned(),
            description: peak.clone(),
            note: html! { (peak) " The chart shows the number at the end of each period." },
            table: table(self.bins).html(Frame::Scrolled),
        }
        .draw(|canvas| {
            let scale = Scale::up_to(most);
            self.draw(canvas, "runs", scale, &[], |time| {
                let point = |bin: &Bin| {
                    (canvas.x(time.at(bin.to.0 as f64)), canvas.y(scale.at(count(bin))))
                };
                let start = Some((canvas.x(0.0), canvas.y(0.0)));
                let points = self.bins.iter().map(|bin| Some(point(bin)));
                IN_FLIGHT.path(&line_through(std::iter::once(start).chain(points)))
            })
        })
    }

    /// Axes, stages and legend around lines over time.
    fn draw(
        &self,
        canvas: &Canvas,
        name: &str,
        scale: Scale,
        legend: &[(LineStyle, String)],
        lines: impl Fn(Scale) -> Markup,
    ) -> (f64, Markup) {
        let time = Scale::time(end(self.bins));
        let (height, legend) = canvas.legend(legend);
        let drawn = html! {
            (stages(self.folded, canvas, time))
            (canvas.axes(
                &Axis { name: "session time", ticks: &time.time_ticks(canvas.ticks_across) },
                &Axis { name, ticks: &scale.number_ticks(5) },
            ))
            (lines(time))
            (legend)
        };
        (height, drawn)
    }
}

/// A line that is constant over each bin.
fn steps(
    canvas: &Canvas,
    bins: &[Bin],
    time: Scale,
    scale: Scale,
    value: impl Fn(&Bin) -> f64,
) -> String {
    line_through(bins.iter().flat_map(|bin| {
        let y = canvas.y(scale.at(value(bin)));
        [bin.from, bin.to].map(|at| Some((canvas.x(time.at(at.0 as f64)), y)))
    }))
}

fn table(bins: &[Bin]) -> Table<'_, &Bin> {
    let time = |at: SessionTime| Cell::number(Number::micros(Micros(at.0)));
    let count = |name, value: fn(&Bin) -> u64| {
        Column::number(name, move |row: &&Bin| Cell::count(value(row)))
    };
    Table::new([
        Column::number("from", move |row: &&Bin| time(row.from)),
        Column::number("to", move |row: &&Bin| time(row.to)),
        count("requested", |bin| bin.intended),
        count("delivered", |bin| bin.started),
        count("skipped", |bin| bin.skipped),
        count("completed", |bin| bin.completed),
        count("failed", |bin| bin.failed),
        count("in flight at the end", |bin| bin.in_flight_at_end),
    ])
    .with_rows(bins)
}
