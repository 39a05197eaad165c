//! `soak.csv`: the figures of each window. `agent_health.csv`: each poll of the agent's worker.

use std::io::Write;

use crate::render::csv::write_record;
use crate::soak::{SeriesUnit, SoakAnalysis, TrackedSeries};

/// Writes one line per window: the figures of its runs in microseconds, and those of the agent's worker in bytes. Figures
/// for which a window has too few values are empty.
///
/// # Errors
/// If writing fails.
pub fn soak_csv(soak: &SoakAnalysis, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    let tracked: Vec<TrackedSeries> = soak
        .series
        .iter()
        .map(|one| one.series)
        .filter(|one| !matches!(one, TrackedSeries::Failed))
        .collect();
    let mut header: Vec<String> =
        ["from_us", "width_us", "runs", "failed"].map(ToOwned::to_owned).to_vec();
    header.extend(tracked.iter().map(|one| column(*one)));
    header.extend(["agent_load", "agent_jobs"].map(ToOwned::to_owned));
    write_record(&mut csv, header)?;
    let windows = &soak.windows;
    for (index, window) in windows.windows.iter().enumerate() {
        let mut line = vec![windows.start_of(index).0.to_string(), windows.width.0.to_string()];
        line.extend([window.runs, window.failed].map(|count| count.to_string()));
        let cell = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.0}"));
        line.extend(tracked.iter().map(|one| match one.unit() {
            SeriesUnit::PerMinute => {
                one.value(window).map_or(String::new(), |value| format!("{value:.3}"))
            }
            SeriesUnit::Share => {
                one.value(window).map_or(String::new(), |value| format!("{value:.4}"))
            }
            SeriesUnit::Microseconds | SeriesUnit::Bytes => cell(one.value(window)),
        }));
        let worker = window.worker.unwrap_or_default();
        line.push(worker.load.map_or(String::new(), |load| format!("{load:.4}")));
        line.push(cell(worker.jobs));
        write_record(&mut csv, line)?;
    }
    Ok(csv.flush()?)
}

fn column(series: TrackedSeries) -> String {
    let unit = match series.unit() {
        SeriesUnit::Microseconds => "us",
        SeriesUnit::Share => "share",
        SeriesUnit::Bytes => "bytes",
        SeriesUnit::PerMinute => "per_minute",
    };
    format!("{}_{unit}", series.name().replace(' ', "_"))
}

/// Writes one line per poll of the agent's worker. Figures that it did not report are empty.
///
/// # Errors
/// If writing fails.
pub fn agent_health_csv(soak: &SoakAnalysis, to: impl Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    write_record(
        &mut csv,
        ["at_us", "started", "in_flight", "jobs", "load", "children", "memory_bytes"],
    )?;
    for sample in &soak.worker_samples {
        let count = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
        let load = sample.health.load.map_or(String::new(), |load| format!("{load:.4}"));
        write_record(
            &mut csv,
            [
                sample.at.0.to_string(),
                sample.started.to_string(),
                sample.in_flight.to_string(),
                count(sample.health.jobs),
                load,
                count(sample.health.children),
                count(sample.health.memory),
            ],
        )?;
    }
    Ok(csv.flush()?)
}
