//! The health of the load generator, its native callers, and the agent's worker.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::units::{Micros, WorkerId};

/// The health of the load generator over an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorHealth {
    /// The interval.
    #[serde(rename = "over")]
    pub interval: Micros,
    /// Runs in flight at its end.
    pub in_flight: u32,
    /// Processor time used, in microseconds over all cores.
    pub cpu: Micros,
    /// Resident memory at its end, in bytes.
    pub memory: u64,
    /// The longest delay of the driver's event loop past a deadline.
    pub loop_lag: Micros,
    /// Status polls that were answered.
    pub polls: u32,
    /// Status polls that failed.
    pub polls_failed: u32,
    /// The longest time that a due status poll waited.
    pub poll_lag: Micros,
    /// Answers of 429 to submissions and status polls.
    pub throttled: u32,
    /// Room polls.
    #[serde(rename = "looks")]
    pub room_polls: u32,
    /// The longest time that a due room poll waited.
    #[serde(rename = "look_lag")]
    pub room_poll_lag: Micros,
    /// Requests to LiveKit that were answered or failed, room polls included.
    #[serde(default, skip_serializing_if = "is_default")]
    pub livekit_requests: u32,
    /// Of these, how many it refused because of too many requests.
    #[serde(default, skip_serializing_if = "is_default")]
    pub livekit_throttled: u32,
    /// Requests to LiveKit that waited because it had refused others.
    #[serde(default, skip_serializing_if = "is_default")]
    pub livekit_held_back: u32,
    /// The health of the native callers, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callers: Option<CallersHealth>,
}

/// The health of the threads of native callers over an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallersHealth {
    /// Callers at its end.
    pub callers: u64,
    /// Ticks; in each, a thread serves all of its callers that are due.
    #[serde(rename = "beats")]
    pub ticks: u64,
    /// Ticks that began more than 5 ms late.
    #[serde(rename = "late_beats")]
    pub late_ticks: u64,
    /// The longest delay of a tick.
    #[serde(rename = "latest_beat")]
    pub latest_tick: Micros,
}

/// The health of one worker, which holds callers on another machine, over an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerHealth {
    /// The worker.
    pub worker: WorkerId,
    /// The most callers that it is meant to hold.
    pub capacity: u32,
    /// The most callers that it held in the interval.
    pub callers: u32,
    /// Ticks; in each, a thread serves all of its callers that are due.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ticks: u64,
    /// Ticks that began more than 5 ms late.
    #[serde(default, skip_serializing_if = "is_default")]
    pub late_ticks: u64,
    /// The longest delay of a tick.
    #[serde(default)]
    pub latest_tick: Micros,
    /// How far its clock is from the session's: what is added to a time of its own, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset: Option<i64>,
    /// How far off that may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_within: Option<Micros>,
    /// Whether measures of its clock contradict each other: it jumped within the last minute, or its machine was
    /// suspended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clock_jumped: bool,
    /// The shortest round trip of a message to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip: Option<Micros>,
    /// How long ago it was last heard of.
    #[serde(default)]
    pub silent: Micros,
    /// Why it is no longer counted on, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<WorkerLoss>,
}

/// Why a worker is no longer counted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerLoss {
    /// It was not heard of for longer than its lease.
    Silent,
    /// It takes no more runs, and finishes those that it holds.
    Draining,
    /// It could not prepare the session.
    Unprepared,
}

/// The health of the agent's worker as it reports it; `None` for what it does not report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentHealth {
    /// What tells a worker from the others, where Prometheus names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Active jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u64>,
    /// The worker's load as a fraction of its capacity, as it computes it; finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// Running child processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<u64>,
    /// Resident memory in bytes, without child processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Why the worker's health could not be read.
    #[serde(rename = "trouble", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Each worker, where several are asked: the first, and then the others in the profile's order, or those that
    /// Prometheus knows by their names. The figures above are those of all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<AgentHealth>,
}

impl AgentHealth {
    /// Several workers as one: jobs, processes and memory are summed up, and the greatest load counts. Its error is that
    /// of the workers, where none of them answered.
    pub fn of_workers(workers: Vec<Self>) -> Self {
        let sum = |figure: fn(&Self) -> Option<u64>| {
            workers.iter().filter_map(figure).reduce(u64::saturating_add)
        };
        let failed = workers.iter().filter_map(|worker| worker.error.as_deref());
        let failed: Vec<&str> = failed.collect();
        Self {
            name: None,
            jobs: sum(|worker| worker.jobs),
            load: workers.iter().filter_map(|worker| worker.load).reduce(f64::max),
            children: sum(|worker| worker.children),
            memory: sum(|worker| worker.memory),
            error: (failed.len() == workers.len() && !failed.is_empty()).then(|| failed.join("; ")),
            workers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_workers_are_summed_up_and_fail_only_together() {
        let worker = |jobs, load| AgentHealth {
            jobs: Some(jobs),
            load: Some(load),
            memory: Some(100),
            ..AgentHealth::default()
        };
        let gone = AgentHealth { error: Some("gone".into()), ..AgentHealth::default() };
        let all = AgentHealth::of_workers(vec![worker(2, 0.3), gone.clone(), worker(5, 0.9)]);
        assert_eq!((all.jobs, all.load, all.memory), (Some(7), Some(0.9), Some(200)));
        assert_eq!((all.children, all.error, all.workers.len()), (None, None, 3));
        let none = AgentHealth::of_workers(vec![gone.clone(), gone]);
        assert_eq!(none.error.as_deref(), Some("gone; gone"));
    }
}
