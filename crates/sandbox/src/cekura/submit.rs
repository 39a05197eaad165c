//! Submissions: parsed, validated field by field, affected by at most one fault.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::faults::{Fault, FaultGroup};
use crate::http::{
    Delivery, PendingSubmission, SandboxRequest, SandboxResponse, retry_after_seconds,
};
use crate::world::{Submission, SubmissionEntry, SubmissionIds, World};
use rushhour_core::units::{Micros, Mode};

use super::routes::error_response;
use super::views;

/// The agent of a submission that names none.
const DEFAULT_AGENT: u64 = 1;
/// What the fault `submit_huge` adds to the response, in bytes.
const HUGE_PADDING: usize = 50 * 1_024 * 1_024;
const REQUIRED: &str = "This field is required.";

pub(super) fn handle(
    world: &mut World,
    request: &SandboxRequest<'_>,
    mode: Mode,
) -> SandboxResponse {
    let submission = match parse(world, request.body, mode) {
        Ok(submission) => submission,
        Err(response) => return *response,
    };
    let received = world.now();
    let key = world.submission_key(&submission);
    let fault = world.choose_fault(FaultGroup::SUBMISSION, &key);
    let times = world.config.times.cekura;
    let mut delay = world.sample_delay("submit", &key, times.submit);
    if let Some(rejection) = fault.and_then(|fault| rejection(world, fault, delay)) {
        return rejection.delayed_by(delay);
    }
    if fault == Some(Fault::SubmitSlow) {
        delay = delay + world.sample_delay("submit slow", &key, times.submit_slow);
    }
    let SubmissionIds { submission, result, runs } = world.accept_submission(submission, delay);
    let body = views::submission(world, result, &listed_runs(&runs, fault));
    let response = match fault {
        Some(Fault::SubmitErrorAfter) => error_response(500, "Internal server error."),
        Some(Fault::SubmitEmpty) => SandboxResponse::new(200, "application/json", ""),
        _ => SandboxResponse::new(200, "application/json", body),
    };
    let delivery = match fault {
        Some(Fault::SubmitSilent) => Delivery::Never,
        Some(Fault::SubmitResetAfter) => Delivery::Reset,
        Some(Fault::SubmitTruncated) => Delivery::Truncated,
        Some(Fault::SubmitHuge) => Delivery::Padded(HUGE_PADDING),
        _ => Delivery::Complete,
    };
    let mut response = response.with_delivery(delivery).delayed_by(delay);
    response.submission = Some(PendingSubmission { id: submission, runs, received });
    response
}

/// The response to a submission that a fault keeps from creating runs; `None` for the other faults.
fn rejection(world: &World, fault: Fault, delay: Micros) -> Option<SandboxResponse> {
    let retry_after = world.config.times.cekura.retry_after;
    let too_many = |header: Option<String>| {
        let mut response = error_response(429, "Request was throttled.");
        response.retry_after = header;
        response
    };
    match fault {
        Fault::SubmitTooManySeconds => Some(too_many(Some(retry_after_seconds(retry_after)))),
        Fault::SubmitTooManyDate => {
            let sent = world.now() + delay;
            Some(too_many(Some(world.anchor.retry_after_date(sent, retry_after))))
        }
        Fault::SubmitTooManyBare => Some(too_many(None)),
        Fault::SubmitInvalid => {
            let why = ["Invalid scenario IDs or scenarios not found"];
            Some(SandboxResponse::json(400, &json!({ "scenarios": why })))
        }
        Fault::SubmitNoBalance => Some(error_response(402, "Insufficient balance.")),
        Fault::SubmitNotFound => Some(error_response(404, "Not found.")),
        Fault::SubmitErrorBefore => Some(error_response(500, "Internal server error.")),
        Fault::SubmitHtml => Some(SandboxResponse::bad_gateway()),
        Fault::SubmitResetBefore => {
            Some(SandboxResponse::bad_gateway().with_delivery(Delivery::Reset))
        }
        _ => None,
    }
}

