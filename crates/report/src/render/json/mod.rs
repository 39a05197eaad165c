//! JSON files. `summary.json`, `soak.json` and comparisons are the analysis itself, whose typed findings are written as
//! text.

mod capacity;
mod session;
mod text_fields;

pub use capacity::{CAPACITY_VERSION, CapacitySummary, capacity_schema};
pub use session::session_json;

use crate::soak::Soak;

/// The JSON Schema (draft 2020-12) of `soak.json`.
pub fn soak_schema() -> serde_json::Value {
    schemars::schema_for!(Soak).to_value()
}
