//! What runs cost at list prices: before they are run, while they are, and afterwards.
//!
//! `moments` holds what bears on a run's cost, `usage` what it took, `tariff` turns that into money by a
//! profile's prices, `bill` sums a session up, `forecast` tells what a plan will come to, and `purse` keeps
//! what a session under way may still spend.

#[expect(clippy::module_inception, reason = "the bill's own file is named for it")]
mod bill;
mod forecast;
mod moments;
mod purse;
mod tariff;
mod usage;

pub use bill::{Bill, BillRow, Provenance};
pub use forecast::BillForecast;
pub use moments::BillableTimes;
pub use purse::{Budget, BudgetLimits};
pub use tariff::{Charge, Tariff};
pub use usage::RunUsage;
