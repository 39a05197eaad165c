//! CSV files. Durations are in microseconds, moments in microseconds since the session's start.

mod cells;
mod histogram;
mod pairs;
mod percentiles;
mod record;
mod runs;
mod soak;
mod tables;
mod timeseries;
mod turns;

pub use histogram::histogram_csv;
pub use pairs::pairs_csv;
pub use percentiles::percentiles_csv;
pub(crate) use record::write_record;
pub use runs::RunsCsv;
pub use soak::{agent_health_csv, soak_csv};
pub use tables::{capacity_csv, comparison_csv, funnel_csv, judged_csv};
pub use timeseries::timeseries_csv;
pub use turns::TurnsCsv;
