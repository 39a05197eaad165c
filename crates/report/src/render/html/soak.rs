//! `soak.html`: the answer, each series with its trend, leaks, previous nightly runs.

use maud::{Markup, html};

use super::chart::{Canvas, ChartFigure, LineStyle, line_through};
use super::history::previous_nightly_runs;
use super::page::{Beside, HeaderTone};
use super::parts::{PageParts, PageSection};
use super::provenance::provenance;
use super::scale::{Axis, Scale};
use super::sections::{generator, thresholds};
use super::session_page::session_parts;
use super::stages::stages;
use super::value_axis::ValueAxis;
use crate::fold::FoldedSession;
use crate::render::sentences::capitalised;
use crate::render::sentences::soak::{
    percent, series_sentence, session_faults, soak_headline, soak_notes,
};
use crate::render::table::{Cell, Column, Frame, Number, Table};
use crate::render::tables::soak::{leak_table, series_table};
use crate::render::visible;
use crate::session::{Criterion, SessionVerdict};
use crate::soak::{FALSE_ALARMS, SeriesJudgement, SeriesPoint, Slope, SoakAnalysis, SoakVerdict};
use rushhour_core::units::Micros;

const VALUES: LineStyle = LineStyle(0);
const TREND: LineStyle = LineStyle(1);
const LEVELS: LineStyle = LineStyle(4);
/// Segments of a trend line, which is curved on a logarithmic axis.
const SEGMENTS: u32 = 24;
/// Microseconds in an hour.
const HOUR: f64 = 3.6e9;

/// A soak as one page.
pub fn soak_page(
    soak: &SoakAnalysis,
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
) -> String {
    soak_parts(soak, folded, verdict, criterion).framed(Beside::Nothing)
}

/// A soak in parts, with those of its session's report below: what those see who watched it.
pub fn soak_and_session_parts(
    soak: &SoakAnalysis,
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
) -> PageParts {
    let session = session_parts(folded, verdict, criterion);
    soak_parts(soak, folded, verdict, criterion).with_sections_of(session)
}

fn soak_parts(
    soak: &SoakAnalysis,
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
) -> PageParts {
    let nightly = "Compared with previous nightly runs";
    PageParts::new(
        format!("{}: {}", visible(&soak.profile), soak.verdict.label()),
        header(soak, verdict),
        [
            PageSection::new("series", "Series", drift(soak, folded)),
            PageSection::new("leaks", "Leaks", leak_table(&soak.leaks).html(Frame::None)),
            PageSection::new("nightly", nightly, previous_nightly_runs(&soak.nightly)),
            PageSection::new("thresholds", "Thresholds", thresholds(verdict, criterion)),
            PageSection::new("generator", "Load generator", generator(folded, verdict)),
            PageSection::new("provenance", "Provenance", provenance(folded)),
        ],
    )
}

fn header(soak: &SoakAnalysis, verdict: &SessionVerdict) -> Markup {
    let tone = match soak.verdict {
        // The session's failures are its end's as well.
        SoakVerdict::Steady if verdict.any_failed() => HeaderTone::Failed,
        SoakVerdict::Steady => HeaderTone::Passed,
        SoakVerdict::Drifts => HeaderTone::Failed,
        SoakVerdict::NotEnoughData => HeaderTone::Undecided,
        SoakVerdict::Invalid => HeaderTone::Invalid,
    };
    html! {
        header class=(tone.class()) {
            p class="session" { (visible(&soak.session)) }
            h1 { (tone.sign()) (soak.verdict.label()) ": " (visible(&soak_headline(soak))) "." }
            p {
                (soak.runs) " measured runs over " (soak.windows.span()) ", " (soak.failed) " failed; "
                (soak.windows.windows.len()) " windows of " (soak.windows.width) "."
            }
            @for fault in session_faults(verdict) { p class="warning" { (capitalised(&fault)) "." } }
            @for note in &soak_notes(soak) { p class="warning" { (visible(&capitalised(note))) "." } }
        }
    }
}

/// The series and their charts.
pub(super) fn drift(soak: &SoakAnalysis, folded: &FoldedSession) -> Markup {
    html! { (series(soak)) (charts(soak, folded)) }
}

fn series(soak: &SoakAnalysis) -> Markup {
    if soak.series.is_empty() {
        return html! { p { "Nothing was measured that could be followed over time." } };
    }
    let criteria = &soak.criteria.settings;
    html! {
        (series_table(soak).html(Frame::Whole))
        p class="aside" {
            "A series drifts if the interval of its change excludes zero and the change is more than "
            (percent(criteria.material.fraction())) " of its start (" (percent(criteria.material_failures.fraction()))
            " in percentage points for failures). Lines are Theil-Sen lines, with intervals from resampling blocks of "
            "neighbouring windows. All " (soak.family) " series are judged as one family: in a steady session, the "
            "probability that any of them is called drifting is at most " (percent(FALSE_ALARMS)) ". The first and "
            "the last period are an hour each, or a sixth of a shorter session."
        }
    }
}

/// A chart per series, those first that changed.
fn charts(soak: &SoakAnalysis, folded: &FoldedSession) -> Markup {
    let drawn = soak.series.iter().filter(|one| !one.points.is_empty());
    let (changed, steady): (Vec<_>, Vec<_>) = drawn.partition(|one| one.finding.is_change());
    html! {
        @for judged in changed.into_iter().chain(steady) {
            (SeriesChart::new(judged, soak).draw(folded))
        }
    }
}

