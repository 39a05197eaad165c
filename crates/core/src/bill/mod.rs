//! What runs cost at list prices: before they are run, while they are, and afterwards.
//!
//! `moments` holds what bears on a run's cost, `usage` what it took, `tariff` turns that into money by a
//! profile's prices, `bill` sums a session up, `forecast` tells what a plan will come to, and `purse` keeps
//! what a session under way may still spend.

#[expect(clippy::module_inception, reason = "the bill's own file is named for it")]
mod bill;
mod billable_times;
mod budget;
mod forecast;
mod run_usage;
mod tariff;

pub use bill::{Bill, BillRow, Provenance};
pub use billable_times::BillableTimes;
pub use budget::{Budget, BudgetLimits};
pub use forecast::BillForecast;
pub use run_usage::RunUsage;
pub use tariff::{Charge, Tariff};
