//! What the coordinator knows of one worker.

use crate::clock::{ClockAgreement, OffsetEstimate, WorkerClock};
use crate::placement::{WindowVerdict, WorkerCapacity};
use crate::protocol::{WorkerReport, WorkerState};
use rushhour_core::event::{WorkerHealth, WorkerLoss};
use rushhour_core::units::{Micros, SessionTime, WorkerId};

/// For how long the ticks of a worker are judged at a time.
const WINDOW: Micros = Micros::from_secs(10);
/// The share of late ticks above which a window is bad, in percent: that of a session's validity.
const MOST_LATE_PERCENT: u64 = 5;
/// How long it takes at least to fill a worker: joining is what costs a caller most.
const FILLED_WITHIN_SECONDS: u32 = 5;
/// Joins per second that every worker is given.
const LEAST_JOINS_PER_SECOND: u32 = 10;

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
    pub(super) clock: WorkerClock,
    /// The most runs since its health was last taken.
    most_placed: u32,
    latest_tick: Micros,
    /// Ticks and late ticks when its health was last taken.
    taken: (u64, u64),
    /// When its ticks were last judged, and how many ticks and late ticks it had by then.
    judged: (Micros, u64, u64),
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
            clock: WorkerClock::default(),
            most_placed: 0,
            latest_tick: Micros::ZERO,
            taken,
            judged: (now, taken.0, taken.1),
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

    /// How far its clock is from the coordinator's now.
    pub(super) fn clock_now(&self, now: Micros) -> Option<OffsetEstimate> {
        self.clock.offset_now(SessionTime(now.0))
    }

    /// Whether it kept its ticks since it was last judged; `None` where that is too short a while ago.
    pub(super) fn judge(&mut self, now: Micros) -> Option<WindowVerdict> {
        let (since, ticks, late) = self.judged;
        if now.saturating_sub(since) < WINDOW {
            return None;
        }
        self.judged = (now, self.report.ticks, self.report.late_ticks);
        let ticks = self.report.ticks.saturating_sub(ticks);
        let late = self.report.late_ticks.saturating_sub(late);
        let is_bad = late.saturating_mul(100) > ticks.saturating_mul(MOST_LATE_PERCENT);
        Some(if is_bad { WindowVerdict::Bad } else { WindowVerdict::Good })
    }

    /// What it can take.
    pub(super) fn capacity(&self) -> WorkerCapacity {
        let conversations = self.report.capacity;
        let joins = (conversations / FILLED_WITHIN_SECONDS).max(LEAST_JOINS_PER_SECOND);
        WorkerCapacity { conversations, join_gap: Micros(1_000_000 / u64::from(joins)) }
    }

    pub(super) fn was_given_a_run(&mut self) {
        self.placed += 1;
        self.most_placed = self.most_placed.max(self.placed);
    }

    pub(super) fn take_health(&mut self, worker: WorkerId, now: Micros) -> WorkerHealth {
        let (ticks, late_ticks) = (self.report.ticks, self.report.late_ticks);
        let clock = self.clock_now(now);
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
            clock_offset: clock.map(|known| known.offset.middle_us()),
            clock_within: clock.map(|known| known.offset.half_width()),
            clock_jumped: clock.is_some_and(|known| known.agreement == ClockAgreement::Jumped),
            round_trip: clock.map(|known| known.round_trip),
            silent: now.saturating_sub(self.heard),
            lost,
        };
        self.taken = (ticks, late_ticks);
        self.latest_tick = Micros::ZERO;
        self.most_placed = self.placed;
        health
    }
}
