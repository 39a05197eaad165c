use serde_json::{Value, json};

use crate::http::Delivery;
use crate::test_sandbox::{TestSandbox, config, config_with};
use crate::{CekuraPlan, Fault, Faults, KeyScope, SandboxConfig};
use rushhour_core::units::{Micros, Mode};

fn create_runs(sandbox: &mut TestSandbox, count: usize) -> Vec<u64> {
    (0..count)
        .map(|n| {
            let room = format!("room-{n}");
            sandbox.create_room_with_agent(&room, "{}");
            sandbox.submit(Mode::Voice, &room)
        })
        .collect()
}

fn ids(runs: &Value) -> Vec<u64> {
    runs.as_array().unwrap().iter().map(|run| run["id"].as_u64().unwrap()).collect()
}

#[test]
fn bulk_takes_a_comma_separated_list_and_omits_unknown_runs() {
    let mut sandbox = TestSandbox::default();
    let runs = create_runs(&mut sandbox, 2);
    let query = format!("run_ids={}%2C999%2C{}", runs[1], runs[0]);
    for path in ["v2/runs/bulk/", "v1/runs/bulk", "v1/runs-external/bulk"] {
        assert_eq!(ids(&sandbox.get(path, &query)), [runs[1], runs[0]]);
    }
    // The official SDK's own name for the parameter.
    assert_eq!(ids(&sandbox.get("v1/runs/bulk", &format!("ids={}", runs[0]))), [runs[0]]);
    for wrong in ["", "run_ids=", "run_ids=[1,2]", "run_ids=a"] {
        assert_eq!(sandbox.cekura("GET", "v2/runs/bulk/", wrong, &Value::Null).status, 400);
    }
}

#[test]
fn lists_are_filtered_and_paged_newest_first() {
    let mut sandbox = TestSandbox::default();
    let runs = create_runs(&mut sandbox, 25);
    sandbox.advance(2_000);
    let listed = sandbox.get("v2/runs/", "page_size=10&page=3");
    assert_eq!(ids(&listed["results"]), [runs[4], runs[3], runs[2], runs[1], runs[0]]);
    assert_eq!((&listed["count"], &listed["next"]), (&json!(25), &Value::Null));
    assert!(listed["previous"].as_str().unwrap().ends_with("page=2&page_size=10"));
    let count = |sandbox: &mut TestSandbox, query: &str| {
        sandbox.get("v2/runs/", &format!("page_size=1&{query}"))["count"].as_u64().unwrap()
    };
    assert_eq!(count(&mut sandbox, "status__in=pending,in_progress"), 25);
    assert_eq!(count(&mut sandbox, "status=completed"), 0);
    assert_eq!(count(&mut sandbox, &format!("id__in={},{}", runs[0], runs[1])), 2);
    assert_eq!(count(&mut sandbox, "run_as_text=True"), 0);
    let result = sandbox.run(runs[3])["result_id"].as_u64().unwrap();
    assert_eq!(count(&mut sandbox, &format!("result_id={result}")), 1);
    for wrong in ["page=0", "page=99", "page=x"] {
        assert_eq!(sandbox.cekura("GET", "v2/runs/", wrong, &Value::Null).status, 404, "{wrong}");
    }
    assert_eq!(sandbox.get("v1/results", "")["count"], 25);
}

