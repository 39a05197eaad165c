//! Submissions: read, found valid or refused field by field, struck by at most one fault.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::exchange::{Delivery, Receipt, SandboxRequest, SandboxResponse};
use crate::faults::{Fault, Group};
use crate::world::{Submission, SubmissionEntry, SubmissionReceipt, World};
use rushhour_core::units::{Micros, Mode};

use super::routes::refusal;
use super::views;

/// The agent of runs whose submission names none.
const DEFAULT_AGENT: u64 = 1;
/// The size of a huge answer, in bytes.
const HUGE: usize = 50 * 1_024 * 1_024;
const REQUIRED: &str = "This field is required.";

pub(super) fn answer(
    world: &mut World,
    request: &SandboxRequest<'_>,
    mode: Mode,
) -> SandboxResponse {
    let submission = match read(world, request.body, mode) {
        Ok(submission) => submission,
        Err(refusal) => return *refusal,
    };
    let received = world.now();
    let key = world.submission_key(&submission);
    let fault = world.fault(Group::SUBMISSION, &key);
    let times = world.config.times.cekura;
    let mut wait = world.time("submit", &key, times.submit);
    if let Some(refusal) = fault.and_then(|fault| refused(world, fault, wait)) {
        return refusal.later(wait);
    }
    if fault == Some(Fault::SubmitSlow) {
        wait = wait + world.time("submit slow", &key, times.submit_slow);
    }
    let SubmissionReceipt { submission, folder, runs } = world.accept(submission, wait);
    let listed = listed(&runs, fault);
    let body = views::started(world, folder, &listed);
    let answer = match fault {
        Some(Fault::SubmitErrorAfter) => refusal(500, "Internal server error."),
        Some(Fault::SubmitEmpty) => SandboxResponse::new(200, "application/json", ""),
        _ => SandboxResponse::new(200, "application/json", body),
    };
    let delivery = match fault {
        Some(Fault::SubmitSilent) => Delivery::Never,
        Some(Fault::SubmitResetAfter) => Delivery::Reset,
        Some(Fault::SubmitTruncated) => Delivery::Half,
        Some(Fault::SubmitHuge) => Delivery::Padded(HUGE),
        _ => Delivery::Whole,
    };
    let mut answer = answer.delivered(delivery).later(wait);
    answer.receipt = Some(Receipt { submission, runs, received });
    answer
}

/// The answer to a submission that makes nothing.
fn refused(world: &World, fault: Fault, wait: Micros) -> Option<SandboxResponse> {
    let retry_after = world.config.times.cekura.retry_after;
    let too_many = |header: Option<String>| {
        let mut answer = refusal(429, "Request was throttled.");
        answer.retry_after = header;
        answer
    };
    match fault {
        Fault::SubmitTooManySeconds => Some(too_many(Some(whole_seconds(retry_after)))),
        Fault::SubmitTooManyDate => {
            let answered = world.now() + wait;
            Some(too_many(Some(world.anchor.http_date(answered, retry_after))))
        }
        Fault::SubmitTooManyBare => Some(too_many(None)),
        Fault::SubmitErrorBefore => Some(refusal(500, "Internal server error.")),
        Fault::SubmitHtml => Some(SandboxResponse::bad_gateway()),
        Fault::SubmitResetBefore => Some(SandboxResponse::bad_gateway().delivered(Delivery::Reset)),
        _ => None,
    }
}

/// A wait as `Retry-After` counts it, rounded up.
pub(super) fn whole_seconds(wait: Micros) -> String {
    wait.0.div_ceil(1_000_000).to_string()
}

/// The runs as the answer lists them.
fn listed(runs: &[u64], fault: Option<Fault>) -> Vec<u64> {
    let mut listed = runs.to_vec();
    match fault {
        Some(Fault::RunsReordered) => listed.reverse(),
        Some(Fault::RunsMissing) => drop(listed.pop()),
        _ => {}
    }
    listed
}

fn read(world: &World, body: &[u8], mode: Mode) -> Result<Submission, Box<SandboxResponse>> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Box::new(refusal(400, &format!("JSON parse error - {error}"))))?;
    let fields = body.as_object().ok_or_else(|| {
        let why = ["Invalid data. Expected a dictionary."];
        Box::new(SandboxResponse::json(400, &json!({ "non_field_errors": why })))
    })?;
    let agent = match fields.get("agent") {
        None | Some(Value::Null) => DEFAULT_AGENT,
        Some(given) => integer(given)
            .ok_or_else(|| field_refused("agent", &["A valid integer is required."]))?,
    };
    let scenarios = match fields.get("scenarios") {
        None | Some(Value::Null) => return Err(field_refused("scenarios", &[REQUIRED])),
        Some(Value::Array(items)) if items.is_empty() => {
            return Err(field_refused("scenarios", &["This list may not be empty."]));
        }
        Some(Value::Array(items)) => items,
        Some(_) => {
            return Err(field_refused("scenarios", &["Expected a list of items."]));
        }
    };
    let read: Vec<Result<SubmissionEntry, EntryErrors>> = scenarios.iter().map(entry).collect();
    if read.iter().any(Result::is_err) {
        let errors: Vec<EntryErrors> =
            read.into_iter().map(|entry| entry.err().unwrap_or_default()).collect();
        return Err(Box::new(SandboxResponse::json(400, &json!({ "scenarios": errors }))));
    }
    let entries: Vec<SubmissionEntry> = read.into_iter().flatten().collect();
    let known = |entry: &SubmissionEntry| {
        world.config.scenarios.as_ref().is_none_or(|known| known.contains(&entry.scenario))
    };
    if !entries.iter().all(known) {
        let why = ["Invalid scenario IDs or scenarios not found"];
        return Err(field_refused("scenarios", &why));
    }
    Ok(Submission { mode, agent, entries })
}

/// What is wrong with an entry, by field; nothing where it is right.
type EntryErrors = BTreeMap<&'static str, [&'static str; 1]>;

fn entry(item: &Value) -> Result<SubmissionEntry, EntryErrors> {
    let nothing = Map::new();
    let fields = item.as_object().unwrap_or(&nothing);
    let mut errors = EntryErrors::new();
    let scenario = match fields.get("scenario") {
        None | Some(Value::Null) => Err(REQUIRED),
        Some(given) => integer(given).ok_or("A valid integer is required."),
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

/// An integer as Django's REST framework takes it: a number, or a text of digits.
fn integer(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn field_refused(field: &str, errors: &[&str]) -> Box<SandboxResponse> {
    let fields: BTreeMap<&str, &[&str]> = [(field, errors)].into();
    Box::new(SandboxResponse::json(400, &fields))
}

#[cfg(test)]
mod tests;
