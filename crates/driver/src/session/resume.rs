//! A session continued from the journal of a crashed process: its runs, and the rest of its plan.

use std::collections::BTreeSet;

use super::run_starts::HoldState;
use super::session::Session;
use super::stop::StopState;
use crate::replay::{ReplayError, ReplayedSession};
use crate::room_naming::RoomNaming;
use crate::run::{EvaluatorLifetime, ResumeContext, RunMachine};
use crate::settings::DriverSettings;
use rushhour_core::event::{EventKind, StopReason};
use rushhour_core::plan::ScheduleStep;
use rushhour_core::units::{RunIndex, SessionTime};

/// How a session is resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// The wall clock now, RFC 3339 in UTC.
    pub wall_clock: String,
    /// The length of the incomplete last line that was cut off the journal.
    pub truncated_bytes: u64,
    /// Whether the evaluator's runs outlived the crash.
    pub evaluator: EvaluatorLifetime,
    /// Runs whose conversation a worker still holds, or whose last updates it has.
    pub held: BTreeSet<RunIndex>,
    /// Whether to start no more runs.
    pub finish_only: bool,
}

impl Session {
    /// The session that a journal describes, continued at `now`, which must not be before the journal's last event.
    ///
    /// # Errors
    /// The journal has no header, or its runs are not those of the plan.
    pub fn resume(
        settings: DriverSettings,
        naming: RoomNaming,
        replayed: ReplayedSession,
        resumption: Resumption,
        now: SessionTime,
    ) -> Result<Self, ReplayError> {
        replayed.header()?;
        let schedule = replayed.remaining_schedule(now).ok_or(ReplayError::NoHeader)?;
        let mut session = Self::new(settings, schedule, naming);
        session.budget = replayed.budget().ok_or(ReplayError::NoHeader)?;
        session.redials = replayed.redials().ok_or(ReplayError::NoHeader)?;
        let crashed = replayed.last_event_time();
        let open = replayed.open_runs();
        let Resumption { wall_clock, truncated_bytes, evaluator, held, finish_only } = resumption;
        session.record(
            EventKind::Resumed {
                wall: wall_clock,
                torn: truncated_bytes,
                downtime: now.since(crashed),
                open: open.clone(),
            },
            now,
        );
        session.health_since = now;
        session.slot_free_since = now;
        session.submissions.set_next_request(replayed.next_request);
        session.in_flight = u32::try_from(open.len()).unwrap_or(u32::MAX);
        session.hold = session.resume_hold_stage(&replayed, &open, now);
        replayed.rooms_to_recheck.iter().for_each(|run| session.room_cleanup.insert(*run));
        let context = ResumeContext { evaluator, crashed, now, may_submit: !finish_only };
        for (index, replayed) in replayed.runs {
            let mut effects = Vec::new();
            let is_held = held.contains(&index);
            let evaluator = if is_held { EvaluatorLifetime::Held } else { evaluator };
            let context = ResumeContext { evaluator, ..context };
            let run = match &replayed.outcome {
                Some(outcome) => RunMachine::resume_cleanup(&replayed, outcome, &mut effects),
                None => RunMachine::resume(&replayed, context, &session.settings, &mut effects),
            };
            tracing::info!(run = index.0, from = "journal", to = run.state_name(), "run state");
            session.runs.insert(index, run);
            session.apply_effects(index, effects, now);
        }
        session.resume_stop(replayed.stopped, replayed.rest_recorded, finish_only, now);
        Ok(session)
    }

    /// The hold stage that the schedule is in, where runs of it have started: those in flight hold slots.
    fn resume_hold_stage(
        &mut self,
        replayed: &ReplayedSession,
        open: &[RunIndex],
        now: SessionTime,
    ) -> Option<HoldState> {
        let ScheduleStep::Hold(stage) = self.schedule.peek() else { return None };
        if self.schedule.is_exhausted() {
            // No run follows in the journal that shows whether it was over.
            self.redials.end_stage(stage.stage);
        }
        if replayed.last_stage != Some(stage.stage) {
            return None;
        }
        let free = (stage.in_flight as usize).saturating_sub(open.len());
        Some(HoldState::with_free_slots(free, stage, now))
    }

    fn resume_stop(
        &mut self,
        stopped: Option<StopReason>,
        rest_recorded: bool,
        finish_only: bool,
        now: SessionTime,
    ) {
        match stopped {
            None if finish_only && !self.has_started_all() => {
                let detail = "resumed with --finish-only: starts no more runs";
                self.stop_for(StopReason::Drain, detail.to_owned(), now);
                // Every run has a deadline of its own.
                self.stop_state = StopState::Draining { until: SessionTime::NEVER };
            }
            None => {}
            Some(reason) => {
                if !rest_recorded {
                    self.record_rest_not_started(now);
                }
                let until = if reason == StopReason::Now { now } else { now + self.settings.drain };
                self.stop_state = StopState::Draining { until };
            }
        }
    }
}
