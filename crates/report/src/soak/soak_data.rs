//! From a session's events to what a soak is judged by: latencies and outcomes by intended start, looks at the
//! agent's worker, and the times of rest.

use std::collections::BTreeMap;

use super::idle_periods::{IdleKind, IdlePeriod};
use crate::fold::{EndedRuns, FoldedSession, RunRecord, WINDOWED};
use rushhour_core::event::{AgentHealth, Event, EventKind, FailureClass, Outcome};
use rushhour_core::units::{Metric, Micros, SessionTime};

/// Looks at the worker that are kept; at one more, every second is let go and from then on so many fewer
/// are taken in.
const MOST_LOOKS: usize = 4_096;

/// A latency of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedLatency {
    /// When the run was meant to start.
    pub intended: SessionTime,
    /// How long it took.
    pub latency: Micros,
}

/// A run of which it is known how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedRun {
    /// When it was meant to start.
    pub intended: SessionTime,
    /// Whether it failed.
    pub failed: bool,
}

/// A look at the agent's worker.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerSample {
    /// When it was answered.
    pub at: SessionTime,
    /// Runs that had been started by then.
    pub started: u64,
    /// Runs under way.
    pub in_flight: u64,
    /// What the worker said.
    pub health: AgentHealth,
}

/// What a soak is judged by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SoakData {
    /// Latencies of runs of measured stages, in any order.
    pub latencies: BTreeMap<Metric, Vec<TimedLatency>>,
    /// Runs of measured stages that completed, or failed for a reason that may be the agent's, in any order.
    pub ended: Vec<EndedRun>,
    /// Looks at the worker, in order of time.
    pub worker_samples: Vec<WorkerSample>,
    /// Looks that were not answered usefully.
    pub failed_worker_polls: u64,
    /// The stretches of the session in which no run was under way and the worker was looked at: before the
    /// first run, between stages, after the last.
    pub idle_periods: Vec<IdlePeriod>,
    /// Rooms that the server still listed after the end, where it was asked, and how many it had listed that were
    /// then deleted once more.
    pub rooms_listed: Option<(u64, u64)>,
}

/// Collects what a soak is judged by while its session is folded.
#[derive(Debug, Default)]
pub struct SoakBuilder {
    /// Of all stages, with the stage: which of them are measured is known at the end.
    latencies: BTreeMap<(u32, Metric), Vec<TimedLatency>>,
    ended: Vec<(u32, EndedRun)>,
    looks: WorkerSamples,
    failed: u64,
    started: u64,
    in_flight: u64,
    last_stage: u32,
    last_end: Option<SessionTime>,
    rests: Vec<IdlePeriod>,
}

/// Looks at the worker, ever fewer as the session goes on.
#[derive(Debug, Default)]
struct WorkerSamples {
    kept: Vec<WorkerSample>,
    /// One in two to this power is kept.
    thinned: u32,
    seen: u64,
}

impl WorkerSamples {
    fn add(&mut self, look: WorkerSample) {
        if self.seen.is_multiple_of(1 << self.thinned) {
            self.kept.push(look);
        }
        self.seen += 1;
        if self.kept.len() > MOST_LOOKS {
            let mut odd = false;
            self.kept.retain(|_| {
                odd = !odd;
                odd
            });
            self.thinned += 1;
        }
    }
}

impl SoakBuilder {
    /// Takes in an event, and what it told of outcomes.
    pub fn add(&mut self, event: &Event, told: &EndedRuns) {
        match &event.kind {
            EventKind::RunStarted { stage, .. } => {
                self.started += 1;
                self.in_flight += 1;
                self.last_stage = *stage;
            }
            EventKind::Ended { .. } => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.last_end = self.last_end.max(Some(event.at));
            }
            EventKind::AgentHealth(health) => self.look(event.at, health),
            _ => {}
        }
        if let EndedRuns::Run(record) = told {
            self.add_run(record);
        }
    }

    fn look(&mut self, at: SessionTime, said: &AgentHealth) {
        if said.error.is_some() {
            self.failed += 1;
            return;
        }
        if self.in_flight == 0 {
            self.rest(at, said);
        }
        let (started, in_flight) = (self.started, self.in_flight);
        self.looks.add(WorkerSample { at, started, in_flight, health: said.clone() });
    }

    /// A look while nothing was under way belongs to the rest that it is in.
    fn rest(&mut self, at: SessionTime, said: &AgentHealth) {
        let stretch = match self.last_end {
            None => IdleKind::Before,
            Some(_) => IdleKind::After { stage: self.last_stage, runs: self.started },
        };
        let since = self.last_end.unwrap_or(SessionTime::START);
        match self.rests.last_mut() {
            Some(rest) if rest.kind == stretch => rest.take(at, said),
            _ => self.rests.push(IdlePeriod::begin(stretch, since, at, said)),
        }
    }

    fn add_run(&mut self, record: &RunRecord) {
        let failed = match record.ending.as_ref().map(|ending| &ending.outcome) {
            Some(Outcome::Completed { .. }) => false,
            Some(Outcome::Failed { class, .. }) if is_of_the_agent(*class) => true,
            None | Some(Outcome::Failed { .. } | Outcome::Skipped) => return,
        };
        self.ended.push((record.stage, EndedRun { intended: record.intended, failed }));
        for sample in record.samples() {
            if WINDOWED.contains(&sample.metric) {
                let timed = TimedLatency { intended: record.intended, latency: sample.high };
                self.latencies.entry((record.stage, sample.metric)).or_default().push(timed);
            }
        }
    }

    /// All of a session that was folded to its end.
    pub fn finish(self, folded: &FoldedSession) -> SoakData {
        let mut latencies: BTreeMap<Metric, Vec<TimedLatency>> = BTreeMap::new();
        for ((stage, metric), list) in self.latencies {
            if folded.names.is_measured(stage) {
                latencies.entry(metric).or_default().extend(list);
            }
        }
        let measured = self.ended.into_iter().filter(|(stage, _)| folded.names.is_measured(*stage));
        let ended = measured.map(|(_, ended)| ended).collect();
        // A rest in the middle of a stage is no pause between waves: only the last of each stage counts.
        let mut rests: Vec<IdlePeriod> = Vec::new();
        for rest in self.rests {
            match rests.last_mut() {
                Some(before) if before.kind.has_stage_of(rest.kind) => *before = rest,
                _ => rests.push(rest),
            }
        }
        SoakData {
            latencies,
            ended,
            worker_samples: self.looks.kept,
            failed_worker_polls: self.failed,
            idle_periods: rests,
            rooms_listed: folded.rooms_listed,
        }
    }
}

/// Whether a failure may have to do with the agent: not where we ended the run or were at fault ourselves.
const fn is_of_the_agent(class: FailureClass) -> bool {
    !matches!(
        class,
        FailureClass::Cancelled | FailureClass::BudgetStopped | FailureClass::GeneratorFault
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_bounded_and_cover_the_session() {
        let mut looks = WorkerSamples::default();
        let count = 100_000_u64;
        for second in 0..count {
            let at = SessionTime(second);
            looks.add(WorkerSample {
                at,
                started: 0,
                in_flight: 0,
                health: AgentHealth::default(),
            });
        }
        assert!((MOST_LOOKS / 2..=MOST_LOOKS).contains(&looks.kept.len()), "{}", looks.kept.len());
        assert!(looks.kept.last().unwrap().at.0 > count - 64);
        let gaps: Vec<u64> = looks.kept.windows(2).map(|two| two[1].at.0 - two[0].at.0).collect();
        assert!(gaps.iter().all(|gap| *gap == gaps[0]), "evenly thinned");
    }
}
