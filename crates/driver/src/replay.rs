//! What a journal says of a session whose process died: where each run stood, and how far the plan had got.

use std::collections::{BTreeMap, BTreeSet};

use rushhour_core::bill::{Budget, BudgetLimits};
use rushhour_core::event::{
    Event, EventKind, FailureClass, Outcome, RunPhase, SessionHeader, StopReason,
};
use rushhour_core::plan::{Plan, PlannedRun, Schedule, ScheduleStep};
use rushhour_core::units::{EvaluatorRunId, Micros, RoomName, RunIndex, SessionTime};

/// Why a session cannot be taken up again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The journal holds no beginning.
    #[error("the journal does not begin with a session")]
    NotOpened,
    /// The plan, walked anew, does not lead where the journal says it led.
    #[error(
        "run {0} of the journal is not the plan's: it was made by another version of Rushhour; use that one"
    )]
    OtherPlan(RunIndex),
}

/// What was sent for a run, as far as the journal says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ReplayedSubmission {
    /// Nothing was sent to the evaluator.
    NotSent,
    /// It was about to be sent then; whether it was accepted is not known.
    Unknown,
    /// It was accepted.
    Accepted {
        /// Its name at the evaluator.
        evaluator_run: EvaluatorRunId,
        /// When it was answered.
        answered: SessionTime,
    },
}

/// A run that was under way, or whose room may still be there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReplayedRun {
    pub(super) planned: PlannedRun,
    /// When the answered request was sent that made its room.
    pub(super) room_made: Option<SessionTime>,
    /// When the answered request was sent that dispatched its agent.
    pub(super) dispatched: Option<SessionTime>,
    pub(super) agent_seen: bool,
    pub(super) caller_seen: bool,
    pub(super) submission: ReplayedSubmission,
    pub(super) seen: Option<RunPhase>,
    pub(super) running_since: Option<SessionTime>,
    /// The last moment at which it is known not to have ended.
    pub(super) last_look: SessionTime,
    /// How it ended, where its room was not seen to go.
    pub(super) ended: Option<Outcome>,
}

/// How a session began, and how far it had got with its plan and its money.
#[derive(Debug)]
struct ReplayedHeader {
    opening: Box<SessionHeader>,
    walk: Schedule,
    purse: Budget,
}

/// A session whose process died, read event by event from its journal.
#[derive(Debug, Default)]
pub struct ReplayedSession {
    begun: Option<ReplayedHeader>,
    last: SessionTime,
    closed: bool,
    first_room: Option<(RoomName, RunIndex)>,
    other_plan: Option<RunIndex>,
    pub(super) runs: BTreeMap<RunIndex, ReplayedRun>,
    /// Runs for which a late request, or a late evaluator, may make the room anew.
    pub(super) revisits: BTreeSet<RunIndex>,
    pub(super) next_request: u64,
    /// The stage of the last run that was let in.
    pub(super) last_stage: Option<u32>,
    /// How long nobody watched, in all deaths before this one.
    unwatched: Micros,
    pub(super) stopped: Option<StopReason>,
    pub(super) rest_told: bool,
}

impl ReplayedSession {
    /// Takes in the next event of the journal.
    pub fn add(&mut self, event: &Event) {
        self.last = self.last.max(event.at);
        if let Some(begun) = &mut self.begun {
            begun.purse.apply(&event.kind, event.at);
        }
        match &event.kind {
            EventKind::Opened(opening) => {
                self.begun.get_or_insert_with(|| ReplayedHeader {
                    opening: opening.clone(),
                    walk: Plan::new(opening.profile.clone()).schedule(),
                    purse: Budget::new(BudgetLimits::new(&opening.profile)),
                });
            }
            EventKind::RunStarted {
                run,
                stage,
                scenario,
                copy,
                mode,
                pair,
                intended,
                room,
                ..
            } => {
                let planned = PlannedRun {
                    index: *run,
                    stage: *stage,
                    scenario: *scenario,
                    copy: *copy,
                    mode: *mode,
                    pair: *pair,
                    intended: *intended,
                };
                self.walked(planned);
                self.last_stage = Some(*stage);
                self.first_room.get_or_insert_with(|| (room.clone(), *run));
                self.runs.insert(*run, ReplayedRun::started(planned));
            }
            EventKind::RunSkipped { run, stage, scenario, copy, mode, pair, intended } => {
                let (index, mode, pair, intended) = (*run, *mode, *pair, *intended);
                let (stage, scenario, copy) = (*stage, *scenario, *copy);
                self.walked(PlannedRun { index, stage, scenario, copy, mode, pair, intended });
            }
            EventKind::SubmitIntent { request, runs } => {
                self.next_request = self.next_request.max(request + 1);
                for run in runs {
                    self.of(*run, |run| run.submission = ReplayedSubmission::Unknown);
                }
            }
            EventKind::Submitted { sent, answered, accepted: entered, .. } => {
                for entry in entered {
                    let evaluator_run = entry.evaluator_run.clone();
                    self.of(entry.run, |run| {
                        run.submission =
                            ReplayedSubmission::Accepted { evaluator_run, answered: *answered };
                        run.last_look = *sent;
                    });
                }
            }
            EventKind::RoomCreated { run, sent, .. } => {
                self.of(*run, |run| run.room_made = Some(*sent));
            }
            EventKind::Dispatched { run, sent, .. } => {
                self.of(*run, |run| run.dispatched = Some(*sent));
            }
            EventKind::AgentSeen { run, .. } => self.of(*run, |run| run.agent_seen = true),
            EventKind::EvaluatorSeen { run, .. } => self.of(*run, |run| run.caller_seen = true),
            EventKind::PhaseSeen { run, phase: sighting, after, seen, .. } => {
                self.of(*run, |run| {
                    run.seen = Some(*sighting);
                    run.last_look = *after;
                    if *sighting == RunPhase::Running {
                        run.running_since = Some(*seen);
                    }
                });
            }
            EventKind::Ended { run, outcome, .. } => {
                if outcome.class().is_some_and(may_leave_a_request_behind) {
                    self.revisits.insert(*run);
                }
                self.of(*run, |run| run.ended = Some(outcome.clone()));
            }
            EventKind::RoomDeleted { run } | EventKind::RoomNotDeleted { run, .. } => {
                if self.runs.get(run).is_some_and(|run| run.ended.is_some()) {
                    self.runs.remove(run);
                }
            }
            EventKind::Stopping { reason, .. } => self.stopped = Some(*reason),
            EventKind::RestNotStarted { .. } => self.rest_told = true,
            EventKind::Resumed { downtime, .. } => self.unwatched = self.unwatched + *downtime,
            EventKind::Closed => self.closed = true,
            EventKind::SubmitRetry { .. }
            | EventKind::AgentReady { .. }
            | EventKind::Greeted { .. }
            | EventKind::Turn { .. }
            | EventKind::ModelUsage { .. }
            | EventKind::AudioSent { .. }
            | EventKind::Health(_)
            | EventKind::AgentHealth(_)
            | EventKind::RoomsListed { .. } => {}
        }
    }

