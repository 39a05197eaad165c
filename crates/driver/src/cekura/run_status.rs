//! Cekura's status of runs, and what it means here.

use serde_json::Value;

use super::error_message::quoted;
use rushhour_core::evaluator::{RunState, RunStatus};
use rushhour_core::event::{FailureClass, Outcome, RunPhase};
use rushhour_core::units::{EvaluatorRunId, Micros};

/// Parses the status of runs: an array of runs, an array under `results` or `runs`, or a map of runs by id. Skips
/// entries that are not runs.
pub fn parse_statuses(response: &Value) -> Vec<RunStatus> {
    runs_of(response).iter().filter_map(|(key, run)| parse_status(*key, run)).collect()
}

/// Whether a response lists runs, or says that there are none. Anything else is not understood.
pub(super) fn lists_runs(response: &Value) -> bool {
    let is_list = match response {
        Value::Array(runs) => runs.is_empty(),
        Value::Object(fields) => {
            let listed = fields.get("runs").or_else(|| fields.get("results"));
            let empty = listed.is_some_and(|runs| match runs {
                Value::Array(runs) => runs.is_empty(),
                Value::Object(runs) => runs.is_empty(),
                _ => false,
            });
            fields.is_empty() || empty
        }
        _ => false,
    };
    is_list || !parse_statuses(response).is_empty()
}

