//! What the coordinator knows of one worker.

use crate::clock_sample::ClockSample;
use crate::protocol::{WorkerReport, WorkerState};
use rushhour_core::event::{WorkerHealth, WorkerLoss};
use rushhour_core::units::{Micros, WorkerId};

/// Measures of a clock that are kept.
const CLOCK_SAMPLES: usize = 16;
/// How far two clocks may drift apart, in millionths: what the kernel slews at most.
const DRIFT_PPM: u64 = 500;

/// How far a worker is with the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was heard of, and is to be asked to hold callers.
    Heard,
    /// It is being asked.
    Asked,
    /// It holds callers for the session, or will.
    Attached,
    /// It was silent for longer than the lease: its runs are given up.
    Lost,
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) report: WorkerReport,
    /// When it was last heard of.
    pub(super) heard: Micros,
    pub(super) standing: Standing,
    /// Why it does not hold callers, if it was asked.
    pub(super) refusal: Option<String>,
    /// The count that numbers of its updates are of.
    pub(super) stream: Option<u32>,
    /// The number of the next update.
    pub(super) expected: u64,
    /// The number of the last update that is durable.
    pub(super) durable: u64,
    /// Runs that were given to it, and whose end was not heard of.
    pub(super) placed: u32,
    /// No runs until then: it has just refused one.
    pub(super) not_before: Micros,
    samples: Vec<ClockSample>,
    /// The most runs since its health was last taken.
    most_placed: u32,
    latest_tick: Micros,
    /// Ticks and late ticks when its health was last taken.
    taken: (u64, u64),
}

impl Member {
    pub(super) fn new(report: WorkerReport, now: Micros) -> Self {
        // Of what it did before this session nothing is counted.
        let taken = (report.ticks, report.late_ticks);
        Self {
            report,
            heard: now,
            standing: Standing::Heard,
            refusal: None,
            stream: None,
            expected: 1,
            durable: 0,
            placed: 0,
            not_before: Micros::ZERO,
            samples: Vec::new(),
            most_placed: 0,
            latest_tick: Micros::ZERO,
            taken,
        }
    }

    pub(super) fn heard(&mut self, report: WorkerReport, now: Micros) {
        self.latest_tick = self.latest_tick.max(report.latest_tick);
        self.report = report;
        self.heard = now;
    }

    /// Whether it takes conversations.
    pub(super) fn is_ready(&self) -> bool {
        self.standing == Standing::Attached && self.report.state == WorkerState::Ready
    }

    pub(super) fn add_sample(&mut self, sample: ClockSample) {
        if self.samples.len() == CLOCK_SAMPLES {
            self.samples.remove(0);
        }
        self.samples.push(sample);
    }

    /// What is added to a time of its own, and how far off that may be: of the measures that are kept, the one that says
    /// the most now.
    pub(super) fn clock(&self, now: Micros) -> Option<(i64, Micros)> {
        let within = |sample: &ClockSample| {
            let age = now.saturating_sub(sample.at).0;
            sample.within() + Micros(age / 1_000 * DRIFT_PPM / 1_000)
        };
        let best = self.samples.iter().min_by_key(|sample| within(sample))?;
        Some((best.offset, within(best)))
    }

    pub(super) fn was_given_a_run(&mut self) {
        self.placed += 1;
        self.most_placed = self.most_placed.max(self.placed);
    }

    pub(super) fn take_health(&mut self, worker: WorkerId, now: Micros) -> WorkerHealth {
        let (ticks, late_ticks) = (self.report.ticks, self.report.late_ticks);
        let clock = self.clock(now);
        let lost = match (&self.standing, &self.report.state) {
            (Standing::Lost, _) => Some(WorkerLoss::Silent),
            (_, WorkerState::Draining) => Some(WorkerLoss::Draining),
            (_, WorkerState::Failed(_)) => Some(WorkerLoss::Unprepared),
            _ => None,
        };
        let health = WorkerHealth {
            worker,
            capacity: self.report.capacity,
            callers: self.most_placed,
            ticks: ticks.saturating_sub(self.taken.0),
            late_ticks: late_ticks.saturating_sub(self.taken.1),
            latest_tick: self.latest_tick,
            clock_offset: clock.map(|(offset, _)| offset),
            clock_within: clock.map(|(_, within)| within),
            round_trip: self.samples.iter().map(|sample| sample.round_trip).min(),
            silent: now.saturating_sub(self.heard),
            lost,
        };
        self.taken = (ticks, late_ticks);
        self.latest_tick = Micros::ZERO;
        self.most_placed = self.placed;
        health
    }
}
