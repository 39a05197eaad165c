//! [`Session`]: its state, taking in inputs, and what is due next.

use std::collections::{BTreeSet, HashMap};

use tracing::Level;

use super::rejections::Rejections;
use super::room_cleanup::RoomCleanup;
use super::run_starts::HoldState;
use super::status_polls::BulkSize;
use super::stop::StopState;
use crate::agent_poll_times::AgentPollTimes;
use crate::livekit_throttle::LiveKitThrottle;
use crate::poll_queue::PollQueue;
use crate::room_naming::RoomNaming;
use crate::run::{RunEffect, RunMachine};
use crate::session_effect::SessionEffect;
use crate::session_input::{ProcessSample, SessionInput};
use crate::settings::DriverSettings;
use crate::submission_queue::SubmissionQueue;
use rushhour_core::bill::Budget;
use rushhour_core::event::{Event, EventKind, GeneratorHealth, Outcome, StopReason};
use rushhour_core::plan::{Redials, Schedule, ScheduleStep};
use rushhour_core::units::{Micros, RunIndex, SessionTime};

/// All runs of a session, and everything that is still to come.
pub struct Session {
    pub(super) settings: DriverSettings,
    pub(super) naming: RoomNaming,
    pub(super) schedule: Schedule,
    /// The callers that are to call again.
    pub(super) redials: Redials,
    pub(super) runs: HashMap<RunIndex, RunMachine>,
    /// Runs without an outcome: each holds a slot.
    pub(crate) in_flight: u32,
    /// When a slot last became free after all were taken.
    pub(super) slot_free_since: SessionTime,
    pub(super) hold: Option<HoldState>,
    pub(super) wakeups: BTreeSet<(SessionTime, RunIndex)>,
    pub(super) submissions: SubmissionQueue,
    pub(super) rejections: Rejections,
    pub(super) livekit_throttle: LiveKitThrottle,
    pub(super) room_polls: PollQueue,
    pub(super) agent_polls: AgentPollTimes,
    pub(super) status_polls: PollQueue,
    pub(super) failed_polls_in_a_row: u32,
    pub(super) bulk_size: BulkSize,
    pub(super) stop_state: StopState,
    pub(super) budget: Budget,
    pub(super) health: GeneratorHealth,
    pub(super) health_since: SessionTime,
    pub(super) cpu_before: Micros,
    pub(super) memory_before: u64,
    pub(super) effects: Vec<SessionEffect>,
    pub(super) room_cleanup: RoomCleanup,
    pub(super) finished: bool,
}

impl Session {
    /// A session at the beginning of its plan.
    pub fn new(settings: DriverSettings, schedule: Schedule, naming: RoomNaming) -> Self {
        let evaluator = settings.evaluator;
        Self {
            submissions: SubmissionQueue::new(
                settings.requests,
                evaluator.entries_per_request,
                evaluator.fill_within,
            ),
            rejections: Rejections::default(),
            bulk_size: BulkSize::new(evaluator.runs_per_poll),
            livekit_throttle: LiveKitThrottle::new(),
            room_polls: PollQueue::new(settings.room_polls),
            agent_polls: AgentPollTimes::default(),
            status_polls: PollQueue::new(settings.status_polls),
            budget: Budget::new(settings.budget_limits.clone()),
            settings,
            naming,
            redials: Redials::new(schedule.profile()),
            schedule,
            runs: HashMap::new(),
            in_flight: 0,
            slot_free_since: SessionTime::START,
            hold: None,
            wakeups: BTreeSet::new(),
            failed_polls_in_a_row: 0,
            stop_state: StopState::default(),
            health: GeneratorHealth::default(),
            health_since: SessionTime::START,
            cpu_before: Micros::ZERO,
            memory_before: 0,
            effects: Vec::new(),
            room_cleanup: RoomCleanup::default(),
            finished: false,
        }
    }

    /// What to do now; to be called after every [`Self::tick`] and [`Self::handle`].
    pub fn take_effects(&mut self) -> Vec<SessionEffect> {
        std::mem::take(&mut self.effects)
    }

    /// Whether nothing is left to do.
    pub const fn is_finished(&self) -> bool {
        self.finished
    }

    /// When [`Self::tick`] must be called, unless an input comes before.
    pub fn next_deadline(&mut self) -> SessionTime {
        if self.finished {
            return SessionTime::NEVER;
        }
        [
            self.next_start(),
            self.wakeups.first().map_or(SessionTime::NEVER, |(at, _)| *at),
            self.livekit_throttle.next_due(),
            self.room_polls.next_due(),
            self.status_polls.next_due(),
            self.submissions.next_due(),
            self.stop_state.deadline(),
            self.next_room_cleanup(),
            self.budget.next_overdue(),
        ]
        .into_iter()
        .min()
        .unwrap_or(SessionTime::NEVER)
    }

