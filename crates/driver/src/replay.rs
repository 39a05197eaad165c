//! Reading the journal of a crashed process: where each run stood, and how far the plan had got.

use std::collections::{BTreeMap, BTreeSet};

use rushhour_core::bill::{Budget, BudgetLimits};
use rushhour_core::event::{
    Event, EventKind, FailureClass, Outcome, RunPhase, SessionHeader, StopReason,
};
use rushhour_core::plan::{Plan, PlannedRun, Redials, Schedule, ScheduleStep};
use rushhour_core::units::{EvaluatorRunId, Micros, RoomName, RunIndex, SessionTime};

/// Why a session cannot be resumed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The journal has no header.
    #[error("the journal does not begin with a session")]
    NoHeader,
    /// The plan that the profile gives has other runs than the journal.
    #[error(
        "run {0} of the journal is not the plan's: another version of Rushhour wrote it; resume with that version"
    )]
    PlanMismatch(RunIndex),
    /// A submission has a number that no session reaches, so that none could follow.
    #[error("submission {0} of the journal is none that a session makes: the journal was changed")]
    ImpossibleSubmission(u64),
}

/// Submissions are counted from 0, and no session makes as many.
const MAX_REQUEST: u64 = 1 << 48;

/// What the journal says of a run's submission.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ReplayedSubmission {
    NotSent,
    /// It may have been sent; whether it was accepted is unknown.
    Unknown,
    Accepted {
        evaluator_run: EvaluatorRunId,
        answered: SessionTime,
    },
}

/// A run without an outcome, or whose room may still exist.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReplayedRun {
    pub(super) planned: PlannedRun,
    /// When the successful request to create its room was sent.
    pub(super) room_created: Option<SessionTime>,
    /// When the successful request to dispatch its agent was sent.
    pub(super) dispatched: Option<SessionTime>,
    pub(super) agent_seen: bool,
    pub(super) caller_seen: bool,
    pub(super) submission: ReplayedSubmission,
    pub(super) phase: Option<RunPhase>,
    pub(super) running_since: Option<SessionTime>,
    /// How many updates of its caller have an event.
    pub(super) updates: u32,
    /// Whether the audio that its caller sent is recorded, which comes just before its end.
    pub(super) audio_recorded: bool,
    /// The last time at which the run is known not to have ended.
    pub(super) last_seen_open: SessionTime,
    /// Its outcome, where the deletion of its room was not recorded.
    pub(super) outcome: Option<Outcome>,
}

/// What the header gives, advanced by the events after it.
#[derive(Debug)]
struct ReplayedHeader {
    header: Box<SessionHeader>,
    schedule: Schedule,
    budget: Budget,
    redials: Redials,
}

/// The state of a session whose process crashed, built event by event from its journal.
#[derive(Debug, Default)]
pub struct ReplayedSession {
    replayed_header: Option<ReplayedHeader>,
    last_event: SessionTime,
    closed: bool,
    first_room: Option<(RoomName, RunIndex)>,
    mismatched_run: Option<RunIndex>,
    impossible_request: Option<u64>,
    pub(super) runs: BTreeMap<RunIndex, ReplayedRun>,
    /// Runs whose room a late request, or a late evaluator, may create again.
    pub(super) rooms_to_recheck: BTreeSet<RunIndex>,
    pub(super) next_request: u64,
    /// The stage of the last run of the plan that started.
    pub(super) last_stage: Option<u32>,
    /// How often the session was resumed.
    resumptions: u32,
    /// The time from each earlier crash to its resumption, in total.
    downtime: Micros,
    pub(super) stopped: Option<StopReason>,
    /// Whether the runs that will not start are recorded.
    pub(super) rest_recorded: bool,
}

