//! Whether Cekura accepts the key, and what the account's plan allows.

use super::finding::Finding;
use super::rules::cekura_plan;
use rushhour_core::units::Mode;
use rushhour_driver::cekura::{AccountError, Cekura};

/// Checks the key and the plan; neither costs anything.
pub(crate) async fn check(cekura: &Cekura, mode: Mode, in_flight: f64) -> Vec<Finding> {
    let key = match cekura.greet().await {
        Ok(()) => Finding::ok("cekura key", "accepted"),
        Err(AccountError::Refused(message)) => {
            return vec![
                Finding::failed("cekura key", message, "check CEKURA_API_KEY"),
                Finding::not_checked("cekura plan", "the key was refused"),
            ];
        }
        Err(AccountError::Unknown(message)) => {
            Finding::failed("cekura key", message, "check evaluator.url, or CEKURA_API_URL")
        }
    };
    let plan = match cekura.plan_limits().await {
        Ok(limits) => cekura_plan(&limits, mode, in_flight),
        Err(AccountError::Refused(message)) => Finding::not_checked(
            "cekura plan",
            format!("only a key of the organization may read it, not one of a project ({message})"),
        ),
        Err(AccountError::Unknown(message)) => Finding::not_checked("cekura plan", message),
    };
    vec![key, plan]
}
