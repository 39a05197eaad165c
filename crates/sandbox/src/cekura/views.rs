//! Runs and results in the form of Cekura's API.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::world::{CekuraResult, Phase, Run, World};
use rushhour_core::rng::DelayDistribution;
use rushhour_core::units::{Micros, Mode, SessionTime};

/// The agent's response times, for the latency metric that Cekura computes for a voice call.
const AGENT_LATENCY: DelayDistribution = DelayDistribution::lognormal(800, 1_600, 5_000);

/// A run, with the fields of Cekura's schema that clients may read.
#[derive(Debug, Serialize)]
pub(super) struct RunView<'a> {
    id: u64,
    result_id: u64,
    scenario: u64,
    scenario_name: String,
    agent: u64,
    agent_name: &'static str,
    status: &'static str,
    success: bool,
    evaluation_status: Option<&'static str>,
    evaluation: Value,
    duration: String,
    run_as_text: bool,
    timestamp: String,
    executed_at: Option<String>,
    error_message: &'a str,
    metadata: Value,
    provider_call_id: Option<&'a str>,
    transcript: &'static str,
    transcript_object: [Value; 0],
    test_profile_data: Option<Value>,
    is_reviewed: bool,
    feedback: &'static str,
    voice_recording_url: Option<&'static str>,
    run_type: Option<&'static str>,
}

impl<'a> RunView<'a> {
    pub(super) fn new(world: &'a World, id: u64) -> Option<Self> {
        let run = world.run(id)?;
        let agent = world.result(run.result).map_or(1, |result| result.agent);
        let metadata = match run.ended_reason {
            "" => json!({}),
            reason => json!({ "ended_reason": reason }),
        };
        Some(Self {
            id,
            result_id: run.result,
            scenario: run.scenario,
            scenario_name: scenario_name(run.scenario),
            agent,
            agent_name: "Sandbox agent",
            status: run.phase.status(),
            success: run.phase == Phase::Completed { success: true },
            evaluation_status: match run.phase {
                Phase::Completed { success: true } => Some("success"),
                phase if phase.is_over() => Some("failure"),
                _ => None,
            },
            evaluation: json!({ "metrics": metrics(world, run) }),
            duration: minutes_and_seconds(conversation_duration(run)),
            run_as_text: run.mode == Mode::Chat,
            timestamp: world.anchor.rfc3339(run.accepted_at),
            executed_at: run.started_at.map(|at| world.anchor.rfc3339(at)),
            error_message: &run.error_message,
            metadata,
            provider_call_id: run.room_sid.as_deref(),
            transcript: "",
            transcript_object: [],
            test_profile_data: None,
            is_reviewed: false,
            feedback: "",
            voice_recording_url: None,
            run_type: None,
        })
    }
}

fn scenario_name(scenario: u64) -> String {
    format!("Scenario {scenario}")
}

fn metrics(world: &World, run: &Run) -> Vec<Value> {
    let Phase::Completed { success } = run.phase else { return Vec::new() };
    let expected = json!({
        "id": 1,
        "name": "Expected Outcome",
        "type": "binary",
        "score": if success { 100.0 } else { 0.0 },
        "explanation": [],
        "extra": {},
    });
    if run.mode == Mode::Chat {
        return vec![expected];
    }
    let millis = world.sample_delay("agent latency", &run.key, AGENT_LATENCY).0 / 1_000;
    let latency = json!({
        "id": 2,
        "name": "Latency (in ms)",
        "type": "numeric",
        "score": millis,
        "explanation": [],
        "extra": { "percentiles": { "p50": millis } },
    });
    vec![expected, latency]
}

/// How long the conversation was; zero before its end.
fn conversation_duration(run: &Run) -> Micros {
    match (run.started_at, run.conversation_ended_at) {
        (Some(started), Some(ended)) => ended.since(started),
        _ => Micros::ZERO,
    }
}

