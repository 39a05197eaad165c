//! Letting runs in: when their time has come and a place in flight is free.

use super::session::Session;
use crate::run::RunMachine;
use crate::settings::OnBudgetReached;
use rushhour_core::event::EventKind;
use rushhour_core::plan::{HoldStage, PlannedRun, ScheduleStep};
use rushhour_core::profile::WhenFull;
use rushhour_core::units::SessionTime;

/// A hold stage the walk is in: places that are free, and since when.
pub(super) struct HoldState {
    stage: HoldStage,
    free: std::collections::VecDeque<SessionTime>,
}

impl HoldState {
    /// A stage that begins: runs of earlier stages that are under way keep their places, the others open
    /// one after the other.
    fn begin(stage: HoldStage, in_flight: u32) -> Self {
        let mut opens = stage.from;
        let mut free = std::collections::VecDeque::new();
        for _ in in_flight..stage.in_flight {
            free.push_back(opens);
            opens += stage.opens_every;
        }
        Self { stage, free }
    }

    /// A stage that was begun before, so many of its places being free from now on.
    pub(super) fn with_free_places(free: usize, stage: HoldStage, now: SessionTime) -> Self {
        Self { stage, free: std::iter::repeat_n(now, free).collect() }
    }

    /// A run has ended, and so many are still in flight: its place is free, unless there are more than are wanted.
    fn freed(&mut self, in_flight: u32, now: SessionTime) {
        if in_flight as usize + self.free.len() < self.stage.in_flight as usize {
            let later = self.free.partition_point(|opens| *opens <= now);
            self.free.insert(later, now);
        }
    }
}

impl Session {
    pub(super) fn next_start(&mut self) -> SessionTime {
        if self.stopping.is_stopping() {
            return SessionTime::NEVER;
        }
        let full = self.in_flight >= self.settings.in_flight;
        match self.walk.peek() {
            ScheduleStep::Start(_) if full && self.settings.when_full == WhenFull::Wait => {
                SessionTime::NEVER
            }
            ScheduleStep::Start(run) => run.intended,
            ScheduleStep::Hold(stage) => match &self.hold {
                None => stage.from,
                Some(hold) if hold.free.is_empty() || full => stage.until,
                Some(hold) => hold.free.front().copied().unwrap_or(stage.until).max(stage.from),
            },
            ScheduleStep::End => SessionTime::NEVER,
        }
    }

    pub(super) fn start_what_is_due(&mut self, now: SessionTime) {
        while self.next_start() <= now {
            match self.walk.peek() {
                ScheduleStep::Start(run) => {
                    let full = self.in_flight >= self.settings.in_flight;
                    if !full && self.stops_at_cap(now) {
                        break;
                    }
                    self.walk.consume();
                    if full {
                        self.skip(run, now);
                    } else {
                        self.start(run, self.free_since.max(run.intended), now);
                    }
                }
                ScheduleStep::Hold(stage) => self.hold_step(stage, now),
                ScheduleStep::End => break,
            }
        }
    }

    fn hold_step(&mut self, stage: HoldStage, now: SessionTime) {
        let in_flight = self.in_flight;
        let hold = self.hold.get_or_insert_with(|| HoldState::begin(stage, in_flight));
        if now >= stage.until {
            self.hold = None;
            self.walk.leave_hold(now);
            return;
        }
        if hold.free.is_empty() || (!self.walk.is_exhausted() && self.keeps_to_cap(now)) {
            return;
        }
        // A place that came free is what the next run is meant to start at: that is its intended start.
        let hold = self.hold.as_mut();
        let Some(intended) = hold.and_then(|hold| hold.free.pop_front()) else { return };
        if let Some(run) = self.walk.next(intended) {
            self.start(run, self.free_since.max(intended), now);
        } else {
            self.hold = None;
            self.walk.leave_hold(now);
        }
    }

    /// Whether no run may start in the place that is free; it is given up, or the session ends.
    fn keeps_to_cap(&mut self, now: SessionTime) -> bool {
        let may_wait = self.settings.at_cap == OnBudgetReached::Narrow && self.in_flight > 0;
        if may_wait && self.purse.refusal().is_some() {
            if let Some(hold) = &mut self.hold {
                hold.free.pop_front();
            }
            return true;
        }
        self.stops_at_cap(now)
    }

    fn start(&mut self, planned: PlannedRun, free: SessionTime, now: SessionTime) {
        self.record(
            EventKind::RunStarted {
                run: planned.index,
                stage: planned.stage,
                scenario: planned.scenario,
                copy: planned.copy,
                mode: planned.mode,
                pair: planned.pair,
                intended: planned.intended,
                free,
                room: self.names.room(planned.index),
            },
            now,
        );
        self.in_flight += 1;
        let mut todo = Vec::new();
        let run = RunMachine::start(planned, &self.settings, &mut todo);
        self.runs.insert(planned.index, run);
        self.carry_out(planned.index, todo, now);
    }

    fn skip(&mut self, run: PlannedRun, now: SessionTime) {
        let PlannedRun { index, stage, scenario, copy, mode, pair, intended } = run;
        self.record(
            EventKind::RunSkipped { run: index, stage, scenario, copy, mode, pair, intended },
            now,
        );
    }

    pub(super) fn place_freed(&mut self, now: SessionTime) {
        if self.in_flight == self.settings.in_flight {
            self.free_since = now;
        }
        self.in_flight -= 1;
        if let Some(hold) = &mut self.hold {
            hold.freed(self.in_flight, now);
        }
    }
}
