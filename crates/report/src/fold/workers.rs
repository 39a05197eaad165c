//! The workers of a session: how well each kept its schedule, and which were lost.

use std::collections::BTreeMap;

use rushhour_core::event::{WorkerHealth, WorkerLoss};
use rushhour_core::units::{Micros, WorkerId};

/// Every worker of the session, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoldedWorkers(BTreeMap<WorkerId, FoldedWorker>);

/// One worker over the whole session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FoldedWorker {
    /// The most callers that it is meant to hold.
    pub capacity: u32,
    /// The most callers that it held.
    pub callers: u32,
    /// Ticks of its callers' threads.
    pub ticks: u64,
    /// Ticks that began more than 5 ms late.
    pub late_ticks: u64,
    /// The longest delay of a tick.
    pub latest_tick: Micros,
    /// The widest that the offset of its clock was known to.
    pub clock_within: Option<Micros>,
    /// How often its clock jumped.
    pub clock_jumps: u32,
    /// Whether it was said to have jumped when it was last heard of.
    is_jumped: bool,
    /// Why it was no longer counted on at the end, if it was not.
    pub lost: Option<WorkerLoss>,
}

impl FoldedWorkers {
    /// Takes in what a worker did in an interval.
    pub(super) fn add(&mut self, health: &WorkerHealth) {
        let worker = self.0.entry(health.worker).or_default();
        worker.capacity = health.capacity;
        worker.callers = worker.callers.max(health.callers);
        // Whoever wrote the journal may have written any number.
        worker.ticks = worker.ticks.saturating_add(health.ticks);
        worker.late_ticks = worker.late_ticks.saturating_add(health.late_ticks);
        worker.latest_tick = worker.latest_tick.max(health.latest_tick);
        worker.clock_within = worker.clock_within.max(health.clock_within);
        if health.clock_jumped && !worker.is_jumped {
            worker.clock_jumps = worker.clock_jumps.saturating_add(1);
        }
        worker.is_jumped = health.clock_jumped;
        worker.lost = health.lost;
    }

    /// The workers, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (WorkerId, &FoldedWorker)> {
        self.0.iter().map(|(id, worker)| (*id, worker))
    }

    /// Whether the session had none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FoldedWorker {
    /// The share of its ticks that began late; `None` if it had none.
    pub fn late_share(&self) -> Option<f64> {
        (self.ticks > 0).then(|| self.late_ticks as f64 / self.ticks as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(clock_jumped: bool, within_ms: u64) -> WorkerHealth {
        WorkerHealth {
            worker: WorkerId::new(7),
            capacity: 100,
            callers: 3,
            ticks: 500,
            late_ticks: 5,
            latest_tick: Micros::from_millis(9),
            clock_offset: Some(-5_000_000),
            clock_within: Some(Micros::from_millis(within_ms)),
            clock_jumped,
            round_trip: None,
            silent: Micros::ZERO,
            lost: None,
        }
    }

    #[test]
    fn a_clock_that_jumped_is_counted_once_until_it_agrees_again() {
        let mut workers = FoldedWorkers::default();
        for (jumped, within) in [(false, 1), (true, 900), (true, 901), (false, 1), (true, 300)] {
            workers.add(&health(jumped, within));
        }
        let (id, worker) = workers.iter().next().expect("it was added");
        assert_eq!((id, worker.clock_jumps), (WorkerId::new(7), 2));
        assert_eq!(worker.clock_within, Some(Micros::from_millis(901)));
        assert_eq!((worker.ticks, worker.late_share()), (2_500, Some(0.01)));
    }

    #[test]
    fn journals_from_before_do_not_say_that_a_clock_jumped() {
        let text = serde_json::to_string(&health(false, 1)).expect("it is JSON");
        assert!(!text.contains("clock_jumped"), "{text}");
        assert_eq!(
            serde_json::from_str::<WorkerHealth>(&text).expect("as before"),
            health(false, 1)
        );
    }
}
