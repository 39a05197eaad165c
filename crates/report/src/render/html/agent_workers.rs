//! When workers of the agent came and went, where several are asked for their health.

use maud::{Markup, html};

use crate::fold::FoldedSession;
use crate::render::table::{Cell, Column, Frame, Table};
use crate::session::{ScaleOut, scale_outs};
use rushhour_core::units::{Micros, SessionTime};

/// A row for each change; `None` where there was none.
pub(super) fn agent_workers(folded: &FoldedSession) -> Option<Markup> {
    let changes = scale_outs(folded);
    if changes.is_empty() {
        return None;
    }
    let at = |time: SessionTime| time.since(SessionTime::START);
    let table = Table::new([
        Column::text("seen between", move |row: &&ScaleOut| {
            Cell::text(range(at(row.change.seen.from), at(row.change.seen.to)))
        }),
        Column::text("workers", |row: &&ScaleOut| {
            Cell::text(format!("{} to {}", row.change.from, row.change.to))
        }),
        Column::text("stage", |row: &&ScaleOut| {
            row.stage.as_ref().map_or_else(Cell::absent, |stage| Cell::foreign(&stage.name))
        }),
        Column::text("after its start", |row: &&ScaleOut| {
            let elapsed = row.stage.as_ref().map(|stage| range(stage.least, stage.most));
            elapsed.map_or_else(Cell::absent, Cell::text)
        }),
    ])
    .with_rows(&changes);
    Some(html! {
        p {
            "When the number of the agent's workers changed. Each change was seen between two polls of "
            code { "[agent_health]" } ", and a worker counts once it answers or Prometheus knows it."
        }
        (table.html(Frame::Scrolled))
    })
}

fn range(from: Micros, to: Micros) -> String {
    format!("{from} to {to}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_sessions::{Fate, SessionBuilder};

    #[test]
    fn a_new_worker_has_a_row_and_a_session_without_changes_has_no_table() {
        let mut builder = SessionBuilder::chat("");
        builder.run(SessionTime(0), Micros::ZERO, Fate::StaysOpen);
        builder.agent_workers(SessionTime(10_000_000), 1);
        let (folded, _) = builder.killed();
        assert!(agent_workers(&folded).is_none());

        let mut builder = SessionBuilder::chat("");
        builder.run(SessionTime(0), Micros::ZERO, Fate::StaysOpen);
        builder.agent_workers(SessionTime(10_000_000), 1);
        builder.agent_workers(SessionTime(40_000_000), 3);
        let (folded, _) = builder.killed();
        let html = agent_workers(&folded).expect("there is a change").into_string();
        for words in ["10.0s to 40.0s", "1 to 3", "first"] {
            assert!(html.contains(words), "{words} in {html}");
        }
    }
}
