//! The session: owner of all runs. It is told what came in and what time it is, and says what to do.

use std::collections::{BTreeSet, HashMap};

use super::room_cleanup::RoomCleanup;
use super::starting::HoldState;
use super::stopping::StopState;
use crate::effects::{SessionEffect, SessionInput};
use crate::poll_queue::PollQueue;
use crate::room_names::RoomNames;
use crate::run::{RunEffect, RunMachine};
use crate::settings::DriverSettings;
use crate::submission_queue::SubmissionQueue;
use rushhour_core::bill::Budget;
use rushhour_core::evaluator::CallerUpdate;
use rushhour_core::event::{CallersHealth, Event, EventKind, GeneratorHealth, StopReason};
use rushhour_core::plan::{Schedule, ScheduleStep};
use rushhour_core::units::{Micros, RunIndex, SessionTime};

/// All runs of a session, and everything that is still to come.
pub struct Session {
    pub(super) settings: DriverSettings,
    pub(super) names: RoomNames,
    pub(super) walk: Schedule,
    pub(super) runs: HashMap<RunIndex, RunMachine>,
    /// Runs whose outcome is not known: those that hold a place.
    pub(crate) in_flight: u32,
    /// When a place was last free for a start that had to wait.
    pub(super) free_since: SessionTime,
    pub(super) hold: Option<HoldState>,
    pub(super) wakes: BTreeSet<(SessionTime, RunIndex)>,
    pub(super) outgoing: SubmissionQueue,
    pub(super) looks: PollQueue,
    pub(super) asks: PollQueue,
    pub(super) asks_failed_in_a_row: u32,
    pub(super) stopping: StopState,
    pub(super) purse: Budget,
    pub(super) health: GeneratorHealth,
    pub(super) health_since: SessionTime,
    pub(super) cpu_before: Micros,
    pub(super) actions: Vec<SessionEffect>,
    /// Runs whose rooms are deleted once more at the end: the evaluator may have made them anew.
    pub(super) revisits: RoomCleanup,
    pub(super) finished: bool,
}

impl Session {
    /// A session at its beginning.
    pub fn new(settings: DriverSettings, walk: Schedule, names: RoomNames) -> Self {
        let manner = settings.manner;
        Self {
            outgoing: SubmissionQueue::new(
                settings.requests,
                manner.entries_per_request,
                manner.fill_within,
            ),
            looks: PollQueue::new(settings.looks),
            asks: PollQueue::new(settings.polls),
            purse: Budget::new(settings.caps.clone()),
            settings,
            names,
            walk,
            runs: HashMap::new(),
            in_flight: 0,
            free_since: SessionTime::START,
            hold: None,
            wakes: BTreeSet::new(),
            asks_failed_in_a_row: 0,
            stopping: StopState::default(),
            health: GeneratorHealth::default(),
            health_since: SessionTime::START,
            cpu_before: Micros::ZERO,
            actions: Vec::new(),
            revisits: RoomCleanup::default(),
            finished: false,
        }
    }

    /// What is to be done now; to be called after every [`Self::tick`] and [`Self::handle`].
    pub fn take_actions(&mut self) -> Vec<SessionEffect> {
        std::mem::take(&mut self.actions)
    }

    /// Whether nothing is left to be done.
    pub const fn is_finished(&self) -> bool {
        self.finished
    }

