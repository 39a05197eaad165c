//! Periods in which no run was in flight and the agent's worker was polled.

use rushhour_core::event::AgentHealth;
use rushhour_core::units::{Micros, SessionTime};

/// When in the session an idle period was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleKind {
    /// Before the first run.
    Before,
    /// After some runs.
    After {
        /// The stage of the last of them, by its position in the profile.
        stage: u32,
        /// How many had been started by then.
        runs: u64,
    },
}

impl IdleKind {
    /// Whether both are before the first run, or after runs of the same stage.
    pub(super) const fn has_stage_of(self, other: Self) -> bool {
        match (self, other) {
            (Self::Before, Self::Before) => true,
            (Self::After { stage, .. }, Self::After { stage: later, .. }) => stage == later,
            _ => false,
        }
    }
}

/// The lowest and the highest of some counts, and when the last of them was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountRange {
    /// The lowest.
    pub min: u64,
    /// The highest.
    pub max: u64,
    /// The last poll that had a count: one query of several may fail.
    pub last: SessionTime,
}

impl CountRange {
    fn including(range: Option<Self>, at: SessionTime, count: Option<u64>) -> Option<Self> {
        let Some(count) = count else { return range };
        let (min, max) = range.map_or((count, count), |range| (range.min, range.max));
        Some(Self { min: min.min(count), max: max.max(count), last: at })
    }
}

/// A period in which no run was in flight and the worker was polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdlePeriod {
    /// When in the session.
    pub kind: IdleKind,
    /// The end of the last run before it; the session's start where there was none.
    pub start: SessionTime,
    /// The last poll.
    pub last: SessionTime,
    /// The worker's active jobs.
    pub jobs: Option<CountRange>,
    /// The worker's child processes.
    pub children: Option<CountRange>,
}

impl IdlePeriod {
    /// A period with its first poll, at `at`.
    pub(super) fn new(
        kind: IdleKind,
        start: SessionTime,
        at: SessionTime,
        health: &AgentHealth,
    ) -> Self {
        let mut period = Self { kind, start, last: at, jobs: None, children: None };
        period.add(at, health);
        period
    }

    /// Adds a poll.
    pub(super) fn add(&mut self, at: SessionTime, health: &AgentHealth) {
        self.last = at;
        self.jobs = CountRange::including(self.jobs, at, health.jobs);
        self.children = CountRange::including(self.children, at, health.children);
    }

    /// From its start to the last poll that had one of these counts, or where there are none to the last poll.
    pub(super) fn observed_for(&self, counts: Option<CountRange>) -> Micros {
        counts.map_or(self.last, |counts| counts.last).since(self.start)
    }
}
