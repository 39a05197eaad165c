//! Cekura's service over HTTP: one request per call, nothing repeated, every answer taken with care.

use serde_json::{Map, Value, json};

use super::entries::read_accepted;
use super::error_message::{advice, shorten, words_of};
use super::status::read_sights;
use rushhour_core::BoxFuture;
use rushhour_core::evaluator::{
    AcceptedSubmission, ConversationRequest, Evaluator, EvaluatorCapabilities, PollError,
    RunStatus, SubmitError, SubmitErrorKind, UpdateMode,
};
use rushhour_core::profile::{CekuraSettings, Limits};
use rushhour_core::units::{EvaluatorRunId, Mode, ScenarioId, Secret, redact};
use rushhour_livekit::http::{HttpClient, HttpResponse, TransportError, TransportErrorKind};

/// An answer about a hundred runs with their transcripts is some megabytes.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;
/// Ids in one question: an address of some 2,000 characters passes everywhere.
const RUNS_PER_QUESTION: usize = 100;

/// How Cekura's service is reached.
#[derive(Debug, Clone)]
pub struct CekuraConfig {
    /// The service's base address, without a slash at its end.
    pub url: String,
    /// The key.
    pub key: Secret,
    /// Paths and manners from the profile.
    pub settings: CekuraSettings,
}

/// Cekura's service.
pub struct Cekura {
    config: CekuraConfig,
    submitting: HttpClient,
    asking: HttpClient,
}

impl Cekura {
    /// A client of the service.
    ///
    /// # Errors
    /// Where the machine offers no TLS.
    pub fn new(config: CekuraConfig, limits: &Limits) -> Result<Self, TransportError> {
        Ok(Self {
            config,
            submitting: HttpClient::new(limits.submit_timeout.as_duration())?,
            asking: HttpClient::new(limits.poll_timeout.as_duration())?,
        })
    }

    pub(super) const fn config(&self) -> &CekuraConfig {
        &self.config
    }

    /// Begins a question with the key.
    pub(super) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.asking
            .get(&format!("{}{path}", self.config.url))
            .header("x-cekura-api-key", self.config.key.expose())
    }

    pub(super) async fn send_question(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<HttpResponse, TransportError> {
        self.asking.send(request, LARGEST_ANSWER).await
    }

    fn body(&self, entries: &[ConversationRequest], mode: Mode) -> Value {
        let message = match mode {
            Mode::Chat => self.config.settings.publish_data_message.as_ref(),
            Mode::Voice => None,
        };
        let scenarios: Vec<Value> = entries
            .iter()
            .map(|entry| {
                let mut fields = Map::new();
                let id = entry.scenario.as_str();
                let id = id.parse::<u64>().map_or_else(|_| Value::from(id), Value::from);
                fields.insert("scenario".to_owned(), id);
                fields.insert("livekit_room_url".to_owned(), entry.livekit_url.clone().into());
                fields.insert("access_token".to_owned(), entry.token.expose().into());
                if let Some(message) = message {
                    fields.insert("publish_data_message".to_owned(), message.clone().into());
                }
                Value::Object(fields)
            })
            .collect();
        let mut body = json!({ "scenarios": scenarios });
        if let (Mode::Chat, Some(agent)) = (mode, self.config.settings.agent) {
            body["agent"] = agent.into();
        }
        body
    }

    async fn submit_entries(
        &self,
        entries: Vec<ConversationRequest>,
    ) -> Result<AcceptedSubmission, SubmitError> {
        let mode = entries.first().map_or(Mode::Voice, |entry| entry.mode);
        let path = match mode {
            Mode::Voice => &self.config.settings.voice_path,
            Mode::Chat => &self.config.settings.chat_path,
        };
        let request = self
            .submitting
            .post(&format!("{}{path}", self.config.url))
            .header("x-cekura-api-key", self.config.key.expose())
            .json(&self.body(&entries, mode));
        let scenarios: Vec<ScenarioId> =
            entries.iter().map(|entry| entry.scenario.clone()).collect();
        let outcome = match self.submitting.send(request, LARGEST_ANSWER).await {
            Ok(answer) => judge_submission(&answer, &scenarios),
            Err(error) => Err(SubmitError {
                kind: match error.kind {
                    TransportErrorKind::NotSent => SubmitErrorKind::NotSent,
                    TransportErrorKind::TimedOut | TransportErrorKind::Broken => {
                        SubmitErrorKind::Unknown
                    }
                },
                message: format!("Cekura: {error}"),
            }),
        };
        outcome.map_err(|error| {
            let mut secrets: Vec<&Secret> = entries.iter().map(|entry| &entry.token).collect();
            secrets.push(&self.config.key);
            SubmitError { message: redact(&error.message, &secrets), ..error }
        })
    }

    async fn ask_after(&self, runs: Vec<EvaluatorRunId>) -> Result<Vec<RunStatus>, PollError> {
        let ids: Vec<&str> = runs.iter().map(EvaluatorRunId::as_str).collect();
        let request =
            self.get(&self.config.settings.runs_path).query(&[("run_ids", ids.join(","))]);
        let answer = self.answer_to(request).await?;
        if answer.cut {
            return Err(PollError {
                rate_limited: false,
                retry_after: None,
                message: format!("Cekura's answer is longer than {LARGEST_ANSWER} bytes"),
            });
        }
        match serde_json::from_slice::<Value>(&answer.body) {
            Ok(json) => Ok(read_sights(&json)),
            Err(_) => Err(PollError {
                rate_limited: false,
                retry_after: None,
                message: format!("Cekura's answer is no JSON: {}", words_of(&answer)),
            }),
        }
    }

    async fn answer_to(&self, request: reqwest::RequestBuilder) -> Result<HttpResponse, PollError> {
        let answer = self.send_question(request).await.map_err(|error| PollError {
            rate_limited: false,
            retry_after: None,
            message: format!("Cekura: {error}"),
        })?;
        if answer.is_success() {
            return Ok(answer);
        }
        let words = format!("Cekura answered {}: {}", answer.status, words_of(&answer));
        Err(PollError {
            rate_limited: answer.status == 429,
            retry_after: answer.retry_after,
            message: redact(&words, &[&self.config.key]),
        })
    }

    async fn end_call(&self, run: EvaluatorRunId) -> Result<(), PollError> {
        let path = self.config.settings.end_call_path.replace("{id}", run.as_str());
        let request = self
            .asking
            .post(&format!("{}{path}", self.config.url))
            .header("x-cekura-api-key", self.config.key.expose());
        self.answer_to(request).await.map(|_| ())
    }
}

