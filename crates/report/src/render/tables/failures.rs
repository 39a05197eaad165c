//! Failures by class, grouped by whose fault they can be, with their messages and what to do about them.

use super::definition_address;
use crate::fold::FoldedSession;
use crate::render::table::{Aside, Cell, Column, Formats, Table};
use rushhour_core::event::FailureClass;

/// The most different messages that are shown of one class.
const MESSAGES_SHOWN: usize = 5;

pub(crate) fn failure_table(folded: &FoldedSession) -> Table<'_, (FailureClass, u64)> {
    let messages = |class| folded.failure_messages.of(class);
    Table::new([
        Column::text("can be the fault of", |row: &(FailureClass, u64)| Cell::text(row.0.party())),
        Column::text("class", |row: &(FailureClass, u64)| {
            Cell::code(row.0.name()).linking_to(definition_address(row.0.name()))
        }),
        Column::number("runs", |row: &(FailureClass, u64)| Cell::count(row.1)),
        Column::text("most frequent message", move |row: &(FailureClass, u64)| {
            messages(row.0).first().map_or_else(Cell::absent, |(message, _)| Cell::foreign(message))
        })
        .only(Formats::MARKDOWN),
        Column::text("messages, and what to do", move |row: &(FailureClass, u64)| {
            let messages = messages(row.0);
            let shown = || messages.iter().take(MESSAGES_SHOWN);
            let others = row.1 - shown().map(|(_, count)| count).sum::<u64>();
            Cell::absent()
                .with_asides(
                    shown()
                        .filter(|(message, _)| !message.is_empty())
                        .map(|(message, count)| Aside::message(*count, message)),
                )
                .with_asides((others > 0).then(|| Aside::note(format!("{others} other messages"))))
                .with_asides([Aside::note(format!("→ {}", row.0.advice()))])
        })
        .only(Formats::HTML),
        Column::text("what to do", |row: &(FailureClass, u64)| Cell::text(row.0.advice()))
            .only(Formats::TEXT.and(Formats::MARKDOWN)),
    ])
    .with_rows(folded.tally.grouped_failures())
}
