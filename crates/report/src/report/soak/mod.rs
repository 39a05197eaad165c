//! A soak analysis to bytes: for a terminal (`text`, `nights_text` for the history) and as tables for programs (`table`).

mod nights_text;
mod table;
mod text;

pub use nights_text::history_text;
pub use table::{agent_health_csv, soak_csv};
pub use text::soak_text;

use crate::soak::SoakSummary;

/// The JSON Schema (draft 2020-12) of `soak.json`.
pub fn soak_schema() -> serde_json::Value {
    schemars::schema_for!(SoakSummary).to_value()
}
