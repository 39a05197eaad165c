//! Whether Cekura accepts the key, and what the account's plan allows.

use super::finding::Finding;
use super::rules::cekura_plan;
use rushhour_core::units::Mode;
use rushhour_driver::cekura::{AccountError, Cekura};

/// Checks the key and the plan; neither costs anything.
pub(crate) async fn check(cekura: &Cekura, mode: Mode, in_flight: f64) -> Vec<Finding> {
    let key = match cekura.check_connectivity().await {
        Ok(()) => Finding::ok("cekura key", "accepted"),
        Err(error @ AccountError::Refused { .. }) => {
            return vec![
                Finding::failed("cekura key", error.to_string(), "check CEKURA_API_KEY"),
                Finding::not_checked("cekura plan", "the key was refused"),
            ];
        }
        Err(error) => Finding::failed(
            "cekura key",
            error.to_string(),
            "check evaluator.url, or CEKURA_API_URL",
        ),
    };
    let plan = match cekura.plan_limits().await {
        Ok(limits) => cekura_plan(&limits, mode, in_flight),
        Err(error @ AccountError::Refused { .. }) => Finding::not_checked(
            "cekura plan",
            format!("only a key of the organization may read it, not one of a project ({error})"),
        ),
        Err(error) => Finding::not_checked("cekura plan", error.to_string()),
    };
    vec![key, plan]
}
