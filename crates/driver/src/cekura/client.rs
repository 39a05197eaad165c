//! The client: one request per call, never repeated by itself, every response checked.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::accepted_runs::parse_accepted;
use super::error_message::{LOOK_FOR_THE_RUN, error_message, hint, quoted};
use super::json::parse_json;
use super::run_status::{lists_runs, next_page, parse_statuses};
use rushhour_core::BoxFuture;
use rushhour_core::evaluator::{
    AcceptedSubmission, ConversationRequest, Evaluator, EvaluatorCapabilities, PollError,
    PollErrorKind, RunStatus, SubmitError, SubmitErrorKind, UpdateMode,
};
use rushhour_core::profile::{CekuraSettings, Limits};
use rushhour_core::units::{EvaluatorRunId, Mode, ScenarioId, Secret, remember_secret};
use rushhour_livekit::http::{
    HttpClient, HttpResponse, TransportError, TransportErrorKind, TrustStore,
};

/// The longest answer that says little: an error, the plan of the account, the end of a call.
pub(super) const MAX_ANSWER: usize = 64 * 1024;
/// What the answer to a submission may be longer for each of its entries.
const MAX_ENTRY: usize = 16 * 1024;
/// What the answer to a status poll may be longer for each run, with its transcript.
const MAX_RUN: usize = 160 * 1024;
/// The values that an answer may have, and those it may have more for each entry or run.
pub(super) const MAX_VALUES: usize = 1_000;
/// A URL of some 2,000 characters passes everywhere.
const RUNS_PER_POLL: usize = 100;
/// The most pages of one answer that are read.
const MAX_PAGES: usize = 20;
/// All but the unreserved characters (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How to reach Cekura.
#[derive(Debug, Clone)]
pub struct CekuraConfig {
    /// The service's base URL, without a slash at its end.
    pub url: String,
    /// The API key.
    pub key: Secret,
    /// Paths and options from the profile.
    pub settings: CekuraSettings,
}

/// A client of Cekura.
pub struct Cekura {
    config: CekuraConfig,
    submit_client: HttpClient,
    poll_client: HttpClient,
}

impl Cekura {
    /// A client with the timeouts in `limits`.
    ///
    /// # Errors
    /// No HTTP client can be built on this machine.
    pub fn new(config: CekuraConfig, limits: &Limits) -> Result<Self, TransportError> {
        // The service may repeat it.
        remember_secret(&config.key);
        let trust = TrustStore::system()?;
        Ok(Self {
            submit_client: HttpClient::for_service(
                &config.url,
                &trust,
                limits.submit_timeout.as_duration(),
            )?,
            poll_client: HttpClient::for_service(
                &config.url,
                &trust,
                limits.poll_timeout.as_duration(),
            )?,
            config,
        })
    }

    pub(super) const fn config(&self) -> &CekuraConfig {
        &self.config
    }