/// What an answer to a submission means. Only what certainly was not accepted may be sent again.
fn judge_submission(
    answer: &HttpResponse,
    scenarios: &[ScenarioId],
) -> Result<AcceptedSubmission, SubmitError> {
    let says = || format!("Cekura answered {}: {}", answer.status, words_of(answer));
    let advised = |words: String| format!("{words}; {}", advice(answer.status));
    let kind = match answer.status {
        200..=299 => return read_success(answer, scenarios),
        429 => SubmitErrorKind::RateLimited { retry_after: answer.retry_after },
        401 | 403 => SubmitErrorKind::Unauthorized,
        // A request time-out says that the service gave up, not that it did nothing.
        408 => SubmitErrorKind::Unknown,
        300..=499 => SubmitErrorKind::Rejected,
        _ => SubmitErrorKind::Unknown,
    };
    Err(SubmitError { kind, message: advised(says()) })
}

fn read_success(
    answer: &HttpResponse,
    scenarios: &[ScenarioId],
) -> Result<AcceptedSubmission, SubmitError> {
    let unknown = |what: &str| SubmitError {
        kind: SubmitErrorKind::Unknown,
        message: format!(
            "Cekura answered {} {what}; look for the run at Cekura before running it again",
            answer.status
        ),
    };
    if answer.cut {
        return Err(unknown("with more than can be read"));
    }
    let Ok(json) = serde_json::from_slice::<Value>(&answer.body) else {
        return Err(unknown(&format!("and no JSON: {}", words_of(answer))));
    };
    let Some(accepted) = read_accepted(&json, scenarios) else {
        return Err(unknown(&format!("without naming a run: {}", shorten(&json.to_string()))));
    };
    if accepted.runs.iter().all(Option::is_none) {
        return Err(unknown(
            "and listed no runs (ensure that the scenarios are not empty and their ids valid)",
        ));
    }
    Ok(accepted)
}

impl Evaluator for Cekura {
    fn capabilities(&self) -> EvaluatorCapabilities {
        EvaluatorCapabilities {
            entries_per_request: self.config.settings.entries_per_request,
            fill_within: self.config.settings.fill_within.micros(),
            poll_every: self.config.settings.poll_every.micros(),
            runs_per_poll: RUNS_PER_QUESTION,
            updates: UpdateMode::Poll,
        }
    }

    fn submit(
        &self,
        entries: Vec<ConversationRequest>,
    ) -> BoxFuture<'_, Result<AcceptedSubmission, SubmitError>> {
        Box::pin(self.submit_entries(entries))
    }

    fn poll(&self, runs: Vec<EvaluatorRunId>) -> BoxFuture<'_, Result<Vec<RunStatus>, PollError>> {
        Box::pin(self.ask_after(runs))
    }

    fn end_call(&self, run: EvaluatorRunId) -> BoxFuture<'_, Result<(), PollError>> {
        Box::pin(self.end_call(run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::event::RunMapping;

    fn judge(status: u16, body: &str) -> Result<AcceptedSubmission, SubmitErrorKind> {
        let answer =
            HttpResponse { status, retry_after: None, date: None, body: body.into(), cut: false };
        judge_submission(&answer, &[ScenarioId::new("30")]).map_err(|error| error.kind)
    }

    #[test]
    fn only_what_was_certainly_not_accepted_may_be_repeated() {
        use SubmitErrorKind::{RateLimited, Rejected, Unauthorized, Unknown};
        for (status, body, kind) in [
            (400, "{}", Rejected),
            (401, "{}", Unauthorized),
            (403, "", Unauthorized),
            (404, "<html>", Rejected),
            (302, "", Rejected),
            (408, "", Unknown),
            (429, "", RateLimited { retry_after: None }),
            (500, "{}", Unknown),
            (502, "<html><title>Bad Gateway</title>", Unknown),
            (503, "", Unknown),
            (200, "", Unknown),
            (200, "{\"id\": 7, \"ru", Unknown),
            (200, "{}", Unknown),
            (200, "{\"id\": 7, \"runs\": []}", Unknown),
        ] {
            assert_eq!(judge(status, body).unwrap_err(), kind, "{status} {body}");
        }
    }

    #[test]
    fn every_status_of_success_is_accepted() {
        for status in [200, 201, 202] {
            let accepted = judge(status, "{\"id\": 7, \"runs\": [{\"id\": 3}]}").unwrap();
            assert_eq!(accepted.runs, [Some(EvaluatorRunId::new("3"))]);
            assert_eq!(accepted.mapping, RunMapping::Proven);
        }
    }
}
