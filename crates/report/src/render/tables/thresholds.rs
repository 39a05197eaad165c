//! Thresholds with their verdicts.

use crate::render::sentences::threshold::{found_heading, needs_note};
use crate::render::table::{Aside, Cell, Column, Table, Tone};
use crate::session::{Criterion, SessionVerdict, ThresholdResult, Verdict};

pub(crate) fn threshold_table(
    verdict: &SessionVerdict,
    criterion: Criterion,
) -> Table<'_, &ThresholdResult> {
    let is_invalid = verdict.is_invalid();
    Table::new([
        Column::text("threshold", |row: &&ThresholdResult| Cell::text(row.name())),
        Column::text(found_heading(criterion), |row: &&ThresholdResult| Cell::text(row.found)),
        Column::text("verdict", move |row: &&ThresholdResult| {
            if is_invalid {
                return Cell::verdict(Tone::Invalid, "not judged");
            }
            let note = needs_note(row.verdict).map(Aside::note);
            Cell::verdict(tone(row.verdict), row.verdict.name()).with_asides(note)
        }),
    ])
    .with_rows(&verdict.thresholds)
}

const fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Passed => Tone::Good,
        Verdict::Failed | Verdict::NoSamples => Tone::Bad,
        Verdict::Undecided { .. } => Tone::Open,
    }
}
