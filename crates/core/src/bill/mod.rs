//! What runs cost at list prices: before a session, during it, and afterwards.
//!
//! `billable_times` collects the times of a run that affect its cost, `run_usage` is what it used, and
//! `tariff` turns that into money at a profile's prices. `bill` adds up the runs of a session, `forecast`
//! those of a plan, and `budget` is what a session in progress may still spend.

#[expect(clippy::module_inception, reason = "the file holds the bill itself")]
mod bill;
mod billable_times;
mod budget;
mod forecast;
mod provenance;
mod run_usage;
mod tariff;

pub use bill::{Bill, BillRow};
pub use billable_times::BillableTimes;
pub use budget::{Budget, BudgetExceeded, BudgetLimits};
pub use forecast::BillForecast;
pub use provenance::Provenance;
pub use run_usage::RunUsage;
pub use tariff::{Charge, Tariff};
