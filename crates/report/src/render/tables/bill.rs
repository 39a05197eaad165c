//! The bill, item by item.

use crate::render::table::{Cell, Column, Number, Table, Unit};
use crate::session::{BillItem, BillSummary};

pub(crate) fn bill_table(bill: &BillSummary) -> Table<'_, &BillItem> {
    let usd = |value: f64| Cell::number(Number::new(value, Unit::UsdBare(2)));
    Table::new([
        Column::text("item", |row: &&BillItem| Cell::text(&row.item)),
        Column::text("side", |row: &&BillItem| Cell::text(&row.side)),
        Column::number("quantity", |row: &&BillItem| {
            let quantity = Number::new(row.quantity, Unit::Plain(3));
            Cell::number(quantity).with_suffix(format!(" {}", row.unit))
        }),
        Column::number("per unit, USD", |row: &&BillItem| Cell::text(row.each_usd)),
        Column::number("list, USD", move |row: &&BillItem| usd(row.list_usd)),
        Column::number("forecast, USD", move |row: &&BillItem| usd(row.forecast_usd)),
        Column::number("off by", |row: &&BillItem| {
            let percent = |share: f64| Number::new(share, Unit::Percent(0)).signed();
            row.forecast_error.map_or_else(Cell::absent, |share| Cell::number(percent(share)))
        }),
        Column::number("after included units, USD", move |row: &&BillItem| {
            usd(row.after_included_usd)
        }),
        Column::text("quantity is", |row: &&BillItem| Cell::text(&row.known)),
        Column::text("price", |row: &&BillItem| {
            Cell::text(format!("{}, {}, {}", row.tier, row.as_of, row.source))
        }),
    ])
    .with_rows(&bill.items)
}
