//! A soak: its series, and its leaks.

use crate::render::sentences::soak::leak_sentence;
use crate::render::table::{Cell, Column, Formats, Table, Tone};
use crate::soak::{LeakCheck, LeakFinding, SeriesFinding, SeriesJudgement, SoakAnalysis};

pub(crate) fn series_table(soak: &SoakAnalysis) -> Table<'_, &SeriesJudgement> {
    type Row<'a> = &'a SeriesJudgement;
    let amount = |row: &Row<'_>, value: f64| Cell::text(row.series.unit().amount(value));
    Table::new([
        Column::text("series", |row: &Row<'_>| Cell::text(row.series.name())),
        Column::number("start", move |row: &Row<'_>| match &row.slope {
            Some(slope) => amount(row, slope.start.max(0.0)),
            None => amount(row, row.level),
        }),
        Column::number("end", move |row: &Row<'_>| {
            row.slope.as_ref().map_or_else(no_figure, |slope| amount(row, slope.end.max(0.0)))
        }),
        Column::text("change over the session", |row: &Row<'_>| {
            let words = |value: f64| row.series.unit().amount(value);
            row.slope.as_ref().map_or_else(no_figure, |slope| {
                let (low, high) = (words(slope.change_low), words(slope.change_high));
                Cell::text(format!("{low} to {high}"))
            })
        }),
        Column::text("first and last period", |row: &Row<'_>| {
            let words = |value: f64| row.series.unit().amount(value);
            row.first_last.as_ref().map_or_else(no_figure, |ends| {
                Cell::text(format!("{}, {}", words(ends.first), words(ends.last)))
            })
        })
        .only(Formats::HTML),
        Column::text("finding", |row: &Row<'_>| finding(row.finding)),
    ])
    .with_rows(&soak.series)
}

fn no_figure() -> Cell {
    Cell::missing("n/a")
}

fn finding(finding: SeriesFinding) -> Cell {
    match finding {
        SeriesFinding::TooFew => Cell::verdict(Tone::Open, "too few windows"),
        SeriesFinding::Steady => Cell::verdict(Tone::Good, "steady"),
        SeriesFinding::Immaterial => Cell::verdict(Tone::Good, "immaterial"),
        SeriesFinding::Rises => Cell::verdict(Tone::Bad, "grows"),
        SeriesFinding::StepsUp => Cell::verdict(Tone::Bad, "steps up"),
        SeriesFinding::Falls => Cell::verdict(Tone::Notable, "shrinks"),
        SeriesFinding::StepsDown => Cell::verdict(Tone::Notable, "steps down"),
    }
}

pub(crate) fn leak_table(leaks: &[LeakCheck]) -> Table<'_, &LeakCheck> {
    Table::new([
        Column::text("check", |row: &&LeakCheck| Cell::text(leak_sentence(row))),
        Column::text("verdict", |row: &&LeakCheck| match row.finding {
            LeakFinding::Released => Cell::verdict(Tone::Good, "released"),
            LeakFinding::Leaked => Cell::verdict(Tone::Bad, "leaked"),
            LeakFinding::NotObserved => Cell::verdict(Tone::Open, "not observed"),
        }),
    ])
    .with_rows(leaks)
}
