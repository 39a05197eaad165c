use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::http::{Delivery, SandboxRequest, SandboxResponse};
use crate::test_sandbox::{TestSandbox, config, config_with};
use crate::truth::SandboxFact;
use crate::{Fault, Faults, SandboxConfig};
use rushhour_core::units::{Micros, Mode, Percent};

use super::HUGE_PADDING;

const PATH: &str = "v1/scenarios-external/run_scenarios_livekit/";

fn json_of(response: &SandboxResponse) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

fn submitted(faults: Faults, rooms: &[&str]) -> (TestSandbox, SandboxResponse) {
    let mut sandbox = TestSandbox::new(config_with(faults));
    let entries: Vec<Value> = rooms.iter().map(|room| sandbox.entry(room)).collect();
    let response = sandbox.submit_entries(Mode::Voice, &entries);
    (sandbox, response)
}

#[test]
fn a_submission_returns_a_result_with_its_runs_in_order() {
    let mut sandbox = TestSandbox::default();
    let mut entries = vec![sandbox.entry("a"), sandbox.entry("b"), sandbox.entry("c")];
    entries[1]["scenario"] = json!("31");
    let response = sandbox.submit_entries(Mode::Chat, &entries);
    let body = json_of(&response);
    assert_eq!(response.status, 200);
    assert_eq!((&body["status"], &body["run_as_text"]), (&json!("in_progress"), &json!(true)));
    let runs = body["runs"].as_array().unwrap();
    let scenarios: Vec<&Value> = runs.iter().map(|run| &run["scenario"]).collect();
    assert_eq!(scenarios, [30, 31, 30]);
    let ids: Vec<u64> = runs.iter().map(|run| run["id"].as_u64().unwrap()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    let result = sandbox.get(&format!("v1/results/{}", body["id"]), "");
    assert_eq!(result["runs"].as_object().unwrap().len(), 3);
}

#[test]
fn the_key_is_checked_before_the_body() {
    let mut sandbox = TestSandbox::default();
    let mut status = |cekura_key: Option<&str>| {
        let path = &format!("/test_framework/{PATH}");
        let request = SandboxRequest {
            method: "POST",
            path,
            cekura_key,
            body: b"{",
            ..SandboxRequest::default()
        };
        sandbox.send(&request).status
    };
    assert_eq!(status(None), 401);
    assert_eq!(status(Some("wrong")), 403);
    assert_eq!(status(Some(SandboxConfig::CEKURA_KEY)), 400);
}

#[test]
fn invalid_bodies_are_reported_field_by_field() {
    let scenarios = Some([30].into());
    let mut sandbox = TestSandbox::new(SandboxConfig { scenarios, ..config() });
    let entry = sandbox.entry("a");
    let mut error = |body: Value| {
        let response = sandbox.cekura("POST", PATH, "", &body);
        assert_eq!(response.status, 400, "{body}");
        json_of(&response)
    };
    let required = json!(["This field is required."]);
    assert_eq!(error(json!({}))["scenarios"], required);
    let empty = json!(["This list may not be empty."]);
    assert_eq!(error(json!({ "scenarios": [] }))["scenarios"], empty);
    assert!(error(json!([]))["non_field_errors"].is_array());
    assert!(error(json!({ "scenarios": 3 }))["scenarios"].is_array());
    let unknown = json!(["Invalid scenario IDs or scenarios not found"]);
    let mut other = entry.clone();
    other["scenario"] = json!(31);
    assert_eq!(error(json!({ "scenarios": [entry, other] }))["scenarios"], unknown);
    let mut wrong = entry.clone();
    wrong["access_token"] = json!("");
    wrong["publish_data_message"] = json!("hello");
    let errors = error(json!({ "scenarios": [entry, wrong, { "scenario": "x" }] }));
    assert_eq!(errors["scenarios"][0], json!({}));
    assert_eq!(errors["scenarios"][1].as_object().unwrap().len(), 2);
    assert_eq!(errors["scenarios"][2]["livekit_room_url"], required);
    assert!(error(json!({ "scenarios": [entry], "agent": "x" }))["agent"].is_array());
    assert_eq!(sandbox.truth().counts.entries, 0);
    let valid = json!({ "scenarios": [entry], "agent": 7 });
    assert_eq!(json_of(&sandbox.cekura("POST", PATH, "", &valid))["agent"], 7);
}

#[test]
fn rejecting_faults_create_no_runs() {
    for (fault, status, retry_after) in [
        (Fault::SubmitTooManySeconds, 429, Some("2")),
        (Fault::SubmitTooManyDate, 429, Some("Tue, 14 Jul 2026 03:33:22 GMT")),
        (Fault::SubmitTooManyBare, 429, None),
        (Fault::SubmitErrorBefore, 500, None),
        (Fault::SubmitHtml, 502, None),
    ] {
        let (sandbox, response) = submitted(Faults::always(fault), &["a"]);
        assert_eq!(
            (response.status, response.retry_after.as_deref()),
            (status, retry_after),
            "{fault}"
        );
        assert_eq!(response.delivery, Delivery::Complete);
        assert_eq!((sandbox.truth().counts.entries, sandbox.truth().injected(fault)), (0, 1));
    }
    let (sandbox, response) = submitted(Faults::always(Fault::SubmitResetBefore), &["a"]);
    assert_eq!((response.delivery, sandbox.truth().counts.entries), (Delivery::Reset, 0));
}

#[test]
fn other_faults_create_runs_without_confirming_them() {
    for (fault, status, delivery) in [
        (Fault::SubmitErrorAfter, 500, Delivery::Complete),
        (Fault::SubmitResetAfter, 200, Delivery::Reset),
        (Fault::SubmitSilent, 200, Delivery::Never),
        (Fault::SubmitTruncated, 200, Delivery::Truncated),
        (Fault::SubmitHuge, 200, Delivery::Padded(HUGE_PADDING)),
        (Fault::SubmitEmpty, 200, Delivery::Complete),
    ] {
        let (sandbox, response) = submitted(Faults::always(fault), &["a", "b"]);
        assert_eq!((response.status, response.delivery), (status, delivery), "{fault}");
        assert_eq!(response.submission.unwrap().runs.len(), 2);
        assert_eq!(sandbox.truth().counts.entries, 2);
    }
    let (_, response) = submitted(Faults::always(Fault::SubmitEmpty), &["a"]);
    assert!(response.body.is_empty());
    let (_, response) = submitted(Faults::always(Fault::SubmitSlow), &["a"]);
    assert_eq!(response.delay, Micros::from_secs(5));
}

#[test]
fn faults_reorder_the_listed_runs_or_omit_one() {
    let ids = |fault: Fault| {
        let (sandbox, response) = submitted(Faults::always(fault), &["a", "b", "c"]);
        assert_eq!(sandbox.truth().counts.entries, 3);
        let runs = json_of(&response)["runs"].as_array().unwrap().clone();
        runs.iter().map(|run| run["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let created = [5_000_001, 5_000_002, 5_000_003];
    assert_eq!(ids(Fault::JudgedFailure), created);
    assert_eq!(ids(Fault::RunsReordered), [created[2], created[1], created[0]]);
    assert_eq!(ids(Fault::RunsMissing), created[..2]);
}

#[test]
fn the_grants_and_the_lifetime_of_a_token_are_recorded() {
    let (mut sandbox, _) = submitted(Faults::NONE, &["a"]);
    let recorded = sandbox.facts().iter().find_map(|(_, fact)| match fact {
        SandboxFact::EntryAccepted { token_ttl_s, grants, identity, room, .. } => {
            Some((*token_ttl_s, grants.clone(), identity.to_string(), room.to_string()))
        }
        _ => None,
    });
    let grants = vec!["roomJoin", "canPublish", "canSubscribe", "canPublishData"];
    assert_eq!(recorded, Some((300, grants, "evaluator".to_owned(), "a".to_owned())));
    assert_eq!(sandbox.truth().counts.wide_tokens, 0);
}

/// The outcomes of two submissions for each room and of their runs, if the rooms are used in this order.
fn outcomes(order: &[usize]) -> Vec<String> {
    let rooms_only = [
        Fault::RoomUnavailable,
        Fault::LivekitReset,
        Fault::LivekitHtml,
        Fault::LivekitTooMany,
        Fault::LivekitExhausted,
    ];
    let faults = rooms_only
        .into_iter()
        .fold(Faults::each(Percent::from_fraction(0.04).unwrap()), |faults, fault| {
            faults.with(fault, Percent::ZERO)
        });
    // The default delays are random.
    let mut sandbox = TestSandbox::new(SandboxConfig { faults, ..SandboxConfig::default() });
    let mut outcomes = Vec::new();
    for n in order {
        let room = format!("room-{n}");
        sandbox.create_room_with_agent(&room, "{}");
        // A second attempt has its own random draws.
        for attempt in 1..=2 {
            let response = sandbox.submit_entries(Mode::Voice, &[sandbox.entry(&room)]);
            sandbox.advance(1);
            let SandboxResponse { status, delivery, .. } = response;
            outcomes.push(format!("{room} attempt {attempt}: {status} {delivery:?}"));
        }
    }
    sandbox.advance(100_000);
    let mut accepted = BTreeMap::new();
    for (at, fact) in sandbox.facts() {
        match fact {
            SandboxFact::EntryAccepted { run, .. } => drop(accepted.insert(*run, *at)),
            SandboxFact::FaultInjected { fault, key } => {
                outcomes.push(format!("{key}: fault {fault}"));
            }
            SandboxFact::RunStatus { run, room, status, ended_reason, .. } => {
                let after = at.since(accepted[run]);
                outcomes.push(format!("{room}: {status} {ended_reason} after {after}"));
            }
            _ => {}
        }
    }
    outcomes.sort_unstable();
    outcomes
}

#[test]
fn the_order_of_requests_does_not_change_faults_and_delays() {
    let forwards: Vec<usize> = (0..200).collect();
    let backwards: Vec<usize> = (0..200).rev().collect();
    let shuffled: Vec<usize> = (0..200).map(|n| (n * 73 + 11) % 200).collect();
    let expected = outcomes(&forwards);
    let faults = expected.iter().filter(|outcome| outcome.contains(": fault ")).count();
    assert!(faults > 200, "only {faults} faults");
    assert_eq!(outcomes(&backwards), expected);
    assert_eq!(outcomes(&shuffled), expected);
}
