use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::exchange::{Delivery, SandboxRequest, SandboxResponse};
use crate::test_sandbox::{TestSandbox, config, config_with};
use crate::truth::SandboxFact;
use crate::{Fault, Faults, SandboxConfig};
use rushhour_core::units::{Micros, Mode, Percent};

use super::HUGE;

const PATH: &str = "v1/scenarios-external/run_scenarios_livekit/";

fn json_of(answer: &SandboxResponse) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

fn submitted(faults: Faults, rooms: &[&str]) -> (TestSandbox, SandboxResponse) {
    let mut sandbox = TestSandbox::new(config_with(faults));
    let entries: Vec<Value> = rooms.iter().map(|room| sandbox.entry(room)).collect();
    let answer = sandbox.submit_entries(Mode::Voice, &entries);
    (sandbox, answer)
}

#[test]
fn a_submission_is_answered_with_a_result_and_its_runs_in_order() {
    let mut sandbox = TestSandbox::default();
    let mut entries = vec![sandbox.entry("a"), sandbox.entry("b"), sandbox.entry("c")];
    entries[1]["scenario"] = json!("31");
    let answer = sandbox.submit_entries(Mode::Chat, &entries);
    let body = json_of(&answer);
    assert_eq!(answer.status, 200);
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
fn the_key_is_asked_for_first() {
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
fn bodies_are_refused_field_by_field() {
    let scenarios = Some([30].into());
    let mut sandbox = TestSandbox::new(SandboxConfig { scenarios, ..config() });
    let entry = sandbox.entry("a");
    let mut refusal = |body: Value| {
        let answer = sandbox.cekura("POST", PATH, "", &body);
        assert_eq!(answer.status, 400, "{body}");
        json_of(&answer)
    };
    let required = json!(["This field is required."]);
    assert_eq!(refusal(json!({}))["scenarios"], required);
    let empty = json!(["This list may not be empty."]);
    assert_eq!(refusal(json!({ "scenarios": [] }))["scenarios"], empty);
    assert!(refusal(json!([]))["non_field_errors"].is_array());
    assert!(refusal(json!({ "scenarios": 3 }))["scenarios"].is_array());
    let unknown = json!(["Invalid scenario IDs or scenarios not found"]);
    let mut other = entry.clone();
    other["scenario"] = json!(31);
    assert_eq!(refusal(json!({ "scenarios": [entry, other] }))["scenarios"], unknown);
    let mut wrong = entry.clone();
    wrong["access_token"] = json!("");
    wrong["publish_data_message"] = json!("hello");
    let errors = refusal(json!({ "scenarios": [entry, wrong, { "scenario": "x" }] }));
    assert_eq!(errors["scenarios"][0], json!({}));
    assert_eq!(errors["scenarios"][1].as_object().unwrap().len(), 2);
    assert_eq!(errors["scenarios"][2]["livekit_room_url"], required);
    assert!(refusal(json!({ "scenarios": [entry], "agent": "x" }))["agent"].is_array());
    assert_eq!(sandbox.truth().counts.entries, 0);
    let fits = json!({ "scenarios": [entry], "agent": 7 });
    assert_eq!(json_of(&sandbox.cekura("POST", PATH, "", &fits))["agent"], 7);
}

#[test]
fn refusing_faults_make_nothing_and_say_what_they_are() {
    for (fault, status, retry_after) in [
        (Fault::SubmitTooManySeconds, 429, Some("2")),
        (Fault::SubmitTooManyDate, 429, Some("Tue, 14 Jul 2026 03:33:22 GMT")),
        (Fault::SubmitTooManyBare, 429, None),
        (Fault::SubmitErrorBefore, 500, None),
        (Fault::SubmitHtml, 502, None),
    ] {
        let (sandbox, answer) = submitted(Faults::always(fault), &["a"]);
        assert_eq!(
            (answer.status, answer.retry_after.as_deref()),
            (status, retry_after),
            "{fault}"
        );
        assert_eq!(answer.delivery, Delivery::Whole);
        assert_eq!((sandbox.truth().counts.entries, sandbox.truth().struck(fault)), (0, 1));
    }
    let (sandbox, answer) = submitted(Faults::always(Fault::SubmitResetBefore), &["a"]);
    assert_eq!((answer.delivery, sandbox.truth().counts.entries), (Delivery::Reset, 0));
}

#[test]
fn accepting_faults_make_runs_that_the_client_cannot_be_sure_of() {
    for (fault, status, delivery) in [
        (Fault::SubmitErrorAfter, 500, Delivery::Whole),
        (Fault::SubmitResetAfter, 200, Delivery::Reset),
        (Fault::SubmitSilent, 200, Delivery::Never),
        (Fault::SubmitTruncated, 200, Delivery::Half),
        (Fault::SubmitHuge, 200, Delivery::Padded(HUGE)),
        (Fault::SubmitEmpty, 200, Delivery::Whole),
    ] {
        let (sandbox, answer) = submitted(Faults::always(fault), &["a", "b"]);
        assert_eq!((answer.status, answer.delivery), (status, delivery), "{fault}");
        assert_eq!(answer.receipt.unwrap().runs.len(), 2);
        assert_eq!(sandbox.truth().counts.entries, 2);
    }
    let (_, answer) = submitted(Faults::always(Fault::SubmitEmpty), &["a"]);
    assert!(answer.body.is_empty());
    let (_, answer) = submitted(Faults::always(Fault::SubmitSlow), &["a"]);
    assert_eq!(answer.after, Micros::from_secs(5));
}

#[test]
fn runs_can_be_listed_in_another_order_or_too_few() {
    let ids = |fault: Fault| {
        let (sandbox, answer) = submitted(Faults::always(fault), &["a", "b", "c"]);
        assert_eq!(sandbox.truth().counts.entries, 3);
        let runs = json_of(&answer)["runs"].as_array().unwrap().clone();
        runs.iter().map(|run| run["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let made = [5_000_001, 5_000_002, 5_000_003];
    assert_eq!(ids(Fault::JudgedFailure), made);
    assert_eq!(ids(Fault::RunsReordered), [made[2], made[1], made[0]]);
    assert_eq!(ids(Fault::RunsMissing), made[..2]);
}

#[test]
fn what_a_token_grants_and_for_how_long_is_noted() {
    let (mut sandbox, _) = submitted(Faults::NONE, &["a"]);
    let noted = sandbox.facts().iter().find_map(|(_, fact)| match fact {
        SandboxFact::EntryAccepted { token_ttl_s, grants, identity, room, .. } => {
            Some((*token_ttl_s, grants.clone(), identity.to_string(), room.to_string()))
        }
        _ => None,
    });
    let grants = vec!["roomJoin", "canPublish", "canSubscribe", "canPublishData"];
    assert_eq!(noted, Some((300, grants, "evaluator".to_owned(), "a".to_owned())));
    assert_eq!(sandbox.truth().counts.wide_tokens, 0);
}

/// What becomes of each room's two submissions and of their runs, sent in this order.
fn fates(order: &[usize]) -> Vec<String> {
    let rooms_only = [Fault::RoomUnavailable, Fault::LivekitReset, Fault::LivekitHtml];
    let faults = rooms_only
        .into_iter()
        .fold(Faults::each(Percent::from_fraction(0.04).unwrap()), |faults, fault| {
            faults.with(fault, Percent::ZERO)
        });
    // Drawn times, not the rehearsal's fixed ones.
    let mut sandbox = TestSandbox::new(SandboxConfig { faults, ..SandboxConfig::default() });
    let mut fates = Vec::new();
    for n in order {
        let room = format!("room-{n}");
        sandbox.furnish(&room, "{}");
        // A second attempt has a fate of its own.
        for attempt in 1..=2 {
            let answer = sandbox.submit_entries(Mode::Voice, &[sandbox.entry(&room)]);
            sandbox.wait(1);
            let SandboxResponse { status, delivery, .. } = answer;
            fates.push(format!("{room} attempt {attempt}: {status} {delivery:?}"));
        }
    }
    sandbox.wait(100_000);
    let mut accepted = BTreeMap::new();
    for (at, fact) in sandbox.facts() {
        match fact {
            SandboxFact::EntryAccepted { run, .. } => drop(accepted.insert(*run, *at)),
            SandboxFact::FaultStruck { fault, key } => {
                fates.push(format!("{key} struck by {fault}"));
            }
            SandboxFact::RunStatus { run, room, status, ended_reason, .. } => {
                let after = at.since(accepted[run]);
                fates.push(format!("{room}: {status} {ended_reason} after {after}"));
            }
            _ => {}
        }
    }
    fates.sort_unstable();
    fates
}

#[test]
fn the_same_seed_brings_the_same_faults_in_whatever_order_requests_come() {
    let forwards: Vec<usize> = (0..200).collect();
    let backwards: Vec<usize> = (0..200).rev().collect();
    let shuffled: Vec<usize> = (0..200).map(|n| (n * 73 + 11) % 200).collect();
    let expected = fates(&forwards);
    let struck = expected.iter().filter(|fate| fate.contains("struck")).count();
    assert!(struck > 200, "only {struck} faults struck");
    assert_eq!(fates(&backwards), expected);
    assert_eq!(fates(&shuffled), expected);
}
