//! The response of a worker's `/worker`: a JSON object with `active_jobs` and `worker_load`, as livekit-agents 1.x
//! serves it.

use serde::Deserialize;

use super::error::WorkerPollError;
use rushhour_core::event::AgentHealth;

#[derive(Debug, Deserialize)]
struct Status {
    active_jobs: Option<u64>,
    worker_load: Option<f64>,
    memory_bytes: Option<u64>,
}

/// Parses the response of `/worker`.
///
/// # Errors
/// Where it is not JSON of this form, or has none of the fields.
pub fn parse_status(body: &[u8]) -> Result<AgentHealth, WorkerPollError> {
    let status: Status = serde_json::from_slice(body)?;
    let health = AgentHealth {
        jobs: status.active_jobs,
        load: status.worker_load.filter(|load| load.is_finite()),
        memory: status.memory_bytes,
        ..AgentHealth::default()
    };
    if health == AgentHealth::default() {
        return Err(WorkerPollError::NoFields);
    }
    Ok(health)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workers_response_is_parsed_and_others_are_refused() {
        let parse = |text: &str| parse_status(text.as_bytes());
        let health = parse(
            r#"{"agent_name":"a","worker_type":"JT_ROOM","active_jobs":3,"worker_load":0.25,"sdk_version":"1.8.9"}"#,
        );
        let expected = AgentHealth { jobs: Some(3), load: Some(0.25), ..AgentHealth::default() };
        assert_eq!(health.unwrap(), expected);
        for text in ["", "OK", "{}", "[]", "{\"active_jobs\":-1}", "{\"active_jobs\":\"3\"}"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