    /// Begins a GET request with the key.
    pub(super) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.poll_client
            .get(&format!("{}{path}", self.config.url))
            .header("x-cekura-api-key", self.config.key.expose())
    }

    pub(super) async fn send_poll(
        &self,
        request: reqwest::RequestBuilder,
        max_body: usize,
    ) -> Result<HttpResponse, TransportError> {
        self.poll_client.send(request, max_body).await
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
            .submit_client
            .post(&format!("{}{path}", self.config.url))
            .header("x-cekura-api-key", self.config.key.expose())
            .json(&self.body(&entries, mode));
        let scenarios: Vec<ScenarioId> =
            entries.iter().map(|entry| entry.scenario.clone()).collect();
        let max_body = MAX_ANSWER + entries.len() * MAX_ENTRY;
        match self.submit_client.send(request, max_body).await {
            Ok(response) => classify_submission(&response, &scenarios),
            Err(error) => {
                let kind = match error.kind {
                    TransportErrorKind::NotSent => SubmitErrorKind::NotSent,
                    TransportErrorKind::TimedOut | TransportErrorKind::Broken => {
                        SubmitErrorKind::Unknown
                    }
                };
                Err(SubmitError::new(kind, format!("Cekura: {error}")).with_source(error))
            }
        }
    }

    async fn poll_runs(&self, runs: Vec<EvaluatorRunId>) -> Result<Vec<RunStatus>, PollError> {
        let ids: Vec<&str> = runs.iter().map(EvaluatorRunId::as_str).collect();
        let path = &self.config.settings.runs_path;
        let mut query = vec![("run_ids".to_owned(), ids.join(","))];
        let mut statuses = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = self.poll_page(self.get(path).query(&query), ids.len()).await?;
            statuses.extend(parse_statuses(&page));
            // Only the query is taken from the answer: the key goes to no address that a service chooses.
            match next_page(&page) {
                Some(next) => query = next,
                None => return Ok(statuses),
            }
        }
        let message = format!("Cekura's answer has more than {MAX_PAGES} pages");
        Err(PollError::new(PollErrorKind::BulkRefused { too_many: true }, message))
    }

    /// One page of an answer about so many runs.
    async fn poll_page(
        &self,
        request: reqwest::RequestBuilder,
        runs: usize,
    ) -> Result<Value, PollError> {
        let max_body = MAX_ANSWER + runs * MAX_RUN;
        let response =
            self.send_checked(request, max_body).await.map_err(|error| match error.kind {
                PollErrorKind::BulkRefused { .. } if runs == 1 => {
                    PollError { kind: PollErrorKind::BadResponse, ..error }
                }
                _ => error,
            })?;
        let bad = |message: String| PollError::new(PollErrorKind::BadResponse, message);
        if response.truncated {
            let kind = if runs > 1 {
                PollErrorKind::BulkRefused { too_many: true }
            } else {
                PollErrorKind::BadResponse
            };
            let message = format!("Cekura's answer is longer than {max_body} bytes");
            return Err(PollError::new(kind, message));
        }
        let max_values = MAX_VALUES + runs * MAX_VALUES;
        let page = parse_json(&response.body, max_values).map_err(|error| {
            bad(format!("Cekura's answer {error}: {}", error_message(&response))).with_source(error)
        })?;
        if !lists_runs(&page) {
            let shown = quoted(&page.to_string());
            return Err(bad(format!("Cekura's answer lists no runs: {shown}")));
        }
        Ok(page)
    }

    /// Sends a request that must succeed.
    async fn send_checked(
        &self,
        request: reqwest::RequestBuilder,
        max_body: usize,
    ) -> Result<HttpResponse, PollError> {
        let response = self.send_poll(request, max_body).await.map_err(|error| {
            PollError::new(PollErrorKind::NoResponse, format!("Cekura: {error}")).with_source(error)
        })?;
        if response.is_success() {
            return Ok(response);
        }
        let message = format!("Cekura answered {}: {}", response.status, error_message(&response));
        let (kind, hint) = match response.status {
            429 => (PollErrorKind::RateLimited, Some("lower limits.polls")),
            status @ (401 | 403) => (PollErrorKind::Unauthorized, Some(hint(status))),
            // One unknown id among several may be answered so.
            404 => (PollErrorKind::BulkRefused { too_many: false }, Some(hint(404))),
            400 | 413 | 414 | 422 | 431 => (PollErrorKind::BulkRefused { too_many: true }, None),
            status @ (300..=399 | 402 | 405) => (PollErrorKind::BadResponse, Some(hint(status))),
            _ => (PollErrorKind::BadResponse, None),
        };
        Err(PollError { retry_after: response.retry_after, hint, ..PollError::new(kind, message) })
    }

    async fn end_call(&self, run: EvaluatorRunId) -> Result<(), PollError> {
        let path = end_call_path(&self.config.settings.end_call_path, &run).ok_or_else(|| {
            PollError::new(PollErrorKind::BadResponse, format!("{run} is not the id of a run"))
        })?;
        let request = self
            .poll_client
            .post(&format!("{}{path}", self.config.url))
            .header("x-cekura-api-key", self.config.key.expose());
        self.send_checked(request, MAX_ANSWER).await.map(|_| ())
    }
}

/// The path of a run, whose id comes from the service and must not choose another path.
fn end_call_path(template: &str, run: &EvaluatorRunId) -> Option<String> {
    let id = run.as_str();
    // Such a segment would lead upwards, encoded or not.
    let is_segment = !id.is_empty() && !id.bytes().all(|byte| byte == b'.');
    is_segment.then(|| template.replace("{id}", &utf8_percent_encode(id, RESERVED).to_string()))
}

