//! The Prometheus metrics of a livekit-agents worker: the gauges that show its health.
//!
//! Format: text exposition 0.0.4, <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use super::error::WorkerPollError;
use rushhour_core::event::AgentHealth;

/// Parses a worker's gauges. Where one has several series, jobs, processes and memory are summed up, and the greatest
/// load counts.
///
/// # Errors
/// Where none of the gauges is in the text.
pub fn parse_metrics(text: &str) -> Result<AgentHealth, WorkerPollError> {
    let mut health = AgentHealth::default();
    for (name, value) in text.lines().filter_map(parse_sample) {
        match name {
            "lk_agents_active_job_count" => add(&mut health.jobs, value),
            "lk_agents_child_process_count" => add(&mut health.children, value),
            "process_resident_memory_bytes" => add(&mut health.memory, value),
            "lk_agents_worker_load" => {
                health.load = Some(health.load.map_or(value, |load| load.max(value)));
            }
            _ => {}
        }
    }
    if health == AgentHealth::default() {
        return Err(WorkerPollError::NoMetrics);
    }
    Ok(health)
}

fn add(sum: &mut Option<u64>, value: f64) {
    // Counts and bytes are whole numbers below 2^53; the cast saturates for anything else.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let value = value.round() as u64;
    *sum = Some(sum.unwrap_or(0).saturating_add(value));
}

/// The name and the value of a line; `None` for a comment, or a value that is negative or not finite.
fn parse_sample(line: &str) -> Option<(&str, f64)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (name, rest) = match line.split_once('{') {
        // A label's value may hold a brace: the sample's value comes after the last one.
        Some((name, labelled)) => (name, labelled.rsplit_once('}')?.1),
        None => line.split_once(char::is_whitespace)?,
    };
    let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some((name.trim(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_parsed_with_and_without_labels() {
        let text = "# HELP lk_agents_worker_load x\n# TYPE lk_agents_worker_load gauge\n\
            lk_agents_worker_load{nodename=\"a}b\"} 0.125\n\
            lk_agents_active_job_count 2\nlk_agents_active_job_count{x=\"1\"} 1 1700000000\n\
            lk_agents_child_process_count 4.0\n\
            process_resident_memory_bytes 6.7108864e+07\n\
            lk_agents_active_job_count NaN\nother_metric +Inf\n";
        let expected = AgentHealth {
            jobs: Some(3),
            load: Some(0.125),
            children: Some(4),
            memory: Some(67_108_864),
            ..AgentHealth::default()
        };
        assert_eq!(parse_metrics(text).unwrap(), expected);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "OK",
            "lk_agents_worker_load",
            "lk_agents_worker_load{ 1",
            "a 1\nb 2",
            "# lk_agents_worker_load 1",
        ] {
            assert!(parse_metrics(text).is_err(), "{text}");
        }
    }
}
