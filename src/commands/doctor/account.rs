//! Whether Cekura accepts the key, and what the plan behind it allows.

use super::finding::Finding;
use super::judgement::conversations;
use rushhour_core::units::Mode;
use rushhour_driver::cekura::{AccountError, Cekura};

/// Asks after the key and the plan; neither costs anything.
pub(crate) async fn look(cekura: &Cekura, mode: Mode, in_flight: f64) -> Vec<Finding> {
    let key = match cekura.check_connectivity().await {
        Ok(()) => Finding::ok("cekura key", "accepted"),
        Err(error @ AccountError::Refused { .. }) => {
            let findings = vec![
                Finding::failed("cekura key", error.to_string(), "check CEKURA_API_KEY"),
                Finding::not_checked("cekura plan", "the key is refused"),
            ];
            return findings;
        }
        Err(error) => Finding::failed(
            "cekura key",
            error.to_string(),
            "check evaluator.url, or CEKURA_API_URL",
        ),
    };
    let plan = match cekura.plan_limits().await {
        Ok(limits) => conversations(&limits, mode, in_flight),
        Err(error @ AccountError::Refused { .. }) => Finding::not_checked(
            "cekura plan",
            format!(
                "only a key of the organization may see it, one of a project may not ({error})"
            ),
        ),
        Err(error) => Finding::not_checked("cekura plan", error.to_string()),
    };
    vec![key, plan]
}
