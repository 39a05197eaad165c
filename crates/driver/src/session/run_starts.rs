//! Starting runs when the plan says so and a slot is free.

use std::collections::VecDeque;

use super::session::Session;
use crate::run::RunMachine;
use crate::settings::OnBudgetReached;
use rushhour_core::plan::{HoldStage, PlannedRun, ScheduleStep};
use rushhour_core::profile::WhenFull;
use rushhour_core::units::SessionTime;

/// The current hold stage, and its free slots.
pub(super) struct HoldState {
    stage: HoldStage,
    /// When each free slot opens, in order.
    free_slots: VecDeque<SessionTime>,
}

impl HoldState {
    /// A stage at its beginning: runs of earlier stages that are in flight keep their slots, the others open one
    /// after the other.
    fn begin(stage: HoldStage, in_flight: u32) -> Self {
        let mut opens = stage.from;
        let mut free_slots = VecDeque::new();
        for _ in in_flight..stage.in_flight {
            free_slots.push_back(opens);
            opens += stage.opens_every;
        }
        Self { stage, free_slots }
    }

    /// A stage that has begun, with so many slots free from now on.
    pub(super) fn with_free_slots(free: usize, stage: HoldStage, now: SessionTime) -> Self {
        Self { stage, free_slots: std::iter::repeat_n(now, free).collect() }
    }

    /// A run has ended: its slot is free, unless more runs are in flight than the stage holds.
    fn free_slot(&mut self, in_flight: u32, now: SessionTime) {
        if in_flight as usize + self.free_slots.len() < self.stage.in_flight as usize {
            let later = self.free_slots.partition_point(|opens| *opens <= now);
            self.free_slots.insert(later, now);
        }
    }
}

impl Session {
    /// When the next run may start.
    pub(super) fn next_start(&mut self) -> SessionTime {
        if self.stop_state.is_stopping() {
            return SessionTime::NEVER;
        }
        self.next_planned_start().min(self.next_redial())
    }

    /// When the next run of the plan may start, or the stage that holds runs in flight ends.
    fn next_planned_start(&mut self) -> SessionTime {
        let full = self.in_flight >= self.settings.in_flight;
        match self.schedule.peek() {
            ScheduleStep::Start(_) if full && self.settings.when_full == WhenFull::Wait => {
                SessionTime::NEVER
            }
            ScheduleStep::Start(run) => run.intended,
            ScheduleStep::Hold(stage) => match &self.hold {
                None => stage.from,
                Some(hold) if full || hold.free_slots.is_empty() => stage.until,
                Some(hold) => {
                    hold.free_slots.front().copied().unwrap_or(stage.until).max(stage.from)
                }
            },
            ScheduleStep::End => SessionTime::NEVER,
        }
    }

    /// When the next caller may call again. While a stage holds runs in flight, that takes one of its slots.
    fn next_redial(&self) -> SessionTime {
        let due = self.redials.next_due();
        let full = self.in_flight >= self.settings.in_flight;
        let Some(hold) = &self.hold else {
            let waits = full && self.settings.when_full == WhenFull::Wait;
            return if waits { SessionTime::NEVER } else { due };
        };
        let slot = hold.free_slots.front().filter(|_| !full);
        let at = slot.map_or(SessionTime::NEVER, |opens| due.max(*opens));
        if at < hold.stage.until { at } else { SessionTime::NEVER }
    }

    /// Starts the call of the caller that calls again next.
    fn start_redial(&mut self, now: SessionTime) {
        let Some(mut run) = self.redials.peek() else { return };
        if self.in_flight >= self.settings.in_flight {
            self.skip(run, now);
            return;
        }
        let refused = match self.hold {
            Some(_) => self.hold_waits_for_budget(now),
            None => self.stop_at_budget(now),
        };
        if refused {
            return;
        }
        let slot = self.hold.as_mut().and_then(|hold| hold.free_slots.pop_front());
        run.intended = run.intended.max(slot.unwrap_or(run.intended));
        self.start(run, self.slot_free_since.max(run.intended), now);
    }

    pub(super) fn start_due_runs(&mut self, now: SessionTime) {
        while self.next_start() <= now {
            let redial = self.next_redial();
            if redial != SessionTime::NEVER && redial <= self.next_planned_start() {
                self.start_redial(now);
                continue;
            }
            match self.schedule.peek() {
                ScheduleStep::Start(run) => {
                    let full = self.in_flight >= self.settings.in_flight;
                    if !full && self.stop_at_budget(now) {
                        break;
                    }
                    self.schedule.consume();
                    if full {
                        self.skip(run, now);
                    } else {
                        self.start(run, self.slot_free_since.max(run.intended), now);
                    }
                }
                ScheduleStep::Hold(stage) => self.advance_hold_stage(stage, now),
                ScheduleStep::End => break,
            }
        }
    }

    fn advance_hold_stage(&mut self, stage: HoldStage, now: SessionTime) {
        let in_flight = self.in_flight;
        let hold = self.hold.get_or_insert_with(|| HoldState::begin(stage, in_flight));
        if now >= stage.until {
            self.end_hold_stage(stage, now);
            return;
        }
        if hold.free_slots.is_empty()
            || (!self.schedule.is_exhausted() && self.hold_waits_for_budget(now))
        {
            return;
        }
        // The intended start of a run in a hold stage is the moment at which its slot became free.
        let hold = self.hold.as_mut();
        let Some(intended) = hold.and_then(|hold| hold.free_slots.pop_front()) else { return };
        if let Some(run) = self.schedule.next(intended) {
            self.start(run, self.slot_free_since.max(intended), now);
        } else {
            self.end_hold_stage(stage, now);
        }
    }

    /// Its time is over, or its copies are used up.
    fn end_hold_stage(&mut self, stage: HoldStage, now: SessionTime) {
        self.hold = None;
        self.schedule.leave_hold(now);
        self.redials.end_stage(stage.stage);
    }

    /// Whether the budget lets no run start in the free slot: then the slot is given up, or the session stops.
    fn hold_waits_for_budget(&mut self, now: SessionTime) -> bool {
        let may_wait =
            self.settings.on_budget_reached == OnBudgetReached::GiveUpSlot && self.in_flight > 0;
        if may_wait && self.budget.refusal().is_some() {
            if let Some(hold) = &mut self.hold {
                hold.free_slots.pop_front();
            }
            return true;
        }
        self.stop_at_budget(now)
    }

    fn start(&mut self, planned: PlannedRun, free: SessionTime, now: SessionTime) {
        let index = planned.index;
        self.record(planned.started(free, self.naming.room_name(index)), now);
        self.in_flight += 1;
        let mut effects = Vec::new();
        let run = RunMachine::start(planned, &self.settings, &mut effects);
        tracing::info!(run = index.0, from = "planned", to = run.state_name(), "run state");
        self.runs.insert(index, run);
        self.apply_effects(index, effects, now);
    }

    fn skip(&mut self, planned: PlannedRun, now: SessionTime) {
        tracing::info!(run = planned.index.0, from = "planned", to = "skipped", "run state");
        self.record(planned.skipped(), now);
    }

    /// A run has ended, and its slot is free.
    pub(super) fn free_slot(&mut self, now: SessionTime) {
        if self.in_flight == self.settings.in_flight {
            self.slot_free_since = now;
        }
        self.in_flight -= 1;
        if let Some(hold) = &mut self.hold {
            hold.free_slot(self.in_flight, now);
        }
    }
}
