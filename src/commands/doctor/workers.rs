//! Whether the workers of a session are there, fit, and can hold what the plan has in flight.

use super::finding::Finding;
use crate::error::CliError;
use crate::nats_login::nats_config;
use rushhour_core::plan::Forecast;
use rushhour_core::profile::{
    Profile, Threshold, ThresholdBound, ThresholdMeasure, WorkersSettings,
};
use rushhour_core::units::{Metric, Micros};
use rushhour_fleet::{PresentWorker, RollCall, WorkerState, call_roll};

/// The largest share of a threshold that a clock may be off by.
const CLOCK_SHARE: u64 = 10;

/// Asks the workers that a profile names what they do.
pub(crate) async fn check(
    profile: &Profile,
    workers: &WorkersSettings,
    forecast: &Forecast,
) -> Result<Vec<Finding>, CliError> {
    let config = nats_config(&workers.nats, &workers.namespace)?;
    let mut findings = Vec::new();
    if let Some(address) = config.address_in_clear() {
        findings.push(Finding::warning(
            "nats encryption",
            format!("tokens of rooms travel to {address} in clear, unless it insists on TLS"),
            "write tls:// in workers.nats",
        ));
    }
    let roll = match call_roll(&config).await {
        Ok(roll) => roll,
        Err(error) => {
            let hint = error.hint();
            findings.push(Finding::failed("nats", error.to_string(), hint));
            findings.push(Finding::not_checked("workers", "there is no connection to NATS"));
            return Ok(findings);
        }
    };
    findings.push(Finding::ok("nats", format!("{} lets us in", workers.nats)));
    findings.extend(present(&roll, workers, forecast, profile.limits.in_flight));
    findings.extend(clocks(&roll.workers, strictest(&profile.thresholds)));
    Ok(findings)
}

fn present(
    roll: &RollCall,
    settings: &WorkersSettings,
    forecast: &Forecast,
    in_flight: u32,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = roll
        .foreign
        .iter()
        .map(|foreign| {
            let hint = "run the same version of Rushhour on every machine";
            Finding::failed("workers' version", foreign.to_string(), hint)
        })
        .collect();
    let is_free = |one: &&PresentWorker| {
        one.report.session.is_none() && one.report.state != WorkerState::Draining
    };
    let free: Vec<&PresentWorker> = roll.workers.iter().filter(is_free).collect();
    let capacity: u64 = free.iter().map(|one| u64::from(one.report.capacity)).sum();
    let callers = forecast.in_flight.min(f64::from(in_flight)).ceil();
    let found = format!(
        "{} of {} workers are free and hold {capacity} callers; the plan has up to {callers} at once",
        free.len(),
        roll.workers.len()
    );
    let start = format!("start `rushhour worker {}` on more machines", settings.nats);
    findings.push(if free.len() < settings.at_least as usize {
        let found = format!("{found}, and workers.at_least is {}", settings.at_least);
        Finding::failed("workers", found, start)
    } else if (capacity as f64) < callers {
        Finding::failed("workers", found, format!("{start}, or give them a higher --capacity"))
    } else {
        Finding::ok("workers", found)
    });
    findings
}

/// Whether moments on the workers can be told well enough for the strictest threshold.
fn clocks(workers: &[PresentWorker], strictest: Option<Micros>) -> Vec<Finding> {
    let check = "workers' clocks";
    let unknown = workers.iter().find(|one| one.clock_within.is_none());
    if let Some(worker) = unknown {
        let found = format!("worker {} does not answer what time it is", worker.report.worker);
        return vec![Finding::failed(check, found, "stop it, or look at its machine")];
    }
    let worst = workers.iter().max_by_key(|one| one.clock_within);
    let Some((worker, within)) = worst.and_then(|one| Some((one.report.worker, one.clock_within?)))
    else {
        return Vec::new();
    };
    let found = format!(
        "a moment on worker {worker} can be told within {within}; on the others at least as well"
    );
    match strictest {
        Some(bound) if within.0 > bound.0 / CLOCK_SHARE => vec![Finding::failed(
            check,
            format!("{found}, too little for a threshold of {bound}"),
            "place workers and session closer to each other on the network, or raise the threshold",
        )],
        _ => vec![Finding::ok(check, found)],
    }
}

/// The strictest threshold on what begins on one machine and ends on another.
fn strictest(thresholds: &[Threshold]) -> Option<Micros> {
    let bounds =
        thresholds.iter().filter_map(|threshold| match (&threshold.measure, threshold.bound) {
            (ThresholdMeasure::Latency { metric, .. }, ThresholdBound::Time(bound))
                if crosses_machines(*metric) =>
            {
                Some(bound)
            }
            _ => None,
        });
    bounds.min()
}

const fn crosses_machines(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::AgentJoin
            | Metric::AgentReady
            | Metric::Queue
            | Metric::CompletionService
            | Metric::CompletionResponse
    )
}