    /// When [`Self::tick`] has to be called, unless something comes in before.
    pub fn next_deadline(&mut self) -> SessionTime {
        if self.finished {
            return SessionTime::NEVER;
        }
        [
            self.next_start(),
            self.wakes.first().map_or(SessionTime::NEVER, |(at, _)| *at),
            self.looks.next(),
            self.asks.next(),
            self.outgoing.next(),
            self.stopping.deadline(),
            self.next_revisit(),
            self.purse.next_overdue(),
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
        while let Some((at, run)) = self.wakes.first().copied().filter(|(at, _)| *at <= now) {
            self.wakes.remove(&(at, run));
            self.with_run(run, now, |run, settings, todo| run.wake(settings, now, todo));
        }
        self.give_up_overdue(now);
        self.start_what_is_due(now);
        self.look(now);
        self.submit(now);
        self.ask(now);
        self.stop_what_is_due(now);
        self.finish_if_done(now);
    }

    /// Takes in what came.
    pub fn handle(&mut self, input: SessionInput, now: SessionTime) {
        match input {
            SessionInput::RoomCreated { run, timing, result } => {
                self.with_run(run, now, |run, settings, todo| {
                    run.room_made(timing, result, settings, now, todo);
                });
            }
            SessionInput::Dispatched { run, timing, result } => {
                self.with_run(run, now, |run, settings, todo| {
                    run.dispatched(timing, result, settings, now, todo);
                });
            }
            SessionInput::RoomPolled { run, timing, result } => {
                self.health.room_polls += 1;
                self.with_run(run, now, |run, settings, todo| {
                    run.looked(timing, result, settings, now, todo);
                });
            }
            SessionInput::DispatchChecked { run, result } => {
                self.with_run(run, now, |run, settings, todo| {
                    run.assigned(result, settings, now, todo);
                });
            }
            SessionInput::Submitted { request, timing, result } => {
                self.submitted(request, timing, result, now);
            }
            SessionInput::NotDurable { request, message: words } => {
                self.not_kept(request, &words, now);
            }
            SessionInput::StatusPolled { runs, timing, result } => {
                self.asked(runs, timing, result, now);
            }
            SessionInput::CallEnded { run } => {
                self.with_run(run, now, |run, _, todo| run.call_ended(todo));
            }
            SessionInput::RoomDeleted { run, result } if self.revisits.have_begun() => {
                self.revisited(run, result, now);
            }
            SessionInput::RoomDeleted { run, result } => {
                self.with_run(run, now, |run, _, todo| run.room_deleted(&result, now, todo));
            }
            SessionInput::CallerUpdated {
                update: CallerUpdate { run, at, kind: news },
                joined,
            } => {
                self.with_run(run, now, |run, settings, todo| {
                    run.told(news, at, joined, settings, now, todo);
                });
            }
            SessionInput::Stop => self.stop(now),
            SessionInput::Abort { message: words } => {
                self.stop_for(StopReason::Threshold, words, now);
            }
            SessionInput::JournalFailed { message: words } => {
                self.stop_for(StopReason::Journal, words, now);
            }
            SessionInput::ProcessStats { cpu, memory, callers } => {
                self.note_health((cpu, memory, callers), now);
            }
        }
        self.tick(now);
    }

    pub(super) fn record(&mut self, happening: EventKind, now: SessionTime) {
        self.purse.apply(&happening, now);
        self.actions.push(SessionEffect::Record(Event { at: now, kind: happening }));
    }

    pub(super) fn with_run(
        &mut self,
        index: RunIndex,
        now: SessionTime,
        step: impl FnOnce(&mut RunMachine, &DriverSettings, &mut Vec<RunEffect>),
    ) {
        let mut todo = Vec::new();
        if let Some(run) = self.runs.get_mut(&index) {
            step(run, &self.settings, &mut todo);
        }
        self.carry_out(index, todo, now);
    }

    pub(super) fn carry_out(&mut self, index: RunIndex, todo: Vec<RunEffect>, now: SessionTime) {
        for item in todo {
            let Some(planned) = self.runs.get(&index).map(|run| run.planned) else { return };
            match item {
                RunEffect::Record(happening) => self.record(happening, now),
                RunEffect::MakeRoom => self.actions.push(SessionEffect::CreateRoom(planned)),
                RunEffect::Dispatch => self.actions.push(SessionEffect::Dispatch(planned)),
                RunEffect::LookAt(at) => self.looks.insert(at, index),
                RunEffect::AskAssigned => self.actions.push(SessionEffect::CheckDispatch(index)),
                RunEffect::BeReady => self.outgoing.ready(index, planned.mode, now),
                RunEffect::AskAt(at) => self.asks.insert(at, index),
                RunEffect::WakeAt(at) => {
                    self.wakes.insert((at, index));
                }
                RunEffect::NoWakeAt(at) => {
                    self.wakes.remove(&(at, index));
                }
                RunEffect::EndCall(evaluator_run) => {
                    self.actions.push(SessionEffect::EndCall { run: index, evaluator_run });
                }
                RunEffect::Revisit => self.revisits.insert(index),
                RunEffect::DeleteRoom => self.actions.push(SessionEffect::DeleteRoom(index)),
                RunEffect::Over => {
                    self.outgoing.withdraw(index);
                    self.place_freed(now);
                }
                RunEffect::Gone => {
                    self.runs.remove(&index);
                }
                RunEffect::StopSession(reason, words) => self.stop_for(reason, words, now),
            }
        }
    }

    /// How many things it holds on to: runs, and places in every queue.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        let queues = self.looks.len() + self.asks.len() + self.outgoing.len();
        self.runs.len() + self.wakes.len() + self.revisits.len() + self.actions.len() + queues
    }

    fn look(&mut self, now: SessionTime) {
        loop {
            let taken = self.looks.take(now, now, 1);
            let [run] = taken[..] else { break };
            if self.runs.get(&run).is_some_and(|run| !run.is_over()) {
                self.actions.push(SessionEffect::PollRoom(run));
            }
        }
    }

    fn finish_if_done(&mut self, now: SessionTime) {
        let nothing_to_start =
            self.stopping.is_stopping() || matches!(self.walk.peek(), ScheduleStep::End);
        if !nothing_to_start || !self.runs.is_empty() || self.finished {
            return;
        }
        if self.revisit(now) {
            self.finished = true;
            self.record(EventKind::Closed, now);
            self.actions.push(SessionEffect::Finish);
        }
    }

    fn note_health(
        &mut self,
        (cpu, memory, callers): (Micros, u64, Option<CallersHealth>),
        now: SessionTime,
    ) {
        let health = GeneratorHealth {
            interval: now.since(self.health_since),
            in_flight: self.in_flight,
            cpu: cpu.saturating_sub(self.cpu_before),
            memory,
            callers,
            poll_lag: self.asks.take_longest_wait(),
            room_poll_lag: self.looks.take_longest_wait(),
            ..std::mem::take(&mut self.health)
        };
        self.cpu_before = cpu;
        self.health_since = now;
        self.record(EventKind::Health(health), now);
    }
}