    /// Whether the session came to its end.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The last event's time: its process lived until then at least.
    pub const fn last(&self) -> SessionTime {
        self.last
    }

    /// How the session began.
    ///
    /// # Errors
    /// Where the journal holds no beginning, or its runs are not those of its plan.
    pub fn opening(&self) -> Result<&SessionHeader, ReplayError> {
        if let Some(run) = self.other_plan {
            return Err(ReplayError::OtherPlan(run));
        }
        self.begun.as_ref().map(|begun| &*begun.opening).ok_or(ReplayError::NotOpened)
    }

    /// A room's name and its run, where any run was let in: they tell how rooms are named.
    pub fn any_room(&self) -> Option<(&RoomName, RunIndex)> {
        self.first_room.as_ref().map(|(room, run)| (room, *run))
    }

    /// How many runs of the plan are behind: let in, or skipped.
    pub fn drawn(&self) -> u64 {
        self.begun.as_ref().map_or(0, |begun| begun.walk.runs_taken())
    }

    /// Whether something was to end it before its plan did: nothing more is started then.
    pub const fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// What was spent, and what is held back for the runs that were under way, each at its worst.
    pub(super) fn purse(&self) -> Option<Budget> {
        self.begun.as_ref().map(|begun| begun.purse.clone())
    }

    /// Runs without an outcome.
    pub(super) fn open(&self) -> Vec<RunIndex> {
        let open = self.runs.iter().filter(|(_, run)| run.ended.is_none());
        open.map(|(index, _)| *index).collect()
    }

    /// What is still to come of the plan, so much later than planned as nobody watched until `now`.
    pub(super) fn rest_of_the_plan(&self, now: SessionTime) -> Option<Schedule> {
        let mut walk = self.begun.as_ref()?.walk.clone();
        walk.shift(self.unwatched + now.since(self.last));
        Some(walk)
    }

    fn of(&mut self, run: RunIndex, change: impl FnOnce(&mut ReplayedRun)) {
        if let Some(run) = self.runs.get_mut(&run) {
            change(run);
        }
    }

    /// Goes along the plan to a run of the journal.
    fn walked(&mut self, run: PlannedRun) {
        let Some(ReplayedHeader { walk, .. }) = &mut self.begun else { return };
        let planned = loop {
            match walk.peek() {
                ScheduleStep::Start(planned) => {
                    walk.consume();
                    break Some(planned);
                }
                ScheduleStep::Hold(hold) if hold.stage == run.stage => {
                    break walk.next(run.intended);
                }
                ScheduleStep::Hold(hold) => walk.leave_hold(hold.until),
                ScheduleStep::End => break None,
            }
        };
        let place =
            |run: PlannedRun| (run.index, run.stage, run.scenario, run.copy, run.mode, run.pair);
        if planned.map(place) != Some(place(run)) {
            self.other_plan.get_or_insert(run.index);
        }
    }
}

/// Whether a request of a run that ended so may have been under way still, or held up by the server.
const fn may_leave_a_request_behind(class: FailureClass) -> bool {
    matches!(
        class,
        FailureClass::SubmitUnknown
            | FailureClass::RoomFailed
            | FailureClass::DispatchFailed
            | FailureClass::GeneratorFault
    )
}

impl ReplayedRun {
    fn started(planned: PlannedRun) -> Self {
        Self {
            planned,
            room_made: None,
            dispatched: None,
            agent_seen: false,
            caller_seen: false,
            submission: ReplayedSubmission::NotSent,
            seen: None,
            running_since: None,
            last_look: SessionTime::START,
            ended: None,
        }
    }
}
