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
    let callers = forecast.in_flight.min(f64::from(profile.limits.in_flight)).ceil();
    findings.extend(present(&roll, workers, callers));
    findings.extend(clocks(&roll.workers, strictest(&profile.thresholds)));
    Ok(findings)
}

/// Whether enough of them are free for so many callers at once.
fn present(roll: &RollCall, settings: &WorkersSettings, callers: f64) -> Vec<Finding> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::FindingState;
    use rushhour_core::units::{PositiveDuration, SessionId, WorkerId};
    use rushhour_fleet::clock::WorkerTime;
    use rushhour_fleet::{ForeignMessage, WorkerReport};

    fn worker(id: u32, state: WorkerState, within: Option<u64>) -> PresentWorker {
        let report = WorkerReport {
            worker: WorkerId::new(id),
            host: "machine".into(),
            capacity: 100,
            joins: 50,
            held: 0,
            state,
            session: None,
            unacknowledged: 0,
            last_update: 0,
            ticks: 0,
            late_ticks: 0,
            latest_tick: Micros::ZERO,
            reconnects: 0,
            heard_until: WorkerTime::from_micros(0),
        };
        let within = within.map(Micros);
        PresentWorker { report, round_trip: within, clock_within: within }
    }

    fn settings(at_least: u32) -> WorkersSettings {
        let second = PositiveDuration::new(Micros::from_secs(1)).expect("it is positive");
        WorkersSettings {
            nats: "nats://10.0.0.5:4222".to_owned(),
            namespace: "rushhour".to_owned(),
            at_least,
            ready_within: second,
            lease: second,
        }
    }

    #[track_caller]
    fn says(finding: &Finding, state: FindingState, text: &str) {
        assert_eq!(finding.state, state, "{}", finding.message);
        assert!(finding.message.contains(text), "{}", finding.message);
    }

    #[test]
    fn workers_that_are_too_few_too_small_or_of_another_version_are_told() {
        let mut roll = RollCall {
            workers: vec![
                worker(1, WorkerState::Idle, Some(200)),
                worker(2, WorkerState::Draining, Some(200)),
                worker(3, WorkerState::Ready, Some(200)),
            ],
            foreign: Vec::new(),
        };
        roll.workers[2].report.session = Some((SessionId::new("of-others"), 1));
        says(&present(&roll, &settings(1), 100.0)[0], FindingState::Ok, "1 of 3 workers are free");
        let few = &present(&roll, &settings(2), 100.0)[0];
        says(few, FindingState::Failed, "workers.at_least is 2");
        let small = &present(&roll, &settings(1), 101.0)[0];
        says(small, FindingState::Failed, "hold 100 callers; the plan has up to 101");
        assert!(small.hint.as_ref().is_some_and(|hint| hint.contains("--capacity")), "{small:?}");
        says(&present(&RollCall::default(), &settings(1), 1.0)[0], FindingState::Failed, "0 of 0");
        roll.foreign =
            vec![ForeignMessage::OtherVersion { protocol: 9, version: "7.0".to_owned() }];
        let found = present(&roll, &settings(1), 1.0);
        says(&found[0], FindingState::Failed, "it is of Rushhour 7.0, protocol 9");
        says(&found[1], FindingState::Ok, "1 of 3");
    }

    #[test]
    fn a_clock_that_is_known_too_badly_for_a_threshold_is_refused() {
        let near = worker(1, WorkerState::Idle, Some(300));
        let far = worker(2, WorkerState::Idle, Some(40_000));
        let (silent, both) = (worker(3, WorkerState::Idle, None), [near.clone(), far]);
        let bound = |ms| Some(Micros::from_millis(ms));
        let found = &clocks(&both, bound(200))[0];
        says(found, FindingState::Failed, "00000002 can be told within 40");
        assert!(found.message.contains("too little for a threshold of 200"), "{}", found.message);
        says(&clocks(&both, bound(400))[0], FindingState::Ok, "00000002");
        says(&clocks(&both, None)[0], FindingState::Ok, "00000002");
        says(&clocks(&[near, silent], None)[0], FindingState::Failed, "does not answer");
        assert_eq!(clocks(&[], bound(200)), []);
    }
}
