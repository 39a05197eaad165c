//! Latencies with their percentiles.

use super::definition_address;
use crate::fold::FoldedSession;
use crate::render::table::{Cell, Column, Number, Table};
use crate::session::{MeasuredLatency, PercentileFigure, measured_latencies};
use rushhour_core::units::{Metric, Percentile};

/// The latencies that fit on a screen, if they were measured.
const SHOWN: [Metric; 14] = [
    Metric::AgentJoin,
    Metric::AgentReady,
    Metric::Greeting,
    Metric::TurnChatFirst,
    Metric::TurnChatFinal,
    Metric::TurnVoice,
    Metric::TimeToYield,
    Metric::Reconnect,
    Metric::AgentLlmFirstToken,
    Metric::AgentEndToEnd,
    Metric::SubmissionResponse,
    Metric::Queue,
    Metric::Conversation,
    Metric::CompletionResponse,
];

/// p50, p95 and p99.
pub(crate) const PERCENTILES: [Percentile; 3] =
    [Percentile::LISTED[0], Percentile::LISTED[3], Percentile::LISTED[4]];

/// The latencies of measured runs with three percentiles.
pub(crate) fn latency_table(folded: &FoldedSession) -> Table<'_, MeasuredLatency<'_>> {
    let columns = [name_column(), count_column()];
    let columns = columns.into_iter().chain(PERCENTILES.map(percentile_column));
    Table::new(columns).with_rows(measured_latencies(folded, SHOWN)).with_class("figures")
}

/// Latencies with every listed percentile.
pub(crate) fn distribution_table<'a>(
    latencies: &[MeasuredLatency<'a>],
) -> Table<'a, MeasuredLatency<'a>> {
    let min = Column::number("min", |row: &MeasuredLatency<'_>| {
        Cell::number(Number::micros(row.latencies.min()))
    });
    let max = Column::number("max", |row: &MeasuredLatency<'_>| {
        Cell::number(Number::micros(row.latencies.max()))
    });
    let columns = [name_column(), count_column(), min]
        .into_iter()
        .chain(Percentile::LISTED.map(percentile_column))
        .chain([max]);
    Table::new(columns).with_rows(latencies.iter().copied())
}

fn name_column<'a>() -> Column<'a, MeasuredLatency<'a>> {
    Column::text("latency, 95 % intervals", |row: &MeasuredLatency<'_>| {
        Cell::code(row.label()).linking_to(definition_address(row.metric.name()))
    })
}

fn count_column<'a>() -> Column<'a, MeasuredLatency<'a>> {
    Column::number("n", |row: &MeasuredLatency<'_>| Cell::count(row.latencies.count()))
}

fn percentile_column<'a>(percentile: Percentile) -> Column<'a, MeasuredLatency<'a>> {
    Column::figure(percentile.to_string(), move |row: &MeasuredLatency<'_>| {
        Cell::percentile(PercentileFigure::of(row.latencies, percentile))
    })
}