impl ReplayedSession {
    /// Takes in the next event of the journal.
    pub fn add(&mut self, event: &Event) {
        self.last_event = self.last_event.max(event.at);
        let planned = self.advance(event);
        match &event.kind {
            EventKind::Opened(header) => {
                self.replayed_header.get_or_insert_with(|| ReplayedHeader {
                    header: header.clone(),
                    schedule: Plan::new(header.profile.clone()).schedule(),
                    budget: Budget::new(BudgetLimits::new(&header.profile)),
                    redials: Redials::new(&header.profile),
                });
            }
            EventKind::RunStarted { run, stage, room, redial_of, .. } => {
                if redial_of.is_none() {
                    self.last_stage = Some(*stage);
                }
                self.first_room.get_or_insert_with(|| (room.clone(), *run));
                self.runs.extend(planned.map(|planned| (*run, ReplayedRun::started(planned))));
            }
            EventKind::SubmitIntent { request, runs } => {
                if *request < MAX_REQUEST {
                    self.next_request = self.next_request.max(request + 1);
                } else {
                    self.impossible_request.get_or_insert(*request);
                }
                for run in runs {
                    self.update(*run, |run| run.submission = ReplayedSubmission::Unknown);
                }
            }
            EventKind::Submitted { sent, answered, accepted, .. } => {
                for entry in accepted {
                    let evaluator_run = entry.evaluator_run.clone();
                    self.update(entry.run, |run| {
                        run.submission =
                            ReplayedSubmission::Accepted { evaluator_run, answered: *answered };
                        run.last_seen_open = *sent;
                    });
                }
            }
            EventKind::RoomCreated { run, sent, .. } => {
                self.update(*run, |run| run.room_created = Some(*sent));
            }
            EventKind::Dispatched { run, sent, .. } => {
                self.update(*run, |run| run.dispatched = Some(*sent));
            }
            EventKind::AgentSeen { run, .. } => self.update(*run, |run| {
                run.agent_seen = true;
                run.updates += 1;
            }),
            EventKind::EvaluatorSeen { run, .. } => self.update(*run, |run| run.caller_seen = true),
            EventKind::PhaseSeen { run, phase, after, seen, .. } => {
                self.update(*run, |run| {
                    run.updates += 1;
                    run.phase = Some(*phase);
                    run.last_seen_open = *after;
                    if *phase == RunPhase::Running {
                        run.running_since = Some(*seen);
                    }
                });
            }
            EventKind::AgentReady { run, .. }
            | EventKind::Greeted { run, .. }
            | EventKind::MediaPath { run, .. }
            | EventKind::Turn { run, .. }
            | EventKind::Reconnected { run, .. }
            | EventKind::ModelUsage { run, .. }
            | EventKind::RpcCalls { run, .. }
            | EventKind::Conversation { run, .. } => self.update(*run, |run| run.updates += 1),
            EventKind::AudioSent { run, .. } => {
                self.update(*run, |run| run.audio_recorded = true);
            }
            EventKind::Ended { run, outcome, .. } => {
                if outcome.class().is_some_and(may_have_request_under_way) {
                    self.rooms_to_recheck.insert(*run);
                }
                self.update(*run, |run| run.outcome = Some(outcome.clone()));
            }
            EventKind::RoomDeleted { run } | EventKind::RoomNotDeleted { run, .. } => {
                if self.runs.get(run).is_some_and(|run| run.outcome.is_some()) {
                    self.runs.remove(run);
                }
            }
            EventKind::Stopping { reason, .. } => self.stopped = Some(*reason),
            EventKind::RestNotStarted { .. } => self.rest_recorded = true,
            EventKind::Resumed { downtime, .. } => {
                self.downtime = self.downtime + *downtime;
                self.resumptions += 1;
            }
            EventKind::Closed => self.closed = true,
            EventKind::RunSkipped { .. }
            | EventKind::SubmitRetry { .. }
            | EventKind::Health(_)
            | EventKind::WorkerHealth(_)
            | EventKind::AgentHealth(_)
            | EventKind::Mark { .. }
            | EventKind::RoomsListed { .. } => {}
        }
    }

    /// Advances what the header gives by an event. Returns the run that it starts or skips, if it does.
    fn advance(&mut self, event: &Event) -> Option<PlannedRun> {
        let planned = PlannedRun::of_event(&event.kind);
        // Before the caller that calls again is forgotten.
        if let Some(planned) = planned {
            self.advance_schedule(planned);
        }
        if let Some(header) = &mut self.replayed_header {
            header.budget.apply(&event.kind, event.at);
            header.redials.apply(&event.kind, event.at);
        }
        planned
    }

    /// Whether the session ended.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The time of the last event: the process lived until then at least.
    pub const fn last_event_time(&self) -> SessionTime {
        self.last_event
    }