    /// Does everything that is due at `now`.
    pub fn tick(&mut self, now: SessionTime) {
        let due = self.next_deadline();
        if due <= now && due != SessionTime::START {
            self.health.loop_lag = self.health.loop_lag.max(now.since(due));
        }
        while let Some((at, run)) = self.wakeups.first().copied().filter(|(at, _)| *at <= now) {
            self.wakeups.remove(&(at, run));
            self.with_run(run, now, |run, settings, effects| run.wake(settings, now, effects));
        }
        self.give_up_overdue(now);
        self.start_due_runs(now);
        self.send_waiting_requests(now);
        self.poll_rooms(now);
        self.send_submissions(now);
        self.poll_statuses(now);
        self.advance_stop(now);
        self.finish_if_done(now);
    }

    /// Takes in an input, and does everything that is due at `now`.
    pub fn handle(&mut self, input: SessionInput, now: SessionTime) {
        match input {
            SessionInput::RoomCreated { run, timing, result } => {
                self.livekit_answered(result.as_ref().err(), now);
                self.with_run(run, now, |run, settings, effects| {
                    run.room_created(timing, result, settings, now, effects);
                });
            }
            SessionInput::Dispatched { run, timing, result } => {
                self.livekit_answered(result.as_ref().err(), now);
                self.with_run(run, now, |run, settings, effects| {
                    run.dispatched(timing, result, settings, now, effects);
                });
            }
            SessionInput::RoomPolled { run, timing, result } => {
                self.health.room_polls += 1;
                self.livekit_answered(result.as_ref().err(), now);
                self.with_run(run, now, |run, settings, effects| {
                    run.room_polled(timing, result, settings, now, effects);
                });
            }
            SessionInput::DispatchChecked { run, result } => {
                self.livekit_answered(result.as_ref().err(), now);
                self.with_run(run, now, |run, settings, effects| {
                    run.dispatch_checked(result, settings, now, effects);
                });
            }
            SessionInput::CallerHeard { run, until } => {
                self.with_run(run, now, |run, settings, effects| {
                    run.caller_heard(until, settings, now, effects);
                });
            }
            SessionInput::Submitted { request, timing, result } => {
                self.submitted(request, timing, result, now);
            }
            SessionInput::NotDurable { request, error } => self.not_durable(request, &error, now),
            SessionInput::StatusPolled { runs, timing, result } => {
                self.status_polled(runs, timing, result, now);
            }
            SessionInput::CallEnded { run } => {
                self.with_run(run, now, |run, _, effects| run.call_ended(effects));
            }
            SessionInput::RoomDeleted { run, result } if self.room_cleanup.has_begun() => {
                self.livekit_answered(result.as_ref().err(), now);
                self.room_cleaned_up(run, result, now);
            }
            SessionInput::RoomDeleted { run, result } => {
                self.livekit_answered(result.as_ref().err(), now);
                self.with_run(run, now, |run, _, effects| {
                    run.room_deleted(&result, now, effects);
                });
            }
            SessionInput::CallerUpdated { update, joined } => {
                self.with_run(update.run, now, |run, settings, effects| {
                    run.caller_updated(update, joined, settings, now, effects);
                });
            }
            SessionInput::Stop => self.stop(now),
            SessionInput::Abort { message } => self.stop_for(StopReason::Threshold, message, now),
            SessionInput::JournalFailed { error } => {
                self.stop_for(StopReason::Journal, error.to_string(), now);
            }
            SessionInput::ProcessStats(sample) => self.record_health(&sample, now),
        }
        self.tick(now);
    }

    pub(super) fn record(&mut self, event: EventKind, now: SessionTime) {
        self.budget.apply(&event, now);
        self.redials.apply(&event, now);
        self.effects.push(SessionEffect::Record(Event { at: now, kind: event }));
    }

    /// Takes a step of a run, and applies what it asks for.
    pub(super) fn with_run(
        &mut self,
        index: RunIndex,
        now: SessionTime,
        step: impl FnOnce(&mut RunMachine, &DriverSettings, &mut Vec<RunEffect>),
    ) {
        let mut effects = Vec::new();
        if let Some(run) = self.runs.get_mut(&index) {
            let before = run.state_name();
            step(run, &self.settings, &mut effects);
            if run.state_name() != before && tracing::enabled!(Level::INFO) {
                log_state_change(index, before, run.state_name(), &effects);
            }
        }
        self.apply_effects(index, effects, now);
    }

