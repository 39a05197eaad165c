//! Answers of a Prometheus server to instant queries about the agent's workers.
//!
//! Format: <https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries>.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::error::WorkerPollError;
use rushhour_core::event::AgentHealth;
use rushhour_core::profile::WorkerFigure;
use rushhour_core::units::ForeignText;

/// The most series of an answer; each of them is a worker.
const MAX_SERIES: usize = 64;
/// The longest name of a worker, in bytes.
const MAX_NAME: usize = 100;

#[derive(Debug, Deserialize)]
struct Answer {
    data: Option<AnswerData>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct AnswerData {
    #[serde(rename = "resultType")]
    kind: String,
    result: Value,
}

#[derive(Debug, Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    /// The time, and the value as text.
    value: (f64, String),
}

/// A value of a query's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct QueriedValue {
    /// The worker, named by the labels; none where there are none, as with `sum(...)`: it is that of all of them.
    pub worker: Option<String>,
    /// The value.
    pub value: f64,
}

/// Parses the answer to an instant query. Values that are negative or no numbers are left out.
///
/// # Errors
/// Where the query was refused, or its answer is no list of values of a bounded length.
pub fn parse_query_answer(body: &[u8]) -> Result<Vec<QueriedValue>, WorkerPollError> {
    let answer: Answer = serde_json::from_slice(body)?;
    if let Some(error) = answer.error {
        return Err(WorkerPollError::QueryRefused(ForeignText::at_most(&error, 200)));
    }
    let Some(AnswerData { kind, result }) = answer.data else {
        return Err(WorkerPollError::NotAQuery);
    };
    let values = match kind.as_str() {
        "vector" => serde_json::from_value::<Vec<Series>>(result)?,
        "scalar" => {
            let value = serde_json::from_value(result)?;
            vec![Series { metric: BTreeMap::new(), value }]
        }
        _ => return Err(WorkerPollError::NotAQuery),
    };
    if values.len() > MAX_SERIES {
        return Err(WorkerPollError::TooManySeries { found: values.len(), most: MAX_SERIES });
    }
    let value = |series: Series| {
        let value: f64 = series.value.1.parse().ok()?;
        let worker = name(&series.metric);
        (value.is_finite() && value >= 0.0).then_some(QueriedValue { worker, value })
    };
    Ok(values.into_iter().filter_map(value).collect())
}

/// The value of the only label, or all of them as `name=value`.
fn name(labels: &BTreeMap<String, String>) -> Option<String> {
    let labels: Vec<_> = labels.iter().filter(|(label, _)| *label != "__name__").collect();
    let name = match labels[..] {
        [] => return None,
        [(_, value)] => value.clone(),
        _ => labels
            .iter()
            .map(|(label, value)| format!("{label}={value}"))
            .collect::<Vec<_>>()
            .join(" "),
    };
    Some(ForeignText::at_most(&name, MAX_NAME).as_str().to_owned())
}

/// The answers of all queries as one: a worker for each name, in their order, and the workers' sums, unless a query has
/// summed them up itself. A query that failed is told of in the place of a worker.
pub(super) fn combined(
    answers: Vec<(WorkerFigure, Result<Vec<QueriedValue>, WorkerPollError>)>,
) -> AgentHealth {
    let mut workers: BTreeMap<String, AgentHealth> = BTreeMap::new();
    let mut failed = Vec::new();
    let mut totals = AgentHealth::default();
    for (figure, answer) in answers {
        match answer {
            Ok(values) => {
                for QueriedValue { worker, value } in values {
                    let place = match worker {
                        Some(name) => workers.entry(name).or_default(),
                        None => &mut totals,
                    };
                    set(place, figure, value);
                }
            }
            Err(error) => failed.push(AgentHealth {
                name: Some(format!("query of {}", figure.name())),
                error: Some(error.to_string()),
                ..AgentHealth::default()
            }),
        }
    }
    let found_nothing = workers.is_empty() && totals == AgentHealth::default();
    let named = workers.into_iter();
    let named = named.map(|(name, health)| AgentHealth { name: Some(name), ..health });
    let all = AgentHealth::of_workers(named.chain(failed).collect());
    let error = match all.error {
        Some(error) => Some(error),
        None if found_nothing => Some("the queries found nothing".to_owned()),
        None => None,
    };
    AgentHealth {
        jobs: totals.jobs.or(all.jobs),
        load: totals.load.or(all.load),
        children: totals.children.or(all.children),
        memory: totals.memory.or(all.memory),
        // What was found is reported, even if no worker was.
        error: error.filter(|_| found_nothing),
        ..all
    }
}

