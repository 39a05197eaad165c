//! What a worker says at `/worker`: a JSON object with `active_jobs` and `worker_load`, as livekit-agents 1.x serves it.

use serde::Deserialize;

use rushhour_core::event::AgentHealth;

#[derive(Debug, Deserialize)]
struct Status {
    active_jobs: Option<u64>,
    worker_load: Option<f64>,
    memory_bytes: Option<u64>,
}

/// Reads the answer of `/worker`. A figure that it does not have is absent.
///
/// # Errors
/// Where it is no such answer, in words.
pub fn read_status(body: &[u8]) -> Result<AgentHealth, String> {
    let status: Status =
        serde_json::from_slice(body).map_err(|error| format!("no worker's answer: {error}"))?;
    let health = AgentHealth {
        jobs: status.active_jobs,
        load: status.worker_load.filter(|load| load.is_finite()),
        memory: status.memory_bytes,
        ..AgentHealth::default()
    };
    if health == AgentHealth::default() {
        return Err("no worker's answer: it has neither active_jobs nor worker_load".to_owned());
    }
    Ok(health)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workers_answer_is_read_and_anything_else_is_not() {
        let read = |text: &str| read_status(text.as_bytes());
        let health = read(
            r#"{"agent_name":"a","worker_type":"JT_ROOM","active_jobs":3,"worker_load":0.25,"sdk_version":"1.8.9"}"#,
        );
        let wanted = AgentHealth { jobs: Some(3), load: Some(0.25), ..AgentHealth::default() };
        assert_eq!(health, Ok(wanted));
        for text in ["", "OK", "{}", "[]", "{\"active_jobs\":-1}", "{\"active_jobs\":\"3\"}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
