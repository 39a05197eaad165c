//! The sessions of a search for capacity.

use crate::capacity::{CompletedSearch, LevelMeasure, LevelVerdict, TrialFinding, TrialThreshold};
use crate::render::table::{Cell, Column, Formats, Number, Table, Tone, Unit};
use crate::session::Estimated;
use rushhour_core::profile::{Threshold, ThresholdBound};

/// The sessions in order. In CSV each threshold has its own columns for figure, interval, samples and verdict. Quality
/// without a threshold has the same, without a verdict, after all others.
pub(crate) fn session_table<'a>(searched: &CompletedSearch<'a>) -> Table<'a, &'a TrialFinding> {
    type Row<'a> = &'a TrialFinding;
    let mut columns = vec![
        Column::number("session", |row: &Row<'_>| Cell::count(row.number.into())).and_csv("order"),
        Column::number("at once", |row: &Row<'_>| Cell::count(row.in_flight().into()))
            .and_csv("in_flight"),
        Column::text("purpose", |row: &Row<'_>| Cell::text(row.purpose().name()))
            .and_csv("purpose"),
        Column::text("verdict", |row: &Row<'_>| level_verdict(row.result.verdict)),
        Column::csv("verdict", |row: &Row<'_>| Cell::text(row.result.verdict.name())),
        Column::csv("began_us", |row: &Row<'_>| Cell::number(Number::micros(row.result.start))),
        Column::text("measured for", |row: &Row<'_>| {
            Cell::number(Number::micros(row.result.trial.duration))
        })
        .and_csv("measured_us"),
        Column::csv("ended_us", |row: &Row<'_>| Cell::number(Number::micros(row.result.end))),
        Column::number("runs", |row: &Row<'_>| Cell::count(row.runs)).and_csv("runs"),
        Column::number("failed", |row: &Row<'_>| Cell::count(row.failed)).and_csv("failed"),
    ];
    for threshold in &searched.opening.profile.thresholds {
        columns.push(Column::figure(threshold.to_string(), move |row: &Row<'_>| {
            of_threshold(row, threshold).map_or_else(Cell::absent, |found| {
                figure(threshold, found.estimated).with_suffix(format!(" (n={})", found.n))
            })
        }));
        columns.extend(csv_columns(threshold));
    }
    let thresholds = &searched.opening.profile.thresholds;
    let is_shown = |measure: &LevelMeasure| {
        let is_known = |finding: &TrialFinding| finding.quality.conversations(*measure) > 0;
        !measure.has_threshold(thresholds) && searched.findings.iter().any(is_known)
    };
    let qualities: Vec<LevelMeasure> = LevelMeasure::ALL.into_iter().filter(is_shown).collect();
    columns.extend(qualities.iter().map(|measure| quality_column(*measure)));
    columns.push(
        Column::text("report", |row: &Row<'_>| {
            Cell::text(&row.folder)
                .linking_to(format!("{}/report.html", folder_address(&row.folder)))
        })
        .and_csv("folder"),
    );
    columns.extend(qualities.iter().flat_map(|measure| quality_csv_columns(*measure)));
    let mut table = Table::new(columns);
    for finding in searched.findings {
        table.push(finding);
        for broken in &finding.generator_faults {
            table.push_note(broken, Formats::HTML);
        }
    }
    table
}

/// The verdict on a level with its colour and sign.
pub(crate) fn level_verdict(verdict: LevelVerdict) -> Cell {
    let tone = match verdict {
        LevelVerdict::Passed => Tone::Good,
        LevelVerdict::Failed => Tone::Bad,
        LevelVerdict::Undecided => Tone::Open,
        LevelVerdict::Generator
        | LevelVerdict::Stopped
        | LevelVerdict::Budget
        | LevelVerdict::Broken => Tone::Invalid,
    };
    Cell::verdict(tone, verdict.label())
}

/// A threshold's figure with its interval.
pub(crate) fn figure(threshold: &Threshold, estimated: Option<Estimated>) -> Cell {
    let unit = match threshold.bound {
        ThresholdBound::Time(_) => Unit::Micros,
        ThresholdBound::Share(_) => Unit::Percent(1),
        ThresholdBound::Rate(_) => Unit::Plain(2),
    };
    figure_in(unit, estimated)
}

fn figure_in(unit: Unit, estimated: Option<Estimated>) -> Cell {
    let number = |value| Number::new(value, unit);
    match estimated {
        Some(Estimated { value, low, high }) => {
            Cell::interval(number(value), number(low), number(high))
        }
        None => Cell::missing("n/a"),
    }
}

fn of_threshold<'a>(
    finding: &'a TrialFinding,
    threshold: &Threshold,
) -> Option<&'a TrialThreshold> {
    finding.thresholds.iter().find(|found| found.threshold == *threshold)
}

fn csv_columns(threshold: &Threshold) -> Vec<Column<'_, &TrialFinding>> {
    let name = threshold.measure.to_string().replace(' ', "_");
    let unit = match threshold.bound {
        ThresholdBound::Time(_) => "us",
        ThresholdBound::Share(_) => "share",
        ThresholdBound::Rate(_) => "per_minute",
    };
    let number = |value: f64| match threshold.bound {
        ThresholdBound::Time(_) => format!("{value:.0}"),
        ThresholdBound::Share(_) | ThresholdBound::Rate(_) => format!("{value:.6}"),
    };
    let estimated = move |name: String, part: fn(&Estimated) -> f64| {
        Column::csv(name, move |row: &&TrialFinding| {
            let estimated = of_threshold(row, threshold).and_then(|found| found.estimated);
            estimated.map_or_else(Cell::absent, |figure| Cell::text(number(part(&figure))))
        })
    };
    vec![
        estimated(format!("{name}_figure_{unit}"), |figure| figure.value),
        estimated(format!("{name}_low_{unit}"), |figure| figure.low),
        estimated(format!("{name}_high_{unit}"), |figure| figure.high),
        Column::csv(format!("{name}_n"), move |row: &&TrialFinding| {
            of_threshold(row, threshold).map_or_else(Cell::absent, |found| Cell::count(found.n))
        }),
        Column::csv(format!("{name}_verdict"), move |row: &&TrialFinding| {
            let found = of_threshold(row, threshold);
            found.map_or_else(Cell::absent, |found| Cell::text(found.verdict.name()))
        }),
    ]
}

/// How a measure of quality is shown, and its unit in the names of columns.
const fn quality_units(measure: LevelMeasure) -> (Unit, &'static str) {
    match measure {
        LevelMeasure::Gaps => (Unit::Plain(2), "per_minute"),
        LevelMeasure::WordErrors | LevelMeasure::TalkOver => (Unit::Percent(1), "share"),
    }
}

fn quality_column<'a>(measure: LevelMeasure) -> Column<'a, &'a TrialFinding> {
    let (unit, _) = quality_units(measure);
    let heading = match measure {
        LevelMeasure::Gaps => format!("{} a minute", measure.of_threshold()),
        LevelMeasure::WordErrors | LevelMeasure::TalkOver => measure.of_threshold().to_string(),
    };
    Column::figure(heading, move |row: &&TrialFinding| match row.quality.estimated(measure) {
        Some(found) => figure_in(unit, Some(found))
            .with_suffix(format!(" (n={})", row.quality.conversations(measure))),
        None => Cell::absent(),
    })
}

fn quality_csv_columns<'a>(measure: LevelMeasure) -> [Column<'a, &'a TrialFinding>; 4] {
    let name = measure.of_threshold().to_string();
    let (_, unit) = quality_units(measure);
    let part = |name: String, part: fn(&Estimated) -> f64| {
        Column::csv(name, move |row: &&TrialFinding| {
            let found = row.quality.estimated(measure);
            found.map_or_else(Cell::absent, |found| Cell::text(format!("{:.6}", part(&found))))
        })
    };
    [
        part(format!("{name}_figure_{unit}"), |figure| figure.value),
        part(format!("{name}_low_{unit}"), |figure| figure.low),
        part(format!("{name}_high_{unit}"), |figure| figure.high),
        Column::csv(format!("{name}_n"), move |row: &&TrialFinding| {
            let n = row.quality.conversations(measure);
            if n > 0 { Cell::count(n) } else { Cell::absent() }
        }),
    ]
}

/// A folder's name as a relative address. Names of folders have no other characters.
fn folder_address(folder: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || "-_./".contains(*c);
    folder.chars().filter(fits).collect()
}
