//! How agents sounded: gaps in each minute of speech over time, and by the number of conversations at once. Beside it, how
//! well they heard, and how they took turns.

use maud::{Markup, html};

use super::chart::{Canvas, ChartFigure, LineStyle, coordinate, line_through};
use super::over_time::end;
use super::scale::{Axis, Scale};
use super::stages::stages;
use super::turn_taking::{turn_columns, turns_against_load, turns_over_time};
use crate::fold::FoldedSession;
use crate::render::sentences::quality::quality_notes;
use crate::render::table::{Cell, Column, Frame, Number, Table, Unit};
use crate::render::visible;
use crate::session::{Bin, GapStretch, LoadTurns, break_up, sound_bins, turns_by_load};
use rushhour_core::event::SpeechQuality;
use rushhour_core::units::{Micros, SessionTime};

/// A cause of gaps: its name, and how many gaps have it.
type Cause = (&'static str, fn(&SpeechQuality) -> u32);

const CAUSES: [Cause; 3] = [
    ("synthesis starved", |sound| sound.starved),
    ("packets came late", |sound| sound.late),
    ("packets were lost", |sound| sound.lost),
];

const SPEECH: LineStyle = LineStyle(0);

/// The width of the label of the first rise.
const RISE_LABEL: f64 = 125.0;

/// `None` where no agent spoke to a caller of ours.
pub(super) fn speech(folded: &FoldedSession) -> Option<Markup> {
    let all = folded.quality.sum.known()?;
    let bins = sound_bins(folded);
    let by_load = turns_by_load(folded);
    let at_several_loads = by_load.len() > 1;
    Some(html! {
        @for note in quality_notes(folded) { p { (visible(&note)) } }
        p class="aside" {
            "A gap is at least 30 ms of speech that a listener does not hear: digital silence that cuts it while packets go on "
            "(the synthesis starved), packets later than a jitter buffer of 100 ms (the agent's machine starved, or the "
            "network held them), or packets that never came. Pauses of the voice are no gaps. Turns are placed where "
            "they were said."
        }
        @if all.sound.speech > Micros::ZERO {
            (over_time(folded, &bins, &break_up(folded)))
            @if at_several_loads { (against_load(&by_load)) }
        }
        @if let Some(chart) = turns_over_time(folded, &bins, turn_period_table(&bins).html(Frame::Scrolled)) { (chart) }
        @if at_several_loads {
            @if let Some(chart) = turns_against_load(&by_load, turn_load_table(&by_load).html(Frame::Scrolled)) { (chart) }
        }
    })
}

/// Gaps in each minute of speech; `None` without speech.
fn per_minute(gaps: u64, sound: &SpeechQuality) -> Option<f64> {
    let minutes = sound.speech.as_secs_f64() / 60.0;
    (minutes > 0.0).then(|| gaps as f64 / minutes)
}

fn over_time(folded: &FoldedSession, bins: &[Bin], stretches: &[GapStretch]) -> Markup {
    let causes: Vec<(usize, Cause)> = CAUSES
        .into_iter()
        .enumerate()
        .filter(|(_, (_, count))| count(&folded.quality.sum.sound) > 0)
        .collect();
    let causes = if causes.is_empty() { vec![(0, CAUSES[0])] } else { causes };
    let value = |bin: &Bin, count: fn(&SpeechQuality) -> u32| {
        per_minute(count(&bin.turns.quality.sound).into(), &bin.turns.quality.sound)
    };
    let highest = bins
        .iter()
        .flat_map(|bin| causes.iter().filter_map(move |(_, (_, count))| value(bin, *count)))
        .fold(0.0, f64::max);
    ChartFigure {
        id: "speech-gaps",
        title: html! { "Gaps in each minute of speech, over time" },
        name: "Gaps in each minute of speech over time".to_owned(),
        description: format!("The most in one period were {highest:.2} a minute of one cause."),
        note: html! {},
        table: period_table(bins).html(Frame::Scrolled),
    }
    .draw(|canvas| {
        let (time, gaps) = (Scale::time(end(bins)), Scale::up_to(highest));
        let points = |count: fn(&SpeechQuality) -> u32| -> Vec<Option<(f64, f64)>> {
            let point = |bin: &Bin| {
                Some((canvas.x(time.at(bin.middle())), canvas.y(gaps.at(value(bin, count)?))))
            };
            bins.iter().map(point).collect()
        };
        let names: Vec<(LineStyle, String)> = causes
            .iter()
            .map(|(index, (name, _))| (LineStyle(*index), (*name).to_owned()))
            .collect();
        let (height, legend) = canvas.legend(&names);
        let drawn = html! {
            (stages(folded, canvas, time))
            (axes(canvas, &Axis { name: "session time", ticks: &time.time_ticks(canvas.ticks_across) }, gaps))
            (rises(stretches, canvas, time))
            @for (index, (_, count)) in &causes {
                @let points = points(*count);
                (LineStyle(*index).path(&line_through(points.iter().copied())))
                @for (x, y) in points.iter().flatten() { (LineStyle(*index).mark(*x, *y)) }
            }
            (legend)
        };
        (height, drawn)
    })
}

/// A line where the speech began to break up, and where it became worse.
fn rises(stretches: &[GapStretch], canvas: &Canvas, time: Scale) -> Markup {
    let (top, foot) = (coordinate(canvas.y(1.0)), coordinate(canvas.y(0.0)));
    let rises = stretches.iter().skip(1).map(|rise| canvas.x(time.at(rise.from_us as f64)));
    html! {
        @if stretches.len() > 1 {
            g class="moments" {
                @for (number, x) in rises.enumerate() {
                    line x1=(coordinate(x)) x2=(coordinate(x)) y1=(top) y2=(foot) {}
                    @if number == 0 {
                        @let (x, anchor) = if canvas.x(1.0) - x < RISE_LABEL { (x - 4.0, "end") } else { (x + 4.0, "start") };
                        text x=(coordinate(x)) y=(coordinate(canvas.y(1.0) + 42.0)) text-anchor=(anchor) { "began to break up" }
                    }
                }
            }
        }
    }
}

fn axes(canvas: &Canvas, horizontal: &Axis<'_>, gaps: Scale) -> Markup {
    canvas.axes(horizontal, &Axis { name: "gaps a minute", ticks: &gaps.number_ticks(5) })
}

fn against_load(by_load: &[LoadTurns]) -> Markup {
    let value =
        |load: &LoadTurns| per_minute(load.turns.quality.sound.gaps(), &load.turns.quality.sound);
    let highest = by_load.iter().filter_map(value).fold(0.0, f64::max);
    let most = by_load.iter().map(|load| load.in_flight).max().unwrap_or(0);
    ChartFigure {
        id: "speech-load",
        title: html! { "Gaps in each minute of speech, by conversations at once" },
        name: "Gaps in each minute of speech by conversations at once".to_owned(),
        description: format!("The most were {highest:.2} a minute, of up to {most} conversations at once."),
        note: html! { "Each mark is the speech of all moments with about as many conversations." },
        table: load_table(by_load).html(Frame::Scrolled),
    }
    .draw(|canvas| {
        let (loads, gaps) = (Scale::up_to(most as f64), Scale::up_to(highest));
        let point = |load: &LoadTurns| {
            let x = canvas.x(loads.at(load.in_flight as f64));
            Some((x, canvas.y(gaps.at(value(load)?))))
        };
        let points: Vec<Option<(f64, f64)>> = by_load.iter().map(point).collect();
        let (height, legend) = canvas.legend(&[]);
        let drawn = html! {
            (axes(canvas, &Axis { name: "at once", ticks: &loads.number_ticks(canvas.ticks_across) }, gaps))
            (SPEECH.path(&line_through(points.iter().copied())))
            @for (x, y) in points.iter().flatten() { (SPEECH.mark(*x, *y)) }
            (legend)
        };
        (height, drawn)
    })
}

/// The columns of what was heard.
fn sound_columns<'a, R: 'a>(
    sound: impl Fn(&R) -> SpeechQuality + Copy + 'a,
) -> impl Iterator<Item = Column<'a, R>> {
    let count = move |name, count: fn(&SpeechQuality) -> u32| {
        Column::number(name, move |row: &R| Cell::count(count(&sound(row)).into()))
    };
    let time = move |name, part: fn(&SpeechQuality) -> Micros| {
        Column::number(name, move |row: &R| Cell::number(Number::micros(part(&sound(row)))))
    };
    let rate = Column::number("gaps a minute", move |row: &R| {
        let sound = sound(row);
        per_minute(sound.gaps(), &sound).map_or_else(
            || Cell::missing("n/a"),
            |gaps| Cell::number(Number::new(gaps, Unit::Plain(2))),
        )
    });
    let starved = count(CAUSES[0].0, CAUSES[0].1);
    let late = count(CAUSES[1].0, CAUSES[1].1);
    let lost = count(CAUSES[2].0, CAUSES[2].1);
    let speech = time("speech", |sound| sound.speech);
    let unheard = time("not heard", SpeechQuality::unheard);
    let longest = time("longest gap", |sound| sound.longest_gap);
    [speech, rate, starved, late, lost, unheard, longest].into_iter()
}

