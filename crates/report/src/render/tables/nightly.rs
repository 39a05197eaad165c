//! Nightly runs: one compared with those before it, and the history of a profile.

use crate::render::JudgedHistory;
use crate::render::table::{Cell, Column, Formats, Table, Tone};
use crate::soak::{
    NightlyComparison, NightlyFinding, NightlyJudgement, NightlyRun, SoakVerdict, TrackedSeries,
};
use rushhour_core::units::Metric;

/// The series in the terminal's table, of which it shows the first [`MOST_SHOWN`] that the history has.
const SHOWN: [TrackedSeries; 5] = [
    TrackedSeries::Median(Metric::TurnVoice),
    TrackedSeries::Median(Metric::TurnChatFirst),
    TrackedSeries::Median(Metric::CompletionResponse),
    TrackedSeries::P95(Metric::AgentJoin),
    TrackedSeries::Memory,
];
const MOST_SHOWN: usize = 3;

/// The day and the time to the minute.
pub(crate) fn started(night: &NightlyRun) -> String {
    night.started.chars().take(16).collect::<String>().replace('T', " ")
}

/// Each series of a session compared with previous nightly runs.
pub(crate) fn comparison_table(comparison: &NightlyComparison) -> Table<'_, &NightlyJudgement> {
    type Row<'a> = &'a NightlyJudgement;
    let amount = |row: &Row<'_>, value: f64| Cell::text(row.unit.amount(value));
    Table::new([
        Column::text("series", |row: &Row<'_>| Cell::text(&row.series)),
        Column::number("previous runs", |row: &Row<'_>| Cell::count(row.previous_runs)),
        Column::number("now", move |row: &Row<'_>| amount(row, row.level)),
        Column::number("mean of previous runs", move |row: &Row<'_>| amount(row, row.mean)),
        Column::text("expected range", |row: &Row<'_>| Cell::text(expected_range(row))),
        Column::text("finding", |row: &Row<'_>| match row.finding {
            NightlyFinding::Within => Cell::verdict(Tone::Good, "as before"),
            NightlyFinding::Above => Cell::verdict(Tone::Bad, "above"),
            NightlyFinding::Creeps => Cell::verdict(Tone::Bad, "grows from run to run"),
            NightlyFinding::Below => Cell::verdict(Tone::Notable, "below"),
        }),
    ])
    .with_rows(&comparison.series)
}

/// The range in which one more nightly run like the previous ones is expected.
pub(crate) fn expected_range(judged: &NightlyJudgement) -> String {
    let amount = |value: f64| judged.unit.amount(value);
    format!("{} to {}", amount(judged.low.max(0.0)), amount(judged.high))
}

/// The nightly runs of one profile.
pub(crate) fn history_table<'a>(
    nights: &'a JudgedHistory<'a>,
) -> Table<'a, &'a (&'a NightlyRun, NightlyComparison)> {
    type Row<'a> = &'a (&'a NightlyRun, NightlyComparison);
    let series = SHOWN
        .into_iter()
        .map(TrackedSeries::name)
        .filter(|name| nights.iter().any(|(night, _)| night.series.contains_key(name)))
        .take(MOST_SHOWN);
    let series_column = |name: String| {
        Column::number(name.clone(), move |row: &Row<'_>| {
            row.0.series.get(&name).map_or_else(
                || Cell::missing("-"),
                |figure| Cell::text(figure.unit.amount(figure.level)),
            )
        })
        .only(Formats::TEXT)
    };
    let columns = [
        Column::text("started", |row: &Row<'_>| Cell::text(started(row.0))),
        Column::text("session", |row: &Row<'_>| Cell::text(&row.0.session)).only(Formats::HTML),
        Column::number("runs", |row: &Row<'_>| Cell::count(row.0.runs)),
        Column::number("failed", |row: &Row<'_>| Cell::count(row.0.failed)),
    ];
    let finding = Column::text("finding", |row: &Row<'_>| {
        let (night, judged) = row;
        let tone = match night.verdict {
            SoakVerdict::Steady => Tone::Good,
            SoakVerdict::Drifts => Tone::Bad,
            SoakVerdict::NotEnoughData | SoakVerdict::Invalid => Tone::Open,
        };
        Cell::verdict(tone, findings(night, judged).join(", "))
    })
    .wrapping();
    let compared = Column::text("compared with previous nightly runs", |row: &Row<'_>| {
        Cell::text(compared(&row.1))
    })
    .only(Formats::HTML);
    let columns = columns.into_iter().chain(series.map(series_column)).chain([finding, compared]);
    Table::new(columns).with_rows(nights)
}

fn findings(night: &NightlyRun, judged: &NightlyComparison) -> Vec<String> {
    let mut findings = vec![night.verdict.label().to_owned()];
    let grown = night.series.iter().filter(|(_, figure)| figure.finding.is_worse());
    findings.extend(grown.map(|(name, _)| format!("{name} grew")));
    findings.extend(night.leaked.then(|| "something leaked".to_owned()));
    let worse = judged.series.iter().filter(|one| one.finding.is_worse());
    findings.extend(worse.map(|one| format!("{} worse than before", one.series)));
    findings
}

fn compared(judged: &NightlyComparison) -> String {
    if judged.series.is_empty() {
        return "too few previous runs".to_owned();
    }
    let worse = judged.series.iter().filter(|one| one.finding.is_worse());
    let worse: Vec<&str> = worse.map(|one| one.series.as_str()).collect();
    if worse.is_empty() { "as before".to_owned() } else { format!("worse: {}", worse.join(", ")) }
}
