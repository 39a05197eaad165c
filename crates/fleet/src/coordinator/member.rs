//! What the coordinator knows of one worker.

use crate::clock::{ClockAgreement, ClockExchange, OffsetEstimate, WorkerClock, WorkerTime};
use crate::protocol::{WorkerReport, WorkerState};
use rushhour_core::event::{WorkerHealth, WorkerLoss};
use rushhour_core::units::{Micros, SessionId, WorkerId};

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
    /// Whether its runs were given up, and it has not been told to forget them.
    pub(super) given_up: bool,
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
    /// Until when everything that its callers saw was taken in, on its clock.
    pub(super) heard_until: WorkerTime,
    /// The same once the update with a number is taken in: a beat may overtake the updates before it.
    pending: Option<(u64, WorkerTime)>,
    clock: WorkerClock,
    /// The end of the last measure of its clock, on that clock.
    measured: Option<WorkerTime>,
    /// The most runs since its health was last taken.
    most_placed: u32,
    latest_tick: Micros,
    /// Ticks and late ticks when its health was last taken.
    taken: (u64, u64),
}

impl Member {
    /// Why it takes no conversations, in words.
    pub(super) fn why_not_ready(&self) -> String {
        match (&self.refusal, &self.report.state) {
            (Some(refusal), _) => refusal.clone(),
            (None, WorkerState::Failed(why)) => why.to_string(),
            (None, state) => match &self.report.session {
                Some((session, _)) if self.standing == Standing::Heard => {
                    format!("it holds callers for another session, {session}")
                }
                _ => format!("it is {}", state.name()),
            },
        }
    }

    pub(super) fn new(report: WorkerReport, now: Micros) -> Self {
        // Of what it did before this session nothing is counted.
        let taken = (report.ticks, report.late_ticks);
        Self {
            report,
            heard: now,
            standing: Standing::Heard,
            given_up: false,
            refusal: None,
            stream: None,
            expected: 1,
            durable: 0,
            placed: 0,
            heard_until: WorkerTime::from_micros(0),
            pending: None,
            clock: WorkerClock::default(),
            measured: None,
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

    /// It said that its updates up to the last one are everything until a time. One such promise at a time: under load
    /// there is always an update under way.
    pub(super) fn promised(&mut self) {
        self.pending.get_or_insert((self.report.last_update, self.report.heard_until));
        self.taken_in();
    }

    /// Its updates are counted anew: what it said of others is over.
    pub(super) fn start_over(&mut self) {
        self.pending = None;
    }

    /// Updates were taken in: a promise may be kept now.
    pub(super) fn taken_in(&mut self) {
        if let Some((_, until)) = self.pending.take_if(|(last, _)| *last < self.expected) {
            self.heard_until = self.heard_until.max(until);
        }
    }

    /// It takes conversations of another session, and has forgotten those of this one.
    pub(super) fn has_left_for_another(&self, session: &SessionId) -> bool {
        self.report.session.as_ref().is_some_and(|(other, _)| other != session)
    }

    /// Whether it takes conversations.
    pub(super) fn is_ready(&self) -> bool {
        self.standing == Standing::Attached && self.report.state == WorkerState::Ready
    }

    pub(super) fn clock_measured(&mut self, exchange: ClockExchange) {
        match self.clock.take(exchange) {
            Ok(()) => self.measured = Some(exchange.answered),
            Err(error) => tracing::debug!(%error, "a measure of a worker's clock is of no use"),
        }
    }

    /// What is known of its clock at a time of its own.
    pub(super) fn clock_at(&self, at: WorkerTime) -> Option<OffsetEstimate> {
        self.clock.offset_at(at)
    }

    /// The same when it was last measured.
    pub(super) fn estimate(&self) -> Option<OffsetEstimate> {
        self.clock.offset_at(self.measured?)
    }

    pub(super) fn was_given_a_run(&mut self) {
        self.placed += 1;
        self.most_placed = self.most_placed.max(self.placed);
    }

    pub(super) fn take_health(&mut self, worker: WorkerId, now: Micros) -> WorkerHealth {
        let (ticks, late_ticks) = (self.report.ticks, self.report.late_ticks);
        let clock = self.estimate();
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
            clock_offset: clock.map(|clock| clock.offset.middle_us()),
            clock_within: clock.map(|clock| clock.offset.half_width()),
            clock_jumped: clock.is_some_and(|clock| clock.agreement == ClockAgreement::Jumped),
            round_trip: clock.map(|clock| clock.round_trip),
            silent: now.saturating_sub(self.heard),
            lost,
        };
        self.taken = (ticks, late_ticks);
        self.latest_tick = Micros::ZERO;
        self.most_placed = self.placed;
        health
    }
}