/// The trend line and the ends of its interval at a position along the session from 0 to 1.
fn trend_at(slope: &Slope, along: f64) -> (f64, f64, f64) {
    let middle = f64::midpoint(slope.start, slope.end);
    let from_middle = along - 0.5;
    let ends = [slope.change_low, slope.change_high].map(|change| middle + change * from_middle);
    let (low, high) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
    (middle + slope.change * from_middle, low.max(0.0), high.max(0.0))
}

struct SeriesChart<'a> {
    judged: &'a SeriesJudgement,
    soak: &'a SoakAnalysis,
    time: Scale,
    axis: ValueAxis,
}

impl<'a> SeriesChart<'a> {
    fn new(judged: &'a SeriesJudgement, soak: &'a SoakAnalysis) -> Self {
        let end = soak.windows.start_of(soak.windows.windows.len());
        let axis =
            ValueAxis::of(judged.series.unit(), judged.points.iter().map(|point| point.value));
        Self { judged, soak, time: Scale::time(Micros(end.0)), axis }
    }

    fn draw(&self, folded: &FoldedSession) -> Markup {
        let judged = self.judged;
        let (name, unit) = (judged.series.name(), judged.series.unit());
        let sentence = series_sentence(self.soak, judged);
        let values = || judged.points.iter().map(|point| point.value);
        let mut legend = vec![(VALUES, "each window".to_owned())];
        if judged.step.is_some() {
            legend.push((LEVELS, "step".to_owned()));
        } else if judged.slope.is_some() {
            legend.push((TREND, "trend, shaded: its interval".to_owned()));
        }
        ChartFigure {
            id: &format!("series-{}", name.replace(['.', ' '], "-")),
            title: html! { (name) },
            name: format!("{name} over the session"),
            description: format!(
                "{} windows, from {} to {}; {sentence}.",
                judged.points.len(),
                unit.amount(values().fold(f64::INFINITY, f64::min)),
                unit.amount(values().fold(0.0, f64::max)),
            ),
            note: html! { (visible(&sentence)) "." },
            table: values_table(judged, self.soak).html(Frame::Scrolled),
        }
        .draw(|canvas| {
            let points: Vec<(f64, f64)> = judged
                .points
                .iter()
                .map(|point| (self.x(canvas, point.hours), self.y(canvas, point.value)))
                .collect();
            let (height, legend) = canvas.legend(&legend);
            let drawn = html! {
                (stages(folded, canvas, self.time))
                (canvas.axes(
                    &Axis { name: "session time", ticks: &self.time.time_ticks(canvas.ticks_across) },
                    &Axis { name: &self.axis.name(&name), ticks: &self.axis.ticks() },
                ))
                @if judged.step.is_some() { (self.levels(canvas)) } @else { (self.trend(canvas)) }
                (VALUES.path(&line_through(points.iter().copied().map(Some))))
                @for (x, y) in &points { (VALUES.mark(*x, *y)) }
                (legend)
            };
            (height, drawn)
        })
    }

    fn x(&self, canvas: &Canvas, hours: f64) -> f64 {
        canvas.x(self.time.at(hours * HOUR))
    }

    fn y(&self, canvas: &Canvas, value: f64) -> f64 {
        canvas.y(self.axis.at(value))
    }

    fn ends(&self) -> Option<(&SeriesPoint, &SeriesPoint)> {
        self.judged.points.first().zip(self.judged.points.last())
    }

    /// The trend line with its interval.
    fn trend(&self, canvas: &Canvas) -> Markup {
        let Some((slope, (first, last))) = self.judged.slope.zip(self.ends()) else {
            return html! {};
        };
        let point = |step: u32| {
            let along = f64::from(step) / f64::from(SEGMENTS);
            let x = self.x(canvas, first.hours + (last.hours - first.hours) * along);
            let (value, low, high) = trend_at(&slope, along);
            (x, self.y(canvas, value), self.y(canvas, low), self.y(canvas, high))
        };
        let points: Vec<_> = (0..=SEGMENTS).map(point).collect();
        let line = line_through(points.iter().map(|(x, value, ..)| Some((*x, *value))));
        let upper = points.iter().map(|(x, _, _, high)| Some((*x, *high)));
        let lower = points.iter().rev().map(|(x, _, low, _)| Some((*x, *low)));
        html! {
            path class=(TREND.class("band")) d=(format!("{}z", line_through(upper.chain(lower)))) {}
            (TREND.path(&line))
        }
    }

    /// The levels before and after a step.
    fn levels(&self, canvas: &Canvas) -> Markup {
        let Some((step, (first, last))) = self.judged.step.as_ref().zip(self.ends()) else {
            return html! {};
        };
        let at = step.at.0 as f64 / HOUR;
        let corners = [
            (first.hours, step.before),
            (at, step.before),
            (at, step.after),
            (last.hours, step.after),
        ];
        LEVELS.path(&line_through(
            corners.map(|(hours, value)| Some((self.x(canvas, hours), self.y(canvas, value)))),
        ))
    }
}

fn values_table<'a>(
    judged: &'a SeriesJudgement,
    soak: &'a SoakAnalysis,
) -> Table<'a, &'a SeriesPoint> {
    let (windows, unit) = (&soak.windows, judged.series.unit());
    Table::new([
        Column::number("from", move |row: &&SeriesPoint| {
            Cell::number(Number::micros(Micros(windows.start_of(row.index).0)))
        }),
        Column::number("runs", move |row: &&SeriesPoint| {
            Cell::count(windows.windows.get(row.index).map_or(0, |window| window.runs))
        }),
        Column::number(judged.series.name(), move |row: &&SeriesPoint| {
            Cell::text(unit.amount(row.value))
        }),
    ])
    .with_rows(&judged.points)
}
