//! What a session cost.

use std::fmt;

use crate::session::{BillTotals, OldPrices};

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