fn minutes_and_seconds(duration: Micros) -> String {
    let seconds = duration.0 / 1_000_000;
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// The response to a submission: a result that lists these of its runs.
pub(super) fn submission(world: &World, result: u64, listed: &[u64]) -> Vec<u8> {
    #[derive(Serialize)]
    struct StartedRun {
        id: u64,
        status: &'static str,
        scenario: u64,
        scenario_name: String,
        test_profile_data: Option<Value>,
        number: Option<Value>,
        inbound_number: Option<Value>,
        outbound_dial_window_opens_at: Option<Value>,
        outbound_dial_window_seconds: Option<Value>,
        outbound_dial_window_closes_at: Option<Value>,
    }
    #[derive(Serialize)]
    struct StartedResult {
        id: u64,
        name: &'static str,
        agent: u64,
        status: &'static str,
        success_rate: f64,
        run_as_text: bool,
        is_cronjob: bool,
        runs: Vec<StartedRun>,
        created_at: String,
        updated_at: String,
    }
    let runs = listed.iter().filter_map(|id| {
        let run = world.run(*id)?;
        Some(StartedRun {
            id: *id,
            status: run.phase.status(),
            scenario: run.scenario,
            scenario_name: scenario_name(run.scenario),
            test_profile_data: None,
            number: None,
            inbound_number: None,
            outbound_dial_window_opens_at: None,
            outbound_dial_window_seconds: None,
            outbound_dial_window_closes_at: None,
        })
    });
    let (agent, mode, created_at) = world
        .result(result)
        .map_or((1, Mode::Voice, SessionTime::START), |it| (it.agent, it.mode, it.created_at));
    let at = world.anchor.rfc3339(created_at);
    let started = StartedResult {
        id: result,
        name: "",
        agent,
        status: "in_progress",
        success_rate: 0.0,
        run_as_text: mode == Mode::Chat,
        is_cronjob: false,
        runs: runs.collect(),
        created_at: at.clone(),
        updated_at: at,
    };
    serde_json::to_vec(&started).expect("the fields are numbers and texts")
}

/// A result with its runs, keyed by their ids.
pub(super) fn result(world: &World, id: u64) -> Option<Value> {
    let result = world.result(id)?;
    let runs: BTreeMap<String, RunView<'_>> = result
        .runs
        .iter()
        .filter_map(|run| Some((run.to_string(), RunView::new(world, *run)?)))
        .collect();
    let mut view = result_summary(world, id)?;
    view["runs"] = json!(runs);
    Some(view)
}

/// A result as lists show it, with its runs as an array of summaries.
pub(super) fn result_summary(world: &World, id: u64) -> Option<Value> {
    let result = world.result(id)?;
    let runs: Vec<(u64, &Run)> =
        result.runs.iter().filter_map(|run| Some((*run, world.run(*run)?))).collect();
    let count = |matches: fn(&Run) -> bool| runs.iter().filter(|(_, run)| matches(run)).count();
    let completed = count(|run| matches!(run.phase, Phase::Completed { .. }));
    let success = count(|run| run.phase == Phase::Completed { success: true });
    let rate = if runs.is_empty() { 0.0 } else { success as f64 * 100.0 / runs.len() as f64 };
    let total: u64 = runs.iter().map(|(_, run)| conversation_duration(run).0).sum();
    let over = |connected: bool| {
        let over = runs.iter().filter(|(_, run)| run.phase.is_over());
        let matching = over.filter(|(_, run)| run.started_at.is_some() == connected);
        matching.map(|(id, _)| *id).collect::<Vec<_>>()
    };
    let summaries = runs.iter().map(|(id, run)| {
        json!({
            "id": id,
            "status": run.phase.status(),
            "scenario": run.scenario,
            "scenario_name": scenario_name(run.scenario),
        })
    });
    let updated = runs.iter().filter_map(|(_, run)| run.ended_at).max();
    Some(json!({
        "id": id,
        "name": "",
        "agent": result.agent,
        "agent_name": "Sandbox agent",
        "status": result_status(result, &runs),
        "success_rate": rate,
        "run_as_text": result.mode == Mode::Chat,
        "is_cronjob": false,
        "total_duration": minutes_and_seconds(Micros(total)),
        "total_runs_count": runs.len(),
        "completed_runs_count": completed,
        "success_runs_count": success,
        "failed_runs_count": completed - success,
        "connected_runs": over(true),
        "not_connected_runs": over(false),
        "overall_evaluation": null,
        "failed_reasons": null,
        "run_settings": null,
        "created_at": world.anchor.rfc3339(result.created_at),
        "updated_at": world.anchor.rfc3339(updated.unwrap_or(result.created_at)),
        "runs": summaries.collect::<Vec<_>>(),
    }))
}

/// In progress until all runs are over; then completed if any run completed.
fn result_status(result: &CekuraResult, runs: &[(u64, &Run)]) -> &'static str {
    let all_over = runs.iter().all(|(_, run)| run.phase.is_over());
    if !all_over || runs.is_empty() && !result.runs.is_empty() {
        return "in_progress";
    }
    let ends = ["completed", "timeout", "failed", "cancelled"];
    let ended = |end: &&str| runs.iter().any(|(_, run)| run.phase.status() == *end);
    ends.into_iter().find(ended).unwrap_or("completed")
}
