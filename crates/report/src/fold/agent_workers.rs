//! How many workers of the agent there were over time, where several are asked for their health.

use super::run_record::TimeSpan;
use rushhour_core::event::AgentHealth;
use rushhour_core::units::SessionTime;

/// The most changes that are kept: workers that come and go at every poll would fill the memory.
const MAX_CHANGES: usize = 200;

/// There were more workers, or fewer, than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkersChange {
    /// Between these two polls.
    pub seen: TimeSpan,
    /// How many there were at the first of them.
    pub from: u32,
    /// How many there were at the second.
    pub to: u32,
}

/// The number of workers that answered, or that Prometheus knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentWorkers {
    /// The last poll that says how many there were, or that says nothing as long as there was none.
    last: Option<(SessionTime, u32)>,
    changes: Vec<WorkersChange>,
}

impl AgentWorkers {
    /// Adds a poll. One that asked a single worker, or that none of several answered, says nothing of their number. But an
    /// error without any worker is a Prometheus that knows none, where it knows some at another time.
    pub(super) fn add(&mut self, at: SessionTime, health: &AgentHealth) {
        let count = health.workers.iter().filter(|worker| worker.error.is_none()).count();
        let found_nothing = health.workers.is_empty() && health.error.is_some();
        if count == 0 && !found_nothing {
            return;
        }
        let to = u32::try_from(count).unwrap_or(u32::MAX);
        if let Some((before, from)) = self.last.replace((at, to))
            && from != to
            && self.changes.len() < MAX_CHANGES
        {
            self.changes.push(WorkersChange { seen: TimeSpan { from: before, to: at }, from, to });
        }
    }

    /// The changes, in order.
    pub fn changes(&self) -> &[WorkersChange] {
        &self.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_lies_between_two_polls_that_were_answered() {
        let worker = |error: Option<&str>| AgentHealth {
            error: error.map(str::to_owned),
            ..AgentHealth::default()
        };
        let of = |workers: Vec<AgentHealth>| AgentHealth::of_workers(workers);
        let mut seen = AgentWorkers::default();
        seen.add(SessionTime(1), &worker(None));
        seen.add(SessionTime(10), &of(vec![worker(None), worker(Some("gone"))]));
        seen.add(SessionTime(20), &of(vec![worker(Some("gone"))]));
        seen.add(SessionTime(30), &of(vec![worker(None), worker(None)]));
        seen.add(SessionTime(40), &of(vec![worker(None), worker(None)]));
        let between = TimeSpan { from: SessionTime(10), to: SessionTime(30) };
        assert_eq!(seen.changes(), [WorkersChange { seen: between, from: 1, to: 2 }]);
    }

    #[test]
    fn an_agent_without_workers_is_counted_and_one_that_is_asked_itself_is_not() {
        let failed =
            |error: &str| AgentHealth { error: Some(error.to_owned()), ..AgentHealth::default() };
        let nothing = failed("the queries found nothing");
        let two = AgentHealth::of_workers(vec![AgentHealth::default(); 2]);
        let mut seen = AgentWorkers::default();
        seen.add(SessionTime(10), &nothing);
        seen.add(SessionTime(20), &two);
        // Every query but that of a sum failed.
        let one_query = AgentHealth {
            jobs: Some(3),
            error: None,
            ..AgentHealth::of_workers(vec![failed("timed out")])
        };
        seen.add(SessionTime(30), &one_query);
        seen.add(SessionTime(40), &nothing);
        let counts: Vec<_> = seen.changes().iter().map(|one| (one.from, one.to)).collect();
        assert_eq!(counts, [(0, 2), (2, 0)]);
        assert_eq!(seen.changes()[1].seen.from, SessionTime(20));
        let mut single = AgentWorkers::default();
        single.add(SessionTime(10), &AgentHealth::default());
        single.add(SessionTime(20), &failed("refused"));
        single.add(SessionTime(30), &AgentHealth::default());
        assert!(single.changes().is_empty(), "{single:?}");
    }
}