    /// The session's header.
    ///
    /// # Errors
    /// The journal has none, or its runs are not those of the plan.
    pub fn header(&self) -> Result<&SessionHeader, ReplayError> {
        if let Some(run) = self.mismatched_run {
            return Err(ReplayError::PlanMismatch(run));
        }
        if let Some(request) = self.impossible_request {
            return Err(ReplayError::ImpossibleSubmission(request));
        }
        self.replayed_header.as_ref().map(|replayed| &*replayed.header).ok_or(ReplayError::NoHeader)
    }

    /// The name of a room and its run, where any run started: they show the naming.
    pub fn any_room(&self) -> Option<(&RoomName, RunIndex)> {
        self.first_room.as_ref().map(|(room, run)| (room, *run))
    }

    /// How many runs of the plan were started or skipped.
    pub fn runs_passed(&self) -> u64 {
        self.replayed_header.as_ref().map_or(0, |replayed| replayed.schedule.runs_taken())
    }

    /// How many callers are still to call again, as far as is known.
    pub fn redials_to_come(&self) -> u64 {
        self.replayed_header.as_ref().map_or(0, |replayed| replayed.redials.len() as u64)
    }

    /// How often the session was begun: once, and each time that it was resumed.
    pub const fn epoch(&self) -> u32 {
        self.resumptions + 1
    }

    /// Of each run without an outcome: how many updates of its caller are recorded, and whether its audio is.
    pub fn recorded_updates(&self) -> impl Iterator<Item = (RunIndex, u32, bool)> {
        let open = self.runs.iter().filter(|(_, run)| run.outcome.is_none());
        open.map(|(index, run)| (*index, run.updates, run.audio_recorded))
    }

    /// Whether the session was stopped: it starts no more runs.
    pub const fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// What was spent, and what is reserved for the runs without an outcome.
    pub(super) fn budget(&self) -> Option<Budget> {
        self.replayed_header.as_ref().map(|replayed| replayed.budget.clone())
    }

    /// The callers that are still to call again.
    pub(super) fn redials(&self) -> Option<Redials> {
        self.replayed_header.as_ref().map(|replayed| replayed.redials.clone())
    }

    /// Runs without an outcome.
    pub(super) fn open_runs(&self) -> Vec<RunIndex> {
        let open = self.runs.iter().filter(|(_, run)| run.outcome.is_none());
        open.map(|(index, _)| *index).collect()
    }

    /// The rest of the plan, shifted by the time from each crash to its resumption, the last of them at `now`.
    pub(super) fn remaining_schedule(&self, now: SessionTime) -> Option<Schedule> {
        let mut schedule = self.replayed_header.as_ref()?.schedule.clone();
        schedule.shift(self.downtime + now.since(self.last_event));
        Some(schedule)
    }

    fn update(&mut self, run: RunIndex, change: impl FnOnce(&mut ReplayedRun)) {
        if let Some(run) = self.runs.get_mut(&run) {
            change(run);
        }
    }

    /// Advances the schedule past a run of the journal, and checks that it is the same run. Calls of those that call again
    /// are not in it.
    fn advance_schedule(&mut self, run: PlannedRun) {
        let Some(ReplayedHeader { schedule, redials, .. }) = &mut self.replayed_header else {
            return;
        };
        if run.redial_of.is_some() {
            if !redials.awaits(run) {
                self.mismatched_run.get_or_insert(run.index);
            }
            return;
        }
        let planned = loop {
            match schedule.peek() {
                ScheduleStep::Start(planned) => {
                    schedule.consume();
                    break Some(planned);
                }
                ScheduleStep::Hold(hold) if hold.stage == run.stage => {
                    break schedule.next(run.intended);
                }
                ScheduleStep::Hold(hold) => {
                    schedule.leave_hold(hold.until);
                    redials.end_stage(hold.stage);
                }
                ScheduleStep::End => break None,
            }
        };
        // The intended start is another after a resumption.
        let is_same =
            planned.is_some_and(|planned| PlannedRun { intended: run.intended, ..planned } == run);
        if !is_same {
            self.mismatched_run.get_or_insert(run.index);
        }
    }
}

/// Whether a request of a run that ended so may still have been under way, or delayed in the server.
const fn may_have_request_under_way(class: FailureClass) -> bool {
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
            room_created: None,
            dispatched: None,
            agent_seen: false,
            caller_seen: false,
            submission: ReplayedSubmission::NotSent,
            phase: None,
            running_since: None,
            updates: 0,
            audio_recorded: false,
            last_seen_open: SessionTime::START,
            outcome: None,
        }
    }
}
