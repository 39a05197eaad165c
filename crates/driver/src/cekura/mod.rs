//! The evaluator Cekura: submits runs by its manual LiveKit endpoints, and polls their status by the bulk endpoint.
//!
//! Cekura's documentation leaves the responses of those endpoints open, so the parsers accept every form that can be
//! understood. Nothing is sent twice that may have been accepted.

mod accepted_runs;
mod account;
mod client;
mod error_message;
mod json;
mod run_status;

pub use accepted_runs::parse_accepted;
pub use account::{AccountError, PlanLimits, parse_plan_limits};
pub use client::{Cekura, CekuraConfig};
pub use error_message::error_message;
pub use json::{JsonError, parse_json};
pub use run_status::parse_statuses;