/// The runs that the response lists.
fn listed_runs(runs: &[u64], fault: Option<Fault>) -> Vec<u64> {
    let mut listed = runs.to_vec();
    match fault {
        Some(Fault::RunsReordered) => listed.reverse(),
        Some(Fault::RunsMissing) => drop(listed.pop()),
        _ => {}
    }
    listed
}

fn parse(world: &World, body: &[u8], mode: Mode) -> Result<Submission, Box<SandboxResponse>> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Box::new(error_response(400, &format!("JSON parse error - {error}"))))?;
    let fields = body.as_object().ok_or_else(|| {
        let why = ["Invalid data. Expected a dictionary."];
        Box::new(SandboxResponse::json(400, &json!({ "non_field_errors": why })))
    })?;
    let agent = match fields.get("agent") {
        None | Some(Value::Null) => DEFAULT_AGENT,
        Some(agent) => {
            integer(agent).ok_or_else(|| field_error("agent", &["A valid integer is required."]))?
        }
    };
    let scenarios = match fields.get("scenarios") {
        None | Some(Value::Null) => return Err(field_error("scenarios", &[REQUIRED])),
        Some(Value::Array(items)) if items.is_empty() => {
            return Err(field_error("scenarios", &["This list may not be empty."]));
        }
        Some(Value::Array(items)) => items,
        Some(_) => {
            return Err(field_error("scenarios", &["Expected a list of items."]));
        }
    };
    let parsed: Vec<Result<SubmissionEntry, EntryErrors>> =
        scenarios.iter().map(parse_entry).collect();
    if parsed.iter().any(Result::is_err) {
        let errors: Vec<EntryErrors> =
            parsed.into_iter().map(|entry| entry.err().unwrap_or_default()).collect();
        return Err(Box::new(SandboxResponse::json(400, &json!({ "scenarios": errors }))));
    }
    let entries: Vec<SubmissionEntry> = parsed.into_iter().flatten().collect();
    let exists = |entry: &SubmissionEntry| {
        world.config.scenarios.as_ref().is_none_or(|ids| ids.contains(&entry.scenario))
    };
    if !entries.iter().all(exists) {
        let why = ["Invalid scenario IDs or scenarios not found"];
        return Err(field_error("scenarios", &why));
    }
    Ok(Submission { mode, agent, entries })
}

/// The errors of an entry, by field; empty if the entry is valid.
type EntryErrors = BTreeMap<&'static str, [&'static str; 1]>;

fn parse_entry(item: &Value) -> Result<SubmissionEntry, EntryErrors> {
    let no_fields = Map::new();
    let fields = item.as_object().unwrap_or(&no_fields);
    let mut errors = EntryErrors::new();
    let scenario = match fields.get("scenario") {
        None | Some(Value::Null) => Err(REQUIRED),
        Some(scenario) => integer(scenario).ok_or("A valid integer is required."),
    };
    let scenario = scenario.map_err(|why| errors.insert("scenario", [why])).unwrap_or_default();
    let mut text = |name: &'static str| {
        let text = match fields.get(name) {
            None | Some(Value::Null) => Err(REQUIRED),
            Some(Value::String(text)) if text.is_empty() => Err("This field may not be blank."),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err("Not a valid string."),
        };
        text.map_err(|why| errors.insert(name, [why])).unwrap_or_default()
    };
    let (room_url, token) = (text("livekit_room_url"), text("access_token"));
    let message = fields.get("publish_data_message").unwrap_or(&Value::Null);
    if !message.is_object() && !message.is_null() {
        errors.insert("publish_data_message", ["Expected a dictionary of items."]);
    }
    if errors.is_empty() { Ok(SubmissionEntry { scenario, room_url, token }) } else { Err(errors) }
}

/// An integer as Django's REST framework accepts it: a number, or a text of digits.
fn integer(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn field_error(field: &str, errors: &[&str]) -> Box<SandboxResponse> {
    let fields: BTreeMap<&str, &[&str]> = [(field, errors)].into();
    Box::new(SandboxResponse::json(400, &fields))
}

#[cfg(test)]
mod tests;