/// The query of the next page of a response; `None` if there is none.
pub(super) fn next_page(response: &Value) -> Option<Vec<(String, String)>> {
    let next = response.get("next")?.as_str()?;
    let (_, query) = next.split_once('?')?;
    let query = query.split('#').next().unwrap_or(query);
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect();
    (!pairs.is_empty()).then_some(pairs)
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// The runs in a response, with their keys where they are in a map.
pub(super) fn runs_of(response: &Value) -> Vec<(Option<&str>, &Value)> {
    match response {
        Value::Array(runs) => runs.iter().map(|run| (None, run)).collect(),
        Value::Object(fields) => {
            if let Some(inner @ (Value::Array(_) | Value::Object(_))) =
                fields.get("runs").or_else(|| fields.get("results"))
            {
                return match inner {
                    Value::Object(runs) => {
                        runs.iter().map(|(key, run)| (Some(key.as_str()), run)).collect()
                    }
                    other => runs_of(other),
                };
            }
            if fields.contains_key("status") {
                return vec![(None, response)];
            }
            fields
                .iter()
                .filter(|(_, run)| run.is_object())
                .map(|(key, run)| (Some(key.as_str()), run))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// An id, which may be a number or a string.
pub(super) fn id_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    }
}

fn parse_status(key: Option<&str>, run: &Value) -> Option<RunStatus> {
    let id = id_of(run.get("id")).or_else(|| key.map(str::to_owned))?;
    let word = run.get("status").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    Some(RunStatus {
        run: EvaluatorRunId::new(id),
        state: state_of(&in_one_case(&word), run),
        conversation_duration: parse_duration(run.get("duration")),
        status: word.into(),
    })
}

/// A status as it is documented, whatever its case and however its words are joined.
fn in_one_case(word: &str) -> String {
    word.trim().to_ascii_lowercase().replace(['-', ' '], "_")
}

fn state_of(word: &str, run: &Value) -> RunState {
    match word {
        "pending" | "in_queue" | "scaling_up" => RunState::InProgress(RunPhase::Queued),
        "running" | "in_progress" => RunState::InProgress(RunPhase::Running),
        "evaluating" => RunState::InProgress(RunPhase::Judging),
        "completed" => RunState::Ended(Outcome::Completed { judged: scenario_passed(run) }),
        "failed" => RunState::Ended(failed_outcome(run)),
        "timeout" => RunState::Ended(Outcome::failed(
            FailureClass::EvaluatorTimeout,
            with_reason("Cekura ended the run: it exceeded its time limit", run),
        )),
        "cancelled" | "canceled" => RunState::Ended(Outcome::failed(
            FailureClass::Cancelled,
            with_reason("cancelled at Cekura", run),
        )),
        _ => RunState::Unknown,
    }
}

/// Whether the scenario passed: `success`, or else `evaluation_status`.
fn scenario_passed(run: &Value) -> Option<bool> {
    run.get("success").and_then(Value::as_bool).or_else(|| {
        match &*in_one_case(run.get("evaluation_status").and_then(Value::as_str)?) {
            "success" | "reviewed_success" => Some(true),
            "failure" | "reviewed_failure" => Some(false),
            _ => None,
        }
    })
}

/// Some of Cekura's reasons for the end of a call blame the agent.
fn failed_outcome(run: &Value) -> Outcome {
    let class = match ended_reason(run).map(in_one_case).as_deref() {
        Some("main_agent_did_not_answer" | "main_agent_call_not_connected") => {
            FailureClass::AgentNeverJoined
        }
        Some("main_agent_silence_timed_out") => FailureClass::AgentMute,
        _ => FailureClass::EvaluatorFailed,
    };
    Outcome::failed(class, with_reason("Cekura ended the run as failed", run))
}

fn ended_reason(run: &Value) -> Option<&str> {
    run.get("metadata")?.get("ended_reason")?.as_str()
}

fn with_reason(summary: &str, run: &Value) -> String {
    let message = run.get("error_message").and_then(Value::as_str).filter(|text| !text.is_empty());
    let reasons: Vec<&str> = [ended_reason(run), message].into_iter().flatten().collect();
    let text = match reasons[..] {
        [] => summary.to_owned(),
        _ => format!("{summary}: {}", quoted(&reasons.join("; "))),
    };
    if text.contains("room") && text.contains("connect") {
        return format!(
            "{text}; verify livekit_room_url and access_token: the server must be reachable from Cekura and the token valid when the call starts"
        );
    }
    text
}

/// A conversation's duration: `MM:SS` or `HH:MM:SS`, or seconds as a number.
fn parse_duration(value: Option<&Value>) -> Option<Micros> {
    let seconds = match value? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => {
            let mut seconds = 0.0;
            for part in text.trim().split(':') {
                let number: f64 = part.trim().parse().ok()?;
                seconds = seconds * 60.0 + number;
            }
            seconds
        }
        _ => return None,
    };
    (seconds.is_finite() && (0.0..1e6).contains(&seconds)).then(|| Micros::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn runs_are_found_in_every_form() {
        let forms = [
            json!([{ "id": 301, "status": "running" }]),
            json!({ "count": 1, "results": [{ "id": "301", "status": "running" }] }),
            json!({ "id": 9, "status": "in_progress", "runs": [{ "id": 301, "status": "running" }] }),
            json!({ "id": 9, "status": "in_progress", "runs": { "301": { "status": "running" } } }),
            json!({ "301": { "status": "running", "surprise": [1, 2] } }),
            json!({ "id": 301, "status": "running" }),
        ];
        for form in forms {
            let statuses = parse_statuses(&form);
            assert_eq!(statuses.len(), 1, "{form}");
            assert_eq!(statuses[0].run, EvaluatorRunId::new("301"), "{form}");
            assert_eq!(statuses[0].state, RunState::InProgress(RunPhase::Running), "{form}");
        }
        for nothing in
            [json!(null), json!(3), json!("x"), json!([]), json!([1, "a", {}]), json!({})]
        {
            assert_eq!(parse_statuses(&nothing), [], "{nothing}");
        }
    }

    #[test]
    fn an_answer_that_lists_no_runs_is_told_from_one_about_none() {
        for understood in [
            json!([]),
            json!({}),
            json!({ "count": 0, "results": [] }),
            json!({ "runs": {} }),
            json!([{ "id": 1, "status": "running" }]),
        ] {
            assert!(lists_runs(&understood), "{understood}");
        }
        for other in [
            json!(null),
            json!("ok"),
            json!({ "detail": "maintenance" }),
            json!([{ "uuid": "x", "state": "running" }]),
            json!({ "data": [{ "id": 1, "status": "running" }] }),
        ] {
            assert!(!lists_runs(&other), "{other}");
        }
    }

    #[test]
    fn only_the_query_of_the_next_page_is_taken() {
        let next = |next: Value| next_page(&json!({ "next": next, "results": [] }));
        let page = [("page".to_owned(), "2".to_owned()), ("run_ids".to_owned(), "1,2".to_owned())];
        let address = "https://elsewhere.example/steal?page=2&run_ids=1%2C2#top";
        assert_eq!(next(json!(address)), Some(page.to_vec()));
        assert_eq!(next(json!("/runs/?page=2&run_ids=1,2")), Some(page.to_vec()));
        for none in [json!(null), json!(""), json!("https://a.example/"), json!(3), json!("/x?")] {
            assert_eq!(next(none.clone()), None, "{none}");
        }
        assert_eq!(next_page(&json!([])), None);
    }

    #[test]
    fn every_status_has_a_meaning_and_unknown_ones_do_not_end_a_run() {
        let state =
            |status: &str| parse_statuses(&json!([{ "id": 1, "status": status }]))[0].state.clone();
        for word in ["pending", "in_queue", "scaling_up"] {
            assert_eq!(state(word), RunState::InProgress(RunPhase::Queued), "{word}");
        }
        assert_eq!(state("evaluating"), RunState::InProgress(RunPhase::Judging));
        for word in ["IN_QUEUE", " Scaling Up ", "in-queue"] {
            assert_eq!(state(word), RunState::InProgress(RunPhase::Queued), "{word}");
        }
        assert_eq!(state("In_Progress"), RunState::InProgress(RunPhase::Running));
        assert_eq!(state("daydreaming"), RunState::Unknown);
        let ended = |word: &str| match state(word) {
            RunState::Ended(outcome) => outcome.class(),
            other => panic!("{other:?}"),
        };
        assert_eq!(ended("completed"), None);
        assert_eq!(ended("COMPLETED"), None);
        assert_eq!(ended("Failed"), Some(FailureClass::EvaluatorFailed));
        assert_eq!(ended("failed"), Some(FailureClass::EvaluatorFailed));
        assert_eq!(ended("timeout"), Some(FailureClass::EvaluatorTimeout));
        assert_eq!(ended("cancelled"), Some(FailureClass::Cancelled));
    }

    #[test]
    fn a_failure_keeps_the_services_own_message() {
        let run = json!([{ "id": 1, "status": "failed", "error_message": "could not connect to room",
            "metadata": { "ended_reason": "Testing agent-did-not-connect" } }]);
        let RunState::Ended(Outcome::Failed { class, detail }) =
            parse_statuses(&run)[0].state.clone()
        else {
            panic!()
        };
        assert_eq!(class, FailureClass::EvaluatorFailed);
        assert!(detail.contains("Testing agent-did-not-connect; could not connect to room"));
        assert!(detail.contains("verify livekit_room_url"));
        let run = json!([{ "id": 1, "status": "failed", "metadata": { "ended_reason": "Main agent-did-not-answer" } }]);
        let RunState::Ended(outcome) = parse_statuses(&run)[0].state.clone() else { panic!() };
        assert_eq!(outcome.class(), Some(FailureClass::AgentNeverJoined));
    }

    #[test]
    fn judgement_and_duration_are_parsed_in_every_form() {
        let status = |run: Value| parse_statuses(&json!([run]))[0].clone();
        let judged = |run| match status(run).state {
            RunState::Ended(Outcome::Completed { judged }) => judged,
            other => panic!("{other:?}"),
        };
        assert_eq!(judged(json!({ "id": 1, "status": "completed", "success": true })), Some(true));
        assert_eq!(
            judged(
                json!({ "id": 1, "status": "completed", "evaluation_status": "reviewed_failure" })
            ),
            Some(false)
        );
        assert_eq!(judged(json!({ "id": 1, "status": "completed" })), None);
        let duration = |duration: Value| {
            status(json!({ "id": 1, "duration": duration })).conversation_duration
        };
        assert_eq!(duration(json!("01:10")), Some(Micros::from_secs(70)));
        assert_eq!(duration(json!("1:00:05")), Some(Micros::from_secs(3605)));
        assert_eq!(duration(json!(42.5)), Some(Micros::from_millis(42_500)));
        assert_eq!(duration(json!("soon")), None);
        assert_eq!(duration(json!(null)), None);
    }
}
