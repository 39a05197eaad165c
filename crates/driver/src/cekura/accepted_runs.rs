//! The response to an accepted submission: which created run belongs to which entry, and whether that is certain.

use std::collections::HashSet;

use serde_json::Value;

use super::run_status::{id_of, runs_of};
use rushhour_core::evaluator::AcceptedSubmission;
use rushhour_core::event::RunMapping;
use rushhour_core::units::{EvaluatorRunId, ResultId, ScenarioId};

/// A run that the response lists.
struct CreatedRun {
    id: EvaluatorRunId,
    scenario: Option<String>,
}

/// Parses the response to a submission of `scenarios`, in their order; `None` where it names no run and no result.
///
/// The mapping is proven where the request had one entry, or where every entry and every run has a scenario of its
/// own. Otherwise it is assumed from the order, scenario by scenario.
pub fn parse_accepted(response: &Value, scenarios: &[ScenarioId]) -> Option<AcceptedSubmission> {
    let result = id_of(response.get("id").or_else(|| response.get("result_id"))).map(ResultId::new);
    let created: Vec<CreatedRun> = runs_of(response)
        .into_iter()
        .filter_map(|(key, run)| {
            let id = id_of(run.get("id")).or_else(|| key.map(str::to_owned))?;
            let scenario = match run.get("scenario") {
                Some(Value::Object(fields)) => id_of(fields.get("id")),
                other => id_of(other),
            };
            Some(CreatedRun { id: EvaluatorRunId::new(id), scenario })
        })
        .collect();
    if created.is_empty() && result.is_none() {
        return None;
    }
    let (runs, mapping) = map_entries(created, scenarios);
    Some(AcceptedSubmission { result, runs, mapping, worker: None })
}

fn map_entries(
    mut created: Vec<CreatedRun>,
    scenarios: &[ScenarioId],
) -> (Vec<Option<EvaluatorRunId>>, RunMapping) {
    if scenarios.len() == 1 && created.len() <= 1 {
        return (vec![created.pop().map(|run| run.id)], RunMapping::Proven);
    }
    let distinct_entries = scenarios.iter().collect::<HashSet<_>>().len() == scenarios.len();
    let named: Vec<&str> = created.iter().filter_map(|run| run.scenario.as_deref()).collect();
    let distinct_runs =
        named.len() == created.len() && named.iter().collect::<HashSet<_>>().len() == named.len();
    let mapping =
        if distinct_entries && distinct_runs { RunMapping::Proven } else { RunMapping::Assumed };
    let mut remaining: Vec<Option<CreatedRun>> = created.into_iter().map(Some).collect();
    let mut take = |fits: &dyn Fn(&CreatedRun) -> bool| {
        remaining
            .iter_mut()
            .find(|run| run.as_ref().is_some_and(fits))
            .and_then(Option::take)
            .map(|run| run.id)
    };
    let runs = scenarios
        .iter()
        .map(|scenario| {
            take(&|run| run.scenario.as_deref() == Some(scenario.as_str()))
                .or_else(|| take(&|run| run.scenario.is_none()))
        })
        .collect();
    (runs, mapping)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(response: &Value, scenarios: &[&str]) -> (Vec<Option<String>>, RunMapping) {
        let scenarios: Vec<ScenarioId> = scenarios.iter().map(|id| ScenarioId::new(*id)).collect();
        let accepted = parse_accepted(response, &scenarios).unwrap();
        let runs = accepted.runs.into_iter().map(|run| run.map(|id| id.as_str().to_owned()));
        (runs.collect(), accepted.mapping)
    }

    fn some(ids: &[&str]) -> Vec<Option<String>> {
        ids.iter().map(|id| Some((*id).to_owned())).collect()
    }

    #[test]
    fn one_entry_is_proven_in_every_form_of_response() {
        for response in [
            json!({ "id": 7, "runs": [{ "id": 34, "status": "running", "scenario": 30 }] }),
            json!({ "id": "7", "runs": { "34": { "status": "running" } } }),
            json!([{ "id": 34 }]),
        ] {
            assert_eq!(read(&response, &["30"]), (some(&["34"]), RunMapping::Proven));
        }
        // A result without a run: none was created for the entry.
        assert_eq!(
            read(&json!({ "id": 7, "runs": [] }), &["30"]),
            (vec![None], RunMapping::Proven)
        );
    }

    #[test]
    fn different_scenarios_are_proven_even_out_of_order() {
        let response =
            json!({ "id": 7, "runs": [{ "id": 2, "scenario": 31 }, { "id": 1, "scenario": 30 }] });
        assert_eq!(read(&response, &["30", "31"]), (some(&["1", "2"]), RunMapping::Proven));
        let missing = json!({ "id": 7, "runs": [{ "id": 2, "scenario": { "id": 31 } }] });
        assert_eq!(
            read(&missing, &["30", "31"]),
            (vec![None, Some("2".to_owned())], RunMapping::Proven)
        );
    }

    #[test]
    fn copies_of_one_scenario_are_assumed() {
        let response = json!({ "id": 7, "runs": [
            { "id": 1, "scenario": 30 }, { "id": 3, "scenario": 31 }, { "id": 2, "scenario": 30 }] });
        assert_eq!(
            read(&response, &["30", "30", "31"]),
            (some(&["1", "2", "3"]), RunMapping::Assumed)
        );
        let nameless = json!({ "id": 7, "runs": [{ "id": 1 }, { "id": 2 }] });
        assert_eq!(read(&nameless, &["30", "31"]), (some(&["1", "2"]), RunMapping::Assumed));
        let fewer = json!({ "id": 7, "runs": [{ "id": 1, "scenario": 30 }] });
        assert_eq!(
            read(&fewer, &["30", "30"]),
            (vec![Some("1".to_owned()), None], RunMapping::Assumed)
        );
    }

    #[test]
    fn a_response_that_names_nothing_is_no_acceptance() {
        let scenarios = [ScenarioId::new("30")];
        for response in [json!({}), json!([]), json!(null), json!("ok"), json!({ "detail": "hm" })]
        {
            assert!(parse_accepted(&response, &scenarios).is_none(), "{response}");
        }
    }
}
