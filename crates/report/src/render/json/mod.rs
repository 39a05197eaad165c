//! JSON files. `summary.json` and comparisons are the analysis itself, whose typed findings are written as text.

mod capacity;
mod session;
mod soak;
mod text_fields;

pub use capacity::{CAPACITY_VERSION, CapacitySummary, capacity_schema};
pub use session::session_json;
pub use soak::{
    LeakSummary, NightlySeriesSummary, NightlySummary, SeriesStepSummary, SeriesSummary,
    SoakSummary, soak_schema,
};