/// What the response to a submission means. Only what certainly was not accepted may be retried.
fn classify_submission(
    response: &HttpResponse,
    scenarios: &[ScenarioId],
) -> Result<AcceptedSubmission, SubmitError> {
    let kind = match response.status {
        200..=299 => return parse_success(response, scenarios),
        429 => SubmitErrorKind::RateLimited { retry_after: response.retry_after },
        401 | 403 => SubmitErrorKind::Unauthorized,
        // No balance, or nothing at this address: no other submission would fare better.
        300..=399 | 402 | 404 | 405 => SubmitErrorKind::RejectedAlways,
        // A request timeout says that the service gave up, not that it did nothing.
        408 => SubmitErrorKind::Unknown,
        400..=499 => SubmitErrorKind::Rejected,
        _ => SubmitErrorKind::Unknown,
    };
    let message = format!("Cekura answered {}: {}", response.status, error_message(response));
    Err(SubmitError::new(kind, message).with_hint(hint(response.status)))
}

fn parse_success(
    response: &HttpResponse,
    scenarios: &[ScenarioId],
) -> Result<AcceptedSubmission, SubmitError> {
    let unknown = |what: &str| {
        let message = format!("Cekura answered {} {what}", response.status);
        SubmitError::new(SubmitErrorKind::Unknown, message).with_hint(LOOK_FOR_THE_RUN)
    };
    if response.truncated {
        return Err(unknown("with more than can be read"));
    }
    let max_values = MAX_VALUES + scenarios.len() * MAX_VALUES;
    let json = parse_json(&response.body, max_values).map_err(|error| {
        unknown(&format!("with a body that {error}: {}", error_message(response)))
            .with_source(error)
    })?;
    let Some(accepted) = parse_accepted(&json, scenarios) else {
        return Err(unknown(&format!("without naming a run: {}", quoted(&json.to_string()))));
    };
    if accepted.runs.iter().all(Option::is_none) {
        return Err(unknown(
            "and listed no runs (check that the scenarios are not empty and their ids valid)",
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
            runs_per_poll: RUNS_PER_POLL,
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
        Box::pin(self.poll_runs(runs))
    }

    fn end_call(&self, run: EvaluatorRunId) -> BoxFuture<'_, Result<(), PollError>> {
        Box::pin(self.end_call(run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::event::RunMapping;

    fn classify(status: u16, body: &str) -> Result<AcceptedSubmission, SubmitErrorKind> {
        let response = HttpResponse {
            status,
            retry_after: None,
            date: None,
            body: body.into(),
            truncated: false,
        };
        classify_submission(&response, &[ScenarioId::new("30")]).map_err(|error| error.kind)
    }

    #[test]
    fn only_what_was_certainly_not_accepted_may_be_retried() {
        use SubmitErrorKind::{RateLimited, Rejected, RejectedAlways, Unauthorized, Unknown};
        for (status, body, kind) in [
            (400, "{}", Rejected),
            (401, "{}", Unauthorized),
            (403, "", Unauthorized),
            (402, "{}", RejectedAlways),
            (404, "<html>", RejectedAlways),
            (405, "{}", RejectedAlways),
            (302, "", RejectedAlways),
            (413, "", Rejected),
            (422, "{}", Rejected),
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
            assert_eq!(classify(status, body).unwrap_err(), kind, "{status} {body}");
        }
    }

    #[test]
    fn an_id_stays_one_segment_of_the_path() {
        let path = |id: &str| {
            end_call_path("/runs/{id}/end/", &EvaluatorRunId::new(id)).unwrap_or_default()
        };
        assert_eq!([path("."), path(".."), path("")], ["", "", ""]);
        assert_eq!(path("3-a_b"), "/runs/3-a_b/end/");
        assert_eq!(path("3/../4?a#b"), "/runs/3%2F..%2F4%3Fa%23b/end/");
    }

    #[test]
    fn every_status_of_success_is_accepted() {
        for status in [200, 201, 202] {
            let accepted = classify(status, "{\"id\": 7, \"runs\": [{\"id\": 3}]}").unwrap();
            assert_eq!(accepted.runs, [Some(EvaluatorRunId::new("3"))]);
            assert_eq!(accepted.mapping, RunMapping::Proven);
        }
    }
}