fn set(health: &mut AgentHealth, figure: WorkerFigure, value: f64) {
    // Counts and bytes are whole numbers below 2^53; the cast saturates for anything else.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let whole = value.round() as u64;
    let add = |figure: &mut Option<u64>| *figure = Some(figure.unwrap_or(0).saturating_add(whole));
    match figure {
        WorkerFigure::Jobs => add(&mut health.jobs),
        WorkerFigure::Processes => add(&mut health.children),
        WorkerFigure::Memory => add(&mut health.memory),
        WorkerFigure::Load => {
            health.load = Some(health.load.map_or(value, |load| load.max(value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(series: &str) -> Vec<u8> {
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#)
            .into_bytes()
    }

    fn series(labels: &str, value: &str) -> String {
        format!(r#"{{"metric":{{{labels}}},"value":[1764000000.123,"{value}"]}}"#)
    }

    fn values(series: &[String]) -> Vec<QueriedValue> {
        parse_query_answer(&vector(&series.join(","))).unwrap()
    }

    #[test]
    fn each_series_is_a_worker_that_its_labels_name() {
        let found = values(&[
            series(r#""__name__":"x","pod":"agent-1""#, "3"),
            series(r#""pod":"agent-2","zone":"b""#, "0.5"),
            series(r#""pod":"agent-3""#, "NaN"),
            series(r#""pod":"agent-4""#, "-1"),
            series(r#""__name__":"up""#, "1e3"),
        ]);
        let named: Vec<_> = found.iter().map(|one| (one.worker.as_deref(), one.value)).collect();
        assert_eq!(
            named,
            [(Some("agent-1"), 3.0), (Some("pod=agent-2 zone=b"), 0.5), (None, 1_000.0)]
        );
        let scalar =
            br#"{"status":"success","data":{"resultType":"scalar","result":[1764000000,"2"]}}"#;
        assert_eq!(
            parse_query_answer(scalar).unwrap(),
            [QueriedValue { worker: None, value: 2.0 }]
        );
    }

    #[test]
    fn other_answers_are_refused_and_what_prometheus_says_is_kept() {
        let refused = br#"{"status":"error","errorType":"bad_data","error":"1:5: parse error"}"#;
        let error = parse_query_answer(refused).unwrap_err().to_string();
        assert!(error.contains("1:5: parse error"), "{error}");
        for body in ["", "<html>", "{}", "[]", r#"{"data":{"resultType":"matrix","result":[]}}"#] {
            assert!(parse_query_answer(body.as_bytes()).is_err(), "{body}");
        }
        // What is wrong may quote the whole answer.
        let long = format!(r#"{{"data":"{}"}}"#, "\u{7f}".repeat(100_000));
        let error = parse_query_answer(long.as_bytes()).unwrap_err().to_string();
        assert!(error.len() < 1_000, "{}", error.len());
        let many: Vec<String> =
            (0..=MAX_SERIES).map(|number| series(&format!(r#""pod":"{number}""#), "1")).collect();
        let error = parse_query_answer(&vector(&many.join(","))).unwrap_err().to_string();
        assert!(error.contains("65") && error.contains("64"), "{error}");
    }

    #[test]
    fn figures_of_one_worker_come_from_several_queries() {
        let health = combined(vec![
            (
                WorkerFigure::Jobs,
                Ok(values(&[series(r#""pod":"a""#, "3"), series(r#""pod":"b""#, "4")])),
            ),
            (
                WorkerFigure::Load,
                Ok(values(&[series(r#""pod":"b""#, "0.9"), series(r#""pod":"a""#, "0.2")])),
            ),
            (WorkerFigure::Memory, Ok(values(&[series("", "5000")]))),
            (WorkerFigure::Processes, Err(WorkerPollError::Status(503))),
        ]);
        assert_eq!((health.jobs, health.load, health.memory), (Some(7), Some(0.9), Some(5_000)));
        assert_eq!((health.children, health.error.as_deref()), (None, None));
        let named: Vec<_> =
            health.workers.iter().map(|one| (one.name.as_deref().unwrap(), one.jobs)).collect();
        assert_eq!(named, [("a", Some(3)), ("b", Some(4)), ("query of processes", None)]);
        assert!(health.workers[2].error.as_ref().is_some_and(|error| error.contains("503")));
    }

    #[test]
    fn nothing_found_is_an_error() {
        let health = combined(vec![(WorkerFigure::Jobs, Ok(Vec::new()))]);
        assert_eq!(health.error.as_deref(), Some("the queries found nothing"));
        let health = combined(vec![(WorkerFigure::Jobs, Err(WorkerPollError::Status(404)))]);
        assert!(health.error.is_some_and(|error| error.contains("404")));
        // A sum alone is no failure.
        let health = combined(vec![
            (WorkerFigure::Jobs, Ok(values(&[series("", "0")]))),
            (WorkerFigure::Load, Err(WorkerPollError::Status(404))),
        ]);
        assert_eq!((health.jobs, health.error), (Some(0), None));
    }
}
