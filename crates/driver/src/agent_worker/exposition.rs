//! What a worker says as Prometheus text: the few gauges of livekit-agents that tell how it is.
//!
//! Source: the text exposition format 0.0.4, <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use rushhour_core::event::AgentHealth;

/// Reads a worker's gauges. Where one has several lines, by labels, jobs, processes and memory are summed up, and
/// the greatest load counts.
///
/// # Errors
/// Where none of them is there.
pub fn read_exposition(text: &str) -> Result<AgentHealth, String> {
    let mut health = AgentHealth::default();
    for (name, value) in text.lines().filter_map(sample) {
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
        return Err("no worker's metrics: none of lk_agents_* is among them".to_owned());
    }
    Ok(health)
}

fn add(sum: &mut Option<u64>, value: f64) {
    // Counts and bytes are whole and below 2^53; what is not is drawn back by the cast.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let value = value.round() as u64;
    *sum = Some(sum.unwrap_or(0).saturating_add(value));
}

/// The name and the value of a line; none of a comment, or of a value that is no finite number of zero or more.
fn sample(line: &str) -> Option<(&str, f64)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (name, rest) = match line.split_once('{') {
        // A label's value may hold a brace; the value comes after the last.
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
    fn gauges_are_read_with_and_without_labels() {
        let text = "# HELP lk_agents_worker_load x\n# TYPE lk_agents_worker_load gauge\n\
            lk_agents_worker_load{nodename=\"a}b\"} 0.125\n\
            lk_agents_active_job_count 2\nlk_agents_active_job_count{x=\"1\"} 1 1700000000\n\
            lk_agents_child_process_count 4.0\n\
            process_resident_memory_bytes 6.7108864e+07\n\
            lk_agents_active_job_count NaN\nother_metric +Inf\n";
        let wanted = AgentHealth {
            jobs: Some(3),
            load: Some(0.125),
            children: Some(4),
            memory: Some(67_108_864),
            error: None,
        };
        assert_eq!(read_exposition(text), Ok(wanted));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "OK",
            "lk_agents_worker_load",
            "lk_agents_worker_load{ 1",
            "a 1\nb 2",
            "# lk_agents_worker_load 1",
        ] {
            assert!(read_exposition(text).is_err(), "{text}");
        }
    }
}
