//! What a soak is judged by, collected from the events of a session: latencies and outcomes by intended start, polls of
//! the agent's worker, and idle periods.

use std::collections::BTreeMap;

use super::idle_periods::{IdleKind, IdlePeriod};
use crate::fold::{
    EndedRuns, FoldedSession, HeardOfRun, QualityOfRun, RoomsListed, RunRecord, TIMELINE_METRICS,
};
use rushhour_core::event::{AgentHealth, Event, EventKind, FailureClass, Outcome};
use rushhour_core::units::{Metric, Micros, SessionTime};

/// With more samples of the worker than this, every second one is dropped, and the sampling rate halves from then on.
const MAX_SAMPLES: usize = 4_096;

/// A latency of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedLatency {
    /// The run's intended start.
    pub intended: SessionTime,
    /// The latency.
    pub latency: Micros,
}

/// How the agent sounded in a run, and how it took turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedQuality {
    /// The run's intended start.
    pub intended: SessionTime,
    /// How its speech arrived, and how it took turns.
    pub quality: QualityOfRun,
}

/// What the agent heard of the caller in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedHearing {
    /// The run's intended start.
    pub intended: SessionTime,
    /// What it heard of what was said.
    pub heard: HeardOfRun,
}

/// A run that completed or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedRun {
    /// The intended start.
    pub intended: SessionTime,
    /// Whether it failed.
    pub failed: bool,
}

/// An answered poll of the agent's worker.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerSample {
    /// When it was answered.
    pub at: SessionTime,
    /// Runs started by then.
    pub started: u64,
    /// Runs in flight.
    pub in_flight: u64,
    /// The answer.
    pub health: AgentHealth,
}

/// What a soak is judged by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SoakData {
    /// Latencies of runs of measured stages, in any order.
    pub latencies: BTreeMap<Metric, Vec<TimedLatency>>,
    /// Runs of measured stages that completed, or failed for a reason that may be the agent's, in any order.
    pub ended: Vec<EndedRun>,
    /// How the agent sounded in runs of measured stages, and how it took turns, in any order; none where no caller of ours
    /// heard it.
    pub qualities: Vec<TimedQuality>,
    /// What the agent heard in runs of measured stages, in any order; none where it wrote no transcripts of callers.
    pub heard: Vec<TimedHearing>,
    /// Samples of the worker in order of time, evenly thinned where there are many.
    pub worker_samples: Vec<WorkerSample>,
    /// Polls of the worker that were not answered usefully.
    pub failed_worker_polls: u64,
    /// Periods in which no run was in flight and the worker was polled: before the first run, between stages, after the
    /// last run.
    pub idle_periods: Vec<IdlePeriod>,
    /// Rooms that the server listed after the session's end; none where it was not asked.
    pub rooms_listed: Option<RoomsListed>,
}

/// Collects [`SoakData`] while the session is folded.
#[derive(Debug, Clone, Default)]
pub struct SoakBuilder {
    /// By stage: which stages are measured is known only at the end.
    latencies: BTreeMap<(u32, Metric), Vec<TimedLatency>>,
    ended: Vec<(u32, EndedRun)>,
    qualities: Vec<(u32, TimedQuality)>,
    heard: Vec<(u32, TimedHearing)>,
    worker_samples: ThinnedSamples,
    failed_worker_polls: u64,
    started: u64,
    in_flight: u64,
    last_stage: u32,
    last_end: Option<SessionTime>,
    idle_periods: Vec<IdlePeriod>,
}

/// Samples of the worker at a rate that halves as the session goes on.
#[derive(Debug, Clone, Default)]
struct ThinnedSamples {
    samples: Vec<WorkerSample>,
    /// One sample in 2 to this power is kept.
    halvings: u32,
    seen: u64,
}

impl ThinnedSamples {
    fn add(&mut self, sample: WorkerSample) {
        if self.seen.is_multiple_of(1 << self.halvings) {
            self.samples.push(sample);
        }
        self.seen += 1;
        if self.samples.len() > MAX_SAMPLES {
            let mut odd = false;
            self.samples.retain(|_| {
                odd = !odd;
                odd
            });
            self.halvings += 1;
        }
    }
}