fn period_columns<'a>() -> [Column<'a, &'a Bin>; 2] {
    let time = |at: SessionTime| Cell::number(Number::micros(Micros(at.0)));
    [
        Column::number("from", move |row: &&Bin| time(row.from)),
        Column::number("to", move |row: &&Bin| time(row.to)),
    ]
}

fn load_column<'a>() -> [Column<'a, &'a LoadTurns>; 1] {
    [Column::number("at once", |row: &&LoadTurns| Cell::count(row.in_flight))]
}

fn period_table(bins: &[Bin]) -> Table<'_, &Bin> {
    let sound = sound_columns(|row: &&Bin| row.turns.quality.sound);
    Table::new(period_columns().into_iter().chain(sound)).with_rows(bins)
}

fn turn_period_table(bins: &[Bin]) -> Table<'_, &Bin> {
    let turns = turn_columns(|row: &&Bin| row.turns);
    Table::new(period_columns().into_iter().chain(turns)).with_rows(bins)
}

fn load_table(by_load: &[LoadTurns]) -> Table<'_, &LoadTurns> {
    let sound = sound_columns(|row: &&LoadTurns| row.turns.quality.sound);
    Table::new(load_column().into_iter().chain(sound)).with_rows(by_load)
}

fn turn_load_table(by_load: &[LoadTurns]) -> Table<'_, &LoadTurns> {
    let turns = turn_columns(|row: &&LoadTurns| row.turns);
    Table::new(load_column().into_iter().chain(turns)).with_rows(by_load)
}
