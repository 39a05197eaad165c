//! The account behind a key: whether Cekura accepts the key, and what the plan allows.

use std::sync::Arc;

use serde_json::Value;

use super::client::{Cekura, MAX_ANSWER, MAX_VALUES};
use super::error_message::error_message;
use super::json::{JsonError, parse_json};
use rushhour_core::units::{ForeignText, Mode};
use rushhour_livekit::http::{HttpResponse, TransportError};

/// The billing endpoint of the organization that the key belongs to.
const BILLING_PATH: &str = "/test_framework/billing/info/";
/// A run id that does not exist: polling it costs nothing, and succeeds with every key that may poll.
const NO_RUN: &str = "0";

/// Why something is unknown about an account.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccountError {
    /// Cekura does not accept the key for it (401 or 403).
    #[error("Cekura answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The service's own message, redacted.
        message: ForeignText,
    },
    /// Cekura answered with another error.
    #[error("Cekura answered {status}: {message}")]
    Response {
        /// The HTTP status.
        status: u16,
        /// The service's own message, redacted.
        message: ForeignText,
    },
    /// No complete response.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The response is no JSON that can be used.
    #[error("Cekura's answer {source}: {message}")]
    Unusable {
        /// What it is instead, redacted.
        message: ForeignText,
        /// What the parser says.
        source: Arc<JsonError>,
    },
}

/// What a plan allows, as far as the service says. The organization's own settings may be lower.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanLimits {
    /// Concurrent voice conversations.
    pub voice: Option<u64>,
    /// Concurrent chat conversations.
    pub chat: Option<u64>,
    /// Remaining credits.
    pub credits: Option<f64>,
    /// Whether the subscription is active.
    pub active: Option<bool>,
}

impl PlanLimits {
    /// How many conversations of a mode may run at once; `None` where unlimited or unknown.
    pub const fn concurrency(&self, mode: Mode) -> Option<u64> {
        match mode {
            Mode::Voice => self.voice,
            Mode::Chat => self.chat,
        }
    }
}

impl Cekura {
    /// Succeeds where the service responds and accepts the key.
    ///
    /// # Errors
    /// The service does not respond, or does not accept the key.
    pub async fn check_connectivity(&self) -> Result<(), AccountError> {
        let request = self.get(&self.config().settings.runs_path).query(&[("run_ids", NO_RUN)]);
        let response = self.send_poll(request, MAX_ANSWER).await?;
        // 404 says that the run does not exist, which shows that the key may poll.
        if response.is_success() || response.status == 404 {
            return Ok(());
        }
        Err(Self::refusal(&response))
    }

    /// What the plan allows.
    ///
    /// # Errors
    /// [`AccountError::Refused`] for keys of a project rather than of the organization, which may run scenarios all the
    /// same.
    pub async fn plan_limits(&self) -> Result<PlanLimits, AccountError> {
        let response = self.send_poll(self.get(BILLING_PATH), MAX_ANSWER).await?;
        if !response.is_success() {
            return Err(Self::refusal(&response));
        }
        parse_json(&response.body, MAX_VALUES).map(|json| parse_plan_limits(&json)).map_err(
            |error| AccountError::Unusable {
                message: error_message(&response),
                source: Arc::new(error),
            },
        )
    }

    fn refusal(response: &HttpResponse) -> AccountError {
        let (status, message) = (response.status, error_message(response));
        match status {
            401 | 403 => AccountError::Refused { status, message },
            _ => AccountError::Response { status, message },
        }
    }
}

/// Parses a response of `billing/info`; numbers may be strings, and -1 means unlimited.
pub fn parse_plan_limits(json: &Value) -> PlanLimits {
    let status = &json["subscription_status"];
    let number = |value: &Value| match value {
        Value::String(text) => text.trim().parse::<f64>().ok(),
        other => other.as_f64(),
    };
    let limit = |name: &str| {
        let figure = number(&status["pack"][name])?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        (figure >= 0.0).then_some(figure as u64)
    };
    PlanLimits {
        voice: limit("max_concurrent_runs_limit"),
        chat: limit("max_concurrent_chat_runs_limit"),
        credits: number(&json["credits_remaining"]),
        active: status["is_active"].as_bool(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_are_parsed_as_far_as_present() {
        let documented = json!({
            "credits_remaining": "7436.08",
            "subscription_status": { "is_active": true, "pack": {
                "max_concurrent_runs_limit": 50, "max_concurrent_chat_runs_limit": "-1" } },
        });
        let limits = parse_plan_limits(&documented);
        assert_eq!(limits.concurrency(Mode::Voice), Some(50));
        assert_eq!(limits.concurrency(Mode::Chat), None);
        assert_eq!((limits.credits, limits.active), (Some(7436.08), Some(true)));
        for nothing in [json!({}), json!([]), json!(null), json!({ "subscription_status": null })] {
            let none = PlanLimits { voice: None, chat: None, credits: None, active: None };
            assert_eq!(parse_plan_limits(&nothing), none);
        }
    }
}