#[test]
fn a_result_completes_with_its_last_run() {
    let mut sandbox = TestSandbox::default();
    sandbox.create_room_with_agent("good", "{}");
    let entries = [sandbox.entry("good"), sandbox.entry("bare")];
    let response = sandbox.submit_entries(Mode::Voice, &entries);
    let started: Value = serde_json::from_slice(&response.body).unwrap();
    let path = format!("v2/results/{}/", started["id"]);
    sandbox.advance(5_499);
    assert_eq!(sandbox.get(&path, "")["status"], "in_progress");
    sandbox.advance(2_000);
    let result = sandbox.get(&path, "");
    assert_eq!(result["status"], "completed");
    assert_eq!(
        (&result["total_runs_count"], &result["success_runs_count"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        result["failed_runs_count"], 0,
        "it counts only completed runs that were judged failures"
    );
    assert_eq!(result["runs"].as_object().unwrap().len(), 2);
}

#[test]
fn ending_the_calls_of_a_result_cancels_its_open_runs() {
    let mut sandbox = TestSandbox::default();
    sandbox.create_room_with_agent("a", "{}");
    sandbox.create_room_with_agent("b", "{}");
    let entries = [sandbox.entry("a"), sandbox.entry("b")];
    let response = sandbox.submit_entries(Mode::Voice, &entries);
    let started: Value = serde_json::from_slice(&response.body).unwrap();
    sandbox.advance(1_000);
    let path = format!("v1/results/{}/end_calls/", started["id"]);
    let ended = sandbox.cekura("POST", &path, "", &Value::Null);
    assert_eq!((ended.status, ended.body.len()), (200, 0));
    assert_eq!(sandbox.truth().counts.runs_over, [("cancelled", 2)].into());
    assert_eq!(sandbox.cekura("POST", "v1/results/9/end_calls/", "", &Value::Null).status, 404);
    assert_eq!(sandbox.cekura("GET", &path, "", &Value::Null).status, 405);
}

#[test]
fn poll_faults_change_the_response() {
    let polled = |fault: Fault| {
        let mut sandbox = TestSandbox::new(config_with(Faults::always(fault)));
        let run = create_runs(&mut sandbox, 1)[0];
        sandbox.cekura("GET", "v2/runs/bulk/", &format!("run_ids={run}"), &Value::Null)
    };
    let response = polled(Fault::PollTooMany);
    assert_eq!((response.status, response.retry_after.as_deref()), (429, Some("2")));
    assert_eq!(polled(Fault::PollError).status, 500);
    assert_eq!(polled(Fault::PollHtml).content_type, "text/html");
    assert_eq!(polled(Fault::PollReset).delivery, Delivery::Reset);
    assert_eq!(polled(Fault::PollSlow).delay, Micros::from_millis(3_004));
    let response = polled(Fault::PollMissingRun);
    assert_eq!((response.status, response.body.as_slice()), (200, b"[]".as_slice()));
}

#[test]
fn only_keys_of_the_organization_see_the_plan() {
    let plan = CekuraPlan { voice_runs: 10, chat_runs: 20, key: KeyScope::Organization };
    let mut sandbox = TestSandbox::new(SandboxConfig { plan, ..config() });
    let pack = sandbox.get("billing/info/", "")["subscription_status"]["pack"].clone();
    assert_eq!(pack["max_concurrent_runs_limit"], 10);
    assert_eq!(pack["max_concurrent_chat_runs_limit"], 20);
    let plan = CekuraPlan { key: KeyScope::Project, ..plan };
    let mut sandbox = TestSandbox::new(SandboxConfig { plan, ..config() });
    assert_eq!(sandbox.cekura("GET", "billing/info", "", &Value::Null).status, 403);
}

#[test]
fn bulk_polls_are_refused_paged_or_in_capitals_under_their_faults() {
    let polled = |fault: Fault, more: &str| {
        let mut sandbox = TestSandbox::new(config_with(Faults::always(fault)));
        let runs = create_runs(&mut sandbox, 3);
        let list: Vec<String> = runs.iter().map(u64::to_string).collect();
        let query = format!("run_ids={}{more}", list.join(","));
        let response = sandbox.cekura("GET", "v2/runs/bulk/", &query, &Value::Null);
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        let one = format!("run_ids={}", runs[0]);
        let alone = sandbox.cekura("GET", "v2/runs/bulk/", &one, &Value::Null).status;
        (runs, response.status, body, alone)
    };
    let (_, status, body, alone) = polled(Fault::PollBulkRefused, "");
    assert_eq!((status, alone), (400, 200), "{body}");
    let (runs, _, first, _) = polled(Fault::PollPaged, "");
    assert_eq!(ids(&first["results"]), runs[..2]);
    assert!(first["next"].as_str().unwrap().ends_with("&page=2"), "{first}");
    let (runs, _, second, _) = polled(Fault::PollPaged, "&page=2");
    assert_eq!((ids(&second["results"]), &second["next"]), (runs[2..].to_vec(), &Value::Null));
    let (_, _, body, _) = polled(Fault::PollUpperCase, "");
    assert_eq!(body[0]["status"], "PENDING");
    let (_, status, body, _) = polled(Fault::PollOtherForm, "");
    assert_eq!((status, body), (200, json!({ "detail": "Down for maintenance." })));
}
