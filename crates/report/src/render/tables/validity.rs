//! The conditions that the load generator must meet.

use crate::render::table::{Aside, Cell, Column, Table, Tone};
use crate::session::{Validity, ValidityRule};

pub(crate) fn validity_table(validity: &Validity) -> Table<'_, &ValidityRule> {
    Table::new([
        Column::text("condition", |row: &&ValidityRule| Cell::text(row.figure.label())),
        Column::text("found", |row: &&ValidityRule| {
            let advice = (!row.holds).then(|| Aside::note(row.advice()));
            Cell::text(row.figure).with_asides(advice)
        }),
        Column::text("verdict", |row: &&ValidityRule| {
            if row.holds {
                Cell::verdict(Tone::Good, "holds")
            } else {
                Cell::verdict(Tone::Bad, "does not hold")
            }
        }),
    ])
    .with_rows(&validity.rules)
}
