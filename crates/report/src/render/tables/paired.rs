//! Voice compared with chat: the differences, the parts of the difference in cost, and the cost of a task.

use crate::paired::{
    ModeFigures, PairedComparison, PairedDifference, PairedUnit, Premium, PremiumPart,
};
use crate::render::table::{Cell, Column, Formats, Number, Table, Unit};
use crate::session::CostEach;

pub(crate) fn difference_table(comparison: &PairedComparison) -> Table<'_, &PairedDifference> {
    let more = Formats::MARKDOWN.and(Formats::HTML);
    Table::new([
        Column::text("measure", |row: &&PairedDifference| Cell::text(row.measure.label()))
            .wrapping(),
        Column::number("pairs", |row: &&PairedDifference| Cell::count(row.pairs)).only(more),
        Column::number("chat", |row: &&PairedDifference| Cell::number(value(row, row.chat))),
        Column::number("voice", |row: &&PairedDifference| Cell::number(value(row, row.voice))),
        Column::figure("voice minus chat, 95 % interval", |row: &&PairedDifference| {
            difference(row)
        }),
        Column::figure("voice / chat", |row: &&PairedDifference| ratio(row)).only(more),
        Column::text("finding", |row: &&PairedDifference| {
            let words = row.finding.map_or("not enough data", |finding| finding.label());
            Cell::text(words)
        })
        .wrapping()
        .only(more),
    ])
    .with_rows(&comparison.differences)
    .with_class("figures")
}

const fn value(row: &PairedDifference, value: f64) -> Number {
    Number::new(
        value,
        match row.unit {
            PairedUnit::Usd => Unit::Usd,
            PairedUnit::Micros => Unit::Micros,
            PairedUnit::Turns | PairedUnit::Tokens => Unit::Plain(1),
            PairedUnit::Share => Unit::Percent(1),
        },
    )
}

fn difference(row: &PairedDifference) -> Cell {
    let signed = |number: f64| match row.unit {
        PairedUnit::Share => Number::new(number, Unit::Points),
        _ => value(row, number).signed(),
    };
    match (row.difference_low, row.difference_high) {
        (Some(low), Some(high)) => {
            Cell::interval(signed(row.difference), signed(low), signed(high))
        }
        _ => Cell::number(signed(row.difference)),
    }
}

fn ratio(row: &PairedDifference) -> Cell {
    let number = |ratio: f64| Number::new(ratio, Unit::Plain(2));
    match (row.ratio, row.ratio_low, row.ratio_high) {
        (Some(ratio), Some(low), Some(high)) => {
            Cell::interval(number(ratio), number(low), number(high))
        }
        _ => row.note.map_or_else(Cell::absent, Cell::missing),
    }
}

/// The parts of the difference in cost, and their sum.
pub(crate) fn premium_table(premium: &Premium) -> Table<'_, PremiumRow<'_>> {
    let usd = |value: f64| Number::new(value, Unit::UsdBare(4));
    let part = |row: &PremiumRow<'_>, cell: &dyn Fn(&PremiumPart) -> Cell| match row {
        PremiumRow::Part(part) => cell(part),
        PremiumRow::All { .. } => Cell::absent(),
    };
    let parts = premium.parts.iter().map(PremiumRow::Part);
    let all = PremiumRow::All { difference_usd: premium.difference_usd };
    Table::new([
        Column::text("part", |row: &PremiumRow<'_>| match row {
            PremiumRow::Part(part) => Cell::text(&part.part),
            PremiumRow::All { .. } => Cell::text("all"),
        }),
        Column::number("chat, USD", move |row: &PremiumRow<'_>| {
            part(row, &|part| Cell::number(usd(part.chat_usd)))
        }),
        Column::number("voice, USD", move |row: &PremiumRow<'_>| {
            part(row, &|part| Cell::number(usd(part.voice_usd)))
        }),
        Column::number("voice minus chat, USD", move |row: &PremiumRow<'_>| {
            Cell::number(usd(row.difference_usd()).signed())
        }),
        Column::number("share", move |row: &PremiumRow<'_>| {
            part(row, &|part| {
                let percent = |share: f64| Number::new(share, Unit::Percent(1));
                part.share.map_or_else(Cell::absent, |share| Cell::number(percent(share)))
            })
        }),
    ])
    .with_rows(parts.chain([all]))
    .with_class("figures")
}

/// A row of the parts of the difference in cost.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PremiumRow<'a> {
    Part(&'a PremiumPart),
    All { difference_usd: f64 },
}

impl PremiumRow<'_> {
    const fn difference_usd(&self) -> f64 {
        match self {
            Self::Part(part) => part.difference_usd,
            Self::All { difference_usd } => *difference_usd,
        }
    }
}

/// The cost of one mode, priced one way.
pub(crate) struct ModeCost<'a> {
    mode: &'static str,
    pricing: &'static str,
    cost: &'a CostEach,
}

pub(crate) fn cost_table<'a>(comparison: &'a PairedComparison) -> Table<'a, ModeCost<'a>> {
    let usd = |value: Option<f64>| match value {
        Some(value) => Cell::number(Number::new(value, Unit::Usd)),
        None => Cell::missing("n/a"),
    };
    let priced = |mode, figures: &'a ModeFigures| {
        let list = figures.list.as_ref();
        let after_included = figures.after_included.as_ref();
        [("at list prices", list), ("after the units that base fees include", after_included)]
            .into_iter()
            .filter_map(move |(pricing, cost)| Some(ModeCost { mode, pricing, cost: cost? }))
    };
    let rows = priced("chat", &comparison.chat).chain(priced("voice", &comparison.voice));
    Table::new([
        Column::text("mode", |row: &ModeCost<'_>| {
            Cell::text(format!("{}, {}", row.mode, row.pricing))
        })
        .wrapping(),
        Column::number("all runs", move |row: &ModeCost<'_>| usd(Some(row.cost.total_usd))),
        Column::number("per run", move |row: &ModeCost<'_>| usd(row.cost.per_run_usd)),
        Column::number("per completed task", move |row: &ModeCost<'_>| {
            usd(row.cost.per_completed_usd)
        }),
        Column::number("per successful task", move |row: &ModeCost<'_>| {
            usd(row.cost.per_successful_usd)
        }),
    ])
    .with_rows(rows)
    .with_class("figures")
}