    pub(super) fn apply_effects(
        &mut self,
        index: RunIndex,
        effects: Vec<RunEffect>,
        now: SessionTime,
    ) {
        for effect in effects {
            let Some(planned) = self.runs.get(&index).map(|run| run.planned) else { return };
            match effect {
                RunEffect::Record(event) => self.record(event, now),
                RunEffect::CreateRoom => {
                    self.request_livekit(SessionEffect::CreateRoom(planned), now);
                }
                RunEffect::Dispatch => self.request_livekit(SessionEffect::Dispatch(planned), now),
                RunEffect::PollRoomAt(at) => self.room_polls.insert(at, index),
                RunEffect::PollForAgent { since, latest } => {
                    let at = since + self.agent_polls.next_poll(now.since(since));
                    self.room_polls.insert(at.min(latest), index);
                }
                RunEffect::AgentJoined { after } => self.agent_polls.learn(after),
                RunEffect::CheckDispatch => {
                    self.request_livekit(SessionEffect::CheckDispatch(index), now);
                }
                RunEffect::TellHiddenAgent(evaluator_run) => {
                    self.effects.push(SessionEffect::TellHiddenAgent(evaluator_run));
                }
                RunEffect::HearCaller(evaluator_run) => {
                    self.effects.push(SessionEffect::HearCaller { run: index, evaluator_run });
                }
                RunEffect::QueueSubmission => self.submissions.push(index, planned.mode, now),
                RunEffect::PollStatusAt(at) => self.status_polls.insert(at, index),
                RunEffect::WakeAt(at) => {
                    self.wakeups.insert((at, index));
                }
                RunEffect::CancelWake(at) => {
                    self.wakeups.remove(&(at, index));
                }
                RunEffect::EndCall(evaluator_run) => {
                    self.effects.push(SessionEffect::EndCall { run: index, evaluator_run });
                }
                RunEffect::DeleteRoomLater => self.room_cleanup.insert(index),
                RunEffect::DeleteRoom => {
                    self.request_livekit(SessionEffect::DeleteRoom(index), now);
                }
                RunEffect::FreeSlot => {
                    self.submissions.withdraw(index);
                    self.free_slot(now);
                }
                RunEffect::Forget => {
                    tracing::info!(run = index.0, from = "cleaning_up", to = "done", "run state");
                    self.runs.remove(&index);
                }
                RunEffect::StopSession(reason, detail) => self.stop_for(reason, detail, now),
            }
        }
    }

    /// How many things it retains: runs, and entries of every queue.
    #[cfg(test)]
    pub(crate) fn retained(&self) -> usize {
        let queues = self.room_polls.len()
            + self.status_polls.len()
            + self.submissions.len()
            + self.livekit_throttle.len();
        self.runs.len()
            + self.redials.len()
            + self.wakeups.len()
            + self.room_cleanup.len()
            + self.effects.len()
            + queues
    }

    fn poll_rooms(&mut self, now: SessionTime) {
        loop {
            let taken = self.room_polls.take(now, now, 1);
            let [run] = taken[..] else { break };
            if self.runs.get(&run).is_some_and(|run| !run.has_ended()) {
                self.effects.push(SessionEffect::PollRoom(run));
            }
        }
    }

    /// Whether every run of the plan has started, and nobody is to call again.
    pub(super) fn has_started_all(&mut self) -> bool {
        matches!(self.schedule.peek(), ScheduleStep::End) && self.redials.is_empty()
    }

    fn finish_if_done(&mut self, now: SessionTime) {
        let nothing_to_start = self.stop_state.is_stopping() || self.has_started_all();
        if !nothing_to_start || !self.runs.is_empty() || self.finished {
            return;
        }
        if self.clean_up_rooms(now) {
            self.finished = true;
            self.record_last_health(now);
            self.record(EventKind::Closed, now);
            self.effects.push(SessionEffect::Finish);
            tracing::info!("session ended");
        }
    }

    fn record_health(&mut self, sample: &ProcessSample, now: SessionTime) {
        let health = GeneratorHealth {
            interval: now.since(self.health_since),
            in_flight: self.in_flight,
            cpu: sample.cpu.saturating_sub(self.cpu_before),
            memory: sample.memory,
            callers: sample.callers,
            poll_lag: self.status_polls.take_longest_wait(),
            room_poll_lag: self.room_polls.take_longest_wait(),
            ..std::mem::take(&mut self.health)
        };
        self.cpu_before = sample.cpu;
        self.memory_before = sample.memory;
        self.health_since = now;
        self.record(EventKind::Health(health), now);
        for worker in &sample.workers {
            self.record(EventKind::WorkerHealth(*worker), now);
        }
    }

    /// Records what was counted since the last sample of the process: of a short session that is everything.
    fn record_last_health(&mut self, now: SessionTime) {
        if self.health == GeneratorHealth::default() {
            return;
        }
        let (cpu, memory) = (self.cpu_before, self.memory_before);
        self.record_health(&ProcessSample { cpu, memory, callers: None, workers: Vec::new() }, now);
    }
}

/// Logs that a run changed its state, and its outcome where it ended.
fn log_state_change(run: RunIndex, from: &str, to: &str, effects: &[RunEffect]) {
    let outcome = effects.iter().find_map(|effect| match effect {
        RunEffect::Record(EventKind::Ended { outcome, .. }) => Some(outcome),
        _ => None,
    });
    let failure = outcome.and_then(|outcome| match outcome {
        Outcome::Failed { class, detail } => Some((class.name(), detail.as_str())),
        _ => None,
    });
    tracing::info!(
        run = run.0,
        from,
        to,
        outcome = outcome.map(Outcome::name),
        failure_class = failure.map(|(class, _)| class),
        detail = failure.map(|(_, detail)| detail),
        "run state"
    );
}