impl SoakBuilder {
    /// Adds an event, and the outcomes that it decided.
    pub fn add(&mut self, event: &Event, ended: &EndedRuns) {
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
            EventKind::AgentHealth(health) => self.add_worker_poll(event.at, health),
            _ => {}
        }
        if let EndedRuns::Run(record) = ended {
            self.add_run(record);
        }
    }

    fn add_worker_poll(&mut self, at: SessionTime, health: &AgentHealth) {
        if health.error.is_some() {
            self.failed_worker_polls += 1;
            return;
        }
        if self.in_flight == 0 {
            self.add_idle_poll(at, health);
        }
        let (started, in_flight) = (self.started, self.in_flight);
        self.worker_samples.add(WorkerSample { at, started, in_flight, health: health.clone() });
    }

    fn add_idle_poll(&mut self, at: SessionTime, health: &AgentHealth) {
        let kind = match self.last_end {
            None => IdleKind::Before,
            Some(_) => IdleKind::After { stage: self.last_stage, runs: self.started },
        };
        let start = self.last_end.unwrap_or(SessionTime::START);
        match self.idle_periods.last_mut() {
            Some(period) if period.kind == kind => period.add(at, health),
            _ => self.idle_periods.push(IdlePeriod::new(kind, start, at, health)),
        }
    }

    fn add_run(&mut self, record: &RunRecord) {
        let failed = match record.ending.as_ref().map(|ending| &ending.outcome) {
            Some(Outcome::Completed { .. }) => false,
            Some(Outcome::Failed { class, .. }) if may_be_the_agents(*class) => true,
            None | Some(Outcome::Failed { .. } | Outcome::Skipped) => return,
        };
        let intended = record.intended;
        self.ended.push((record.stage, EndedRun { intended, failed }));
        if let Some(quality) = QualityOfRun::of(record).known() {
            self.qualities.push((record.stage, TimedQuality { intended, quality }));
        }
        let heard = HeardOfRun::of(record);
        if heard.turns > 0 || heard.key_words > 0 {
            self.heard.push((record.stage, TimedHearing { intended, heard }));
        }
        for sample in record.samples() {
            if TIMELINE_METRICS.contains(&sample.metric) {
                let timed = TimedLatency { intended, latency: sample.high };
                self.latencies.entry((record.stage, sample.metric)).or_default().push(timed);
            }
        }
    }

    /// The runs that completed, or failed for a reason that may be the agent's.
    pub const fn runs(&self) -> usize {
        self.ended.len()
    }

    /// The data of a session that was folded to its end.
    pub fn finish(self, folded: &FoldedSession) -> SoakData {
        let mut latencies: BTreeMap<Metric, Vec<TimedLatency>> = BTreeMap::new();
        for ((stage, metric), list) in self.latencies {
            if folded.names.is_measured(stage) {
                latencies.entry(metric).or_default().extend(list);
            }
        }
        let measured = self.ended.into_iter().filter(|(stage, _)| folded.names.is_measured(*stage));
        let ended = measured.map(|(_, ended)| ended).collect();
        let is_measured = |stage: u32| folded.names.is_measured(stage);
        let qualities = self.qualities.into_iter().filter(|(stage, _)| is_measured(*stage));
        let qualities = qualities.map(|(_, quality)| quality).collect();
        let heard = self.heard.into_iter().filter(|(stage, _)| is_measured(*stage));
        let heard = heard.map(|(_, heard)| heard).collect();
        // An idle period within a stage is no pause between waves: only the last of each stage counts.
        let mut idle_periods: Vec<IdlePeriod> = Vec::new();
        for period in self.idle_periods {
            match idle_periods.last_mut() {
                Some(before) if before.kind.has_stage_of(period.kind) => *before = period,
                _ => idle_periods.push(period),
            }
        }
        SoakData {
            latencies,
            ended,
            qualities,
            heard,
            worker_samples: self.worker_samples.samples,
            failed_worker_polls: self.failed_worker_polls,
            idle_periods,
            rooms_listed: folded.rooms_listed,
        }
    }
}

/// Whether the agent may have caused a failure of this class: not where we ended the run or were at fault ourselves.
const fn may_be_the_agents(class: FailureClass) -> bool {
    !matches!(
        class,
        FailureClass::Cancelled | FailureClass::BudgetStopped | FailureClass::GeneratorFault
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_samples_are_bounded_and_cover_the_session_evenly() {
        let mut thinned = ThinnedSamples::default();
        let count = 100_000_u64;
        for second in 0..count {
            let (at, health) = (SessionTime(second), AgentHealth::default());
            thinned.add(WorkerSample { at, started: 0, in_flight: 0, health });
        }
        let samples = thinned.samples;
        assert!((MAX_SAMPLES / 2..=MAX_SAMPLES).contains(&samples.len()), "{}", samples.len());
        assert!(samples.last().unwrap().at.0 > count - 64);
        let gaps: Vec<u64> = samples.windows(2).map(|two| two[1].at.0 - two[0].at.0).collect();
        assert!(gaps.iter().all(|gap| *gap == gaps[0]), "evenly thinned");
    }
}
