//! A session taken up again after its process died: its runs as the journal left them, the rest of its plan.

use super::session::Session;
use super::starting::HoldState;
use super::stopping::StopState;
use crate::replay::{ReplayError, ReplayedSession};
use crate::room_names::RoomNames;
use crate::run::{AfterCrash, EvaluatorFate, RunMachine};
use crate::settings::DriverSettings;
use rushhour_core::event::{EventKind, StopReason};
use rushhour_core::plan::ScheduleStep;
use rushhour_core::units::{RunIndex, SessionTime};

/// How a session is taken up again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// The wall clock, RFC 3339 in UTC.
    pub wall: String,
    /// Bytes of half a line that were cut off the journal.
    pub torn: u64,
    /// What became of the evaluator.
    pub fate: EvaluatorFate,
    /// Whether nothing more is to be started.
    pub finish_only: bool,
}

impl Session {
    /// A session as its journal left it, taken up at `now`, which must not be before the journal's last event.
    ///
    /// # Errors
    /// Where the journal is not one of a session of this plan.
    pub fn resumed(
        settings: DriverSettings,
        names: RoomNames,
        carried: ReplayedSession,
        how: Resumption,
        now: SessionTime,
    ) -> Result<Self, ReplayError> {
        carried.opening()?;
        let walk = carried.rest_of_the_plan(now).ok_or(ReplayError::NotOpened)?;
        let mut session = Self::new(settings, walk, names);
        session.purse = carried.purse().ok_or(ReplayError::NotOpened)?;
        let died = carried.last();
        let open = carried.open();
        let Resumption { wall, torn, fate, finish_only } = how;
        let after = AfterCrash { fate, died, now, may_submit: !finish_only };
        let unwatched = now.since(died);
        session.record(
            EventKind::Resumed { wall, torn, downtime: unwatched, open: open.clone() },
            now,
        );
        session.health_since = now;
        session.free_since = now;
        session.outgoing.go_on_from(carried.next_request);
        session.in_flight = u32::try_from(open.len()).unwrap_or(u32::MAX);
        session.hold = session.hold_that_was_begun(&carried, &open, now);
        carried.revisits.iter().for_each(|run| session.revisits.insert(*run));
        for (index, run) in carried.runs {
            let mut todo = Vec::new();
            let run = match &run.ended {
                Some(outcome) => RunMachine::clear_up(&run, outcome, &mut todo),
                None => RunMachine::resume(&run, after, &session.settings, &mut todo),
            };
            session.runs.insert(index, run);
            session.carry_out(index, todo, now);
        }
        session.go_on_stopping(carried.stopped, carried.rest_told, finish_only, now);
        Ok(session)
    }

    /// The hold stage the plan is in, where runs of it were let in: those that are under way hold a place.
    fn hold_that_was_begun(
        &mut self,
        carried: &ReplayedSession,
        open: &[RunIndex],
        now: SessionTime,
    ) -> Option<HoldState> {
        let ScheduleStep::Hold(stage) = self.walk.peek() else { return None };
        if carried.last_stage != Some(stage.stage) {
            return None;
        }
        let free = (stage.in_flight as usize).saturating_sub(open.len());
        Some(HoldState::with_free_places(free, stage, now))
    }

    fn go_on_stopping(
        &mut self,
        stopped: Option<StopReason>,
        rest_told: bool,
        finish_only: bool,
        now: SessionTime,
    ) {
        match stopped {
            None if finish_only && !matches!(self.walk.peek(), ScheduleStep::End) => {
                let words = "taken up again to finish the runs under way: nothing more is started";
                self.stop_for(StopReason::Drain, words.to_owned(), now);
                // Every run has a deadline of its own.
                self.stopping = StopState::Draining { until: SessionTime::NEVER };
            }
            None => {}
            Some(reason) => {
                if !rest_told {
                    self.tell_the_rest(now);
                }
                let until = if reason == StopReason::Now { now } else { now + self.settings.drain };
                self.stopping = StopState::Draining { until };
            }
        }
    }
}
