//! `soak.csv`: each window's figures; `agent_health.csv`: each look at the agent's worker.

use std::io::Write;

use crate::soak::{SeriesUnit, SoakAnalysis, TrackedSeries};

/// Writes one line for each window: what its runs came to, in microseconds and bytes, and what the worker said.
/// A figure that a window has no values enough for is missing.
///
/// # Errors
/// Where the writer refuses.
pub fn soak_csv(soak: &SoakAnalysis, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    let followed: Vec<TrackedSeries> = soak
        .series
        .iter()
        .map(|one| one.series)
        .filter(|one| !matches!(one, TrackedSeries::Failed))
        .collect();
    let mut header: Vec<String> =
        ["from_us", "width_us", "runs", "failed"].map(ToOwned::to_owned).to_vec();
    header.extend(followed.iter().map(|one| column(*one)));
    header.extend(["agent_load", "agent_jobs"].map(ToOwned::to_owned));
    csv.write_record(header)?;
    let windows = &soak.windows;
    for (index, window) in windows.windows.iter().enumerate() {
        let mut line = vec![windows.start_of(index).0.to_string(), windows.width.0.to_string()];
        line.extend([window.runs, window.failed].map(|count| count.to_string()));
        let cell = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.0}"));
        line.extend(followed.iter().map(|one| cell(one.value(window))));
        let worker = window.worker.unwrap_or_default();
        line.push(worker.load.map_or(String::new(), |load| format!("{load:.4}")));
        line.push(cell(worker.jobs));
        csv.write_record(line)?;
    }
    Ok(csv.flush()?)
}

fn column(followed: TrackedSeries) -> String {
    let unit = match followed.unit() {
        SeriesUnit::Microseconds => "us",
        SeriesUnit::Share => "share",
        SeriesUnit::Bytes => "bytes",
    };
    format!("{}_{unit}", followed.name().replace(' ', "_"))
}

/// Writes one line for each look at the agent's worker; what it did not tell is missing.
///
/// # Errors
/// Where the writer refuses.
pub fn agent_health_csv(soak: &SoakAnalysis, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record([
        "at_us",
        "started",
        "in_flight",
        "jobs",
        "load",
        "children",
        "memory_bytes",
    ])?;
    for look in &soak.worker_samples {
        let count = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
        let load = look.health.load.map_or(String::new(), |load| format!("{load:.4}"));
        csv.write_record([
            look.at.0.to_string(),
            look.started.to_string(),
            look.in_flight.to_string(),
            count(look.health.jobs),
            load,
            count(look.health.children),
            count(look.health.memory),
        ])?;
    }
    Ok(csv.flush()?)
}
