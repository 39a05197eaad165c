//! What the account behind a key may do: whether the key opens anything, and what the plan allows.

use serde_json::Value;

use super::client::Cekura;
use super::error_message::words_of;
use rushhour_core::units::{Mode, redact};
use rushhour_livekit::http::HttpResponse;

/// Asked of the organization that the key belongs to.
const BILLING_PATH: &str = "/test_framework/billing/info/";
/// A run that nobody has: asking after it costs nothing and is answered to everybody who may ask.
const NO_RUN: &str = "0";

/// Why something is not known of an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The key opens nothing.
    #[error("{0}")]
    Refused(String),
    /// The service did not say.
    #[error("{0}")]
    Unknown(String),
}

/// What a plan allows, as far as the service tells. Its caps are ceilings: the organization's own settings
/// may be lower.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanLimits {
    /// Voice conversations at once.
    pub voice: Option<u64>,
    /// Chat conversations at once.
    pub chat: Option<u64>,
    /// Credits that are left.
    pub credits: Option<f64>,
    /// Whether the subscription is active.
    pub active: Option<bool>,
}

impl PlanLimits {
    /// How many conversations of a mode may be held at once; negative figures stand for no limit.
    pub const fn at_once(&self, mode: Mode) -> Option<u64> {
        match mode {
            Mode::Voice => self.voice,
            Mode::Chat => self.chat,
        }
    }
}

impl Cekura {
    /// Shows that the service answers and accepts the key.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn greet(&self) -> Result<(), AccountError> {
        let request = self.get(&self.config().settings.runs_path).query(&[("run_ids", NO_RUN)]);
        let answer = self.account_answer(request).await?;
        // That nobody has the run is as good an answer as any.
        if answer.is_success() || answer.status == 404 {
            return Ok(());
        }
        Err(self.refusal(&answer))
    }

    /// What the plan allows.
    ///
    /// # Errors
    /// Refused for keys that belong to a project rather than to the organization, which may run
    /// scenarios all the same.
    pub async fn plan_limits(&self) -> Result<PlanLimits, AccountError> {
        let answer = self.account_answer(self.get(BILLING_PATH)).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer));
        }
        serde_json::from_slice(&answer.body)
            .map(|json| read_limits(&json))
            .map_err(|_| AccountError::Unknown(format!("no JSON: {}", words_of(&answer))))
    }

    async fn account_answer(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<HttpResponse, AccountError> {
        let sent = self.send_question(request).await;
        sent.map_err(|error| AccountError::Unknown(error.to_string()))
    }

    fn refusal(&self, answer: &HttpResponse) -> AccountError {
        let words = format!("Cekura answered {}: {}", answer.status, words_of(answer));
        let words = redact(&words, &[&self.config().key]);
        match answer.status {
            401 | 403 => AccountError::Refused(words),
            _ => AccountError::Unknown(words),
        }
    }
}

/// Reads an answer of `billing/info`; numbers may be texts, and -1 stands for no limit.
pub fn read_limits(json: &Value) -> PlanLimits {
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
    fn limits_are_read_as_far_as_they_are_there() {
        let documented = json!({
            "credits_remaining": "7436.08",
            "subscription_status": { "is_active": true, "pack": {
                "max_concurrent_runs_limit": 50, "max_concurrent_chat_runs_limit": "-1" } },
        });
        let limits = read_limits(&documented);
        assert_eq!(limits.at_once(Mode::Voice), Some(50));
        assert_eq!(limits.at_once(Mode::Chat), None);
        assert_eq!((limits.credits, limits.active), (Some(7436.08), Some(true)));
        for nothing in [json!({}), json!([]), json!(null), json!({ "subscription_status": null })] {
            let none = PlanLimits { voice: None, chat: None, credits: None, active: None };
            assert_eq!(read_limits(&nothing), none);
        }
    }
}
