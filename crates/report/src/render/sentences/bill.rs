//! What a session cost.

use std::fmt;

use super::counted;
use crate::session::{BillTotals, LimitsUsed, OldPrices};

/// What `subject` cost, and how far the forecast was off.
pub(crate) fn bill_sentence(subject: &str, bill: &BillTotals) -> String {
    let cost = if bill.rehearsal { "would have cost" } else { "cost about" };
    let per_completed =
        bill.per_completed.map_or(String::new(), |each| format!(", {each} per completed run"));
    let per_successful = bill
        .per_successful
        .map_or(String::new(), |each| format!(", {each} per run judged as passed"));
    let forecast = bill.forecast_error.map_or(String::new(), |error| {
        let furthest = bill
            .furthest_off
            .map_or(String::new(), |(item, error)| format!("; {item} {}", signed_percent(error)));
        format!(
            " The forecast for as many runs was {} ({}{furthest}).",
            bill.forecast,
            signed_percent(error)
        )
    });
    format!(
        "{subject} {cost} {} at list prices: agent {}, test {}{per_completed}{per_successful}.{forecast}",
        bill.list, bill.agent, bill.evaluator
    )
}

/// What is used of the limits on money and runs; `None` where neither is set.
pub(crate) fn limits_sentence(used: &LimitsUsed) -> Option<String> {
    let LimitsUsed { spent, in_flight, worst_run, .. } = used;
    let money = used.budget.map(|budget| match in_flight {
        0 => format!("Of the budget of {budget}, {spent} is used."),
        _ => format!(
            "Of the budget of {budget}, {spent} is used so far; until it ends, each of {} in flight counts at its worst, {worst_run}.",
            counted(*in_flight, "run")
        ),
    });
    let runs = used.most_runs.map(|most| format!("Of at most {most} runs, {} started.", used.runs));
    let all: Vec<String> = money.into_iter().chain(runs).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

fn signed_percent(share: f64) -> String {
    // Adding zero turns -0 into 0.
    format!("{:+.0} %", (share * 100.0).round() + 0.0)
}

impl fmt::Display for OldPrices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<&str> = self.items.iter().map(|item| item.name()).collect();
        write!(
            f,
            "prices older than 90 days ({}, the oldest of {}): {}",
            self.file,
            self.oldest,
            items.join(", ")
        )
    }
}
