//! The world: its contents, its timers, its random draws and the facts it records.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::mem;
use std::net::SocketAddr;

use crate::SandboxConfig;
use crate::clock::Anchor;
use crate::faults::{Fault, FaultGroup};
use crate::http::PendingSubmission;
use crate::tokens::TokenVerifier;
use crate::truth::{AcceptedCount, SandboxCounts, SandboxFact, SandboxTruth};
use rushhour_core::rng::{DelayDistribution, KeyedDraw, KeyedRng};
use rushhour_core::units::{DispatchId, Micros, RoomName, SessionTime};

use super::agents::AgentStep;
use super::room_history::RoomHistory;
use super::slot_queue::SlotQueue;
use super::{CekuraResult, Room, Run};

/// Everything that exists in a sandbox.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: SandboxConfig,
    pub(crate) anchor: Anchor,
    pub(crate) token_verifier: TokenVerifier,
    /// Where clients reach the sandbox.
    pub(super) address: SocketAddr,
    pub(super) rooms: HashMap<RoomName, Room>,
    pub(super) runs: BTreeMap<u64, Run>,
    pub(super) results: BTreeMap<u64, CekuraResult>,
    pub(super) voice_slots: SlotQueue,
    pub(super) chat_slots: SlotQueue,
    pub(super) room_histories: HashMap<RoomName, RoomHistory>,
    pub(super) last_ids: LastIds,
    rng: KeyedRng,
    now: SessionTime,
    timers: BinaryHeap<Reverse<Timer>>,
    timers_scheduled: u64,
    facts: Vec<(SessionTime, SandboxFact)>,
    counts: SandboxCounts,
}

/// The last id of each kind.
#[derive(Debug)]
pub(super) struct LastIds {
    pub(super) submission: u64,
    pub(super) result: u64,
    pub(super) run: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    at: SessionTime,
    /// Timers for the same moment fire in the order in which they were scheduled.
    order: u64,
    event: TimerEvent,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimerEvent {
    /// Advances a dispatch, if it still exists.
    Agent { room: RoomName, dispatch: DispatchId, step: AgentStep },
    /// Closes a room that was empty for too long.
    RoomIdle { room: RoomName },
    /// Advances a run, unless it has already left this step.
    Run { run: u64, step: u32 },
    /// Forgets a run that is over.
    ForgetRun { run: u64 },
    /// Forgets the history of a closed room.
    ForgetRoom { room: RoomName },
}

impl World {
    pub(crate) fn new(config: SandboxConfig, anchor: Anchor, address: SocketAddr) -> Self {
        let mut world = Self {
            anchor,
            token_verifier: TokenVerifier::new(&config.api_key, &config.api_secret),
            address,
            rooms: HashMap::new(),
            runs: BTreeMap::new(),
            results: BTreeMap::new(),
            voice_slots: SlotQueue::new(config.plan.voice_runs),
            chat_slots: SlotQueue::new(config.plan.chat_runs),
            room_histories: HashMap::new(),
            // Ranges that do not overlap reveal a client that confuses the ids.
            last_ids: LastIds { submission: 0, result: 1_000, run: 5_000_000 },
            rng: KeyedRng::new(config.seed),
            now: SessionTime::START,
            timers: BinaryHeap::new(),
            timers_scheduled: 0,
            facts: Vec::new(),
            counts: SandboxCounts::default(),
            config,
        };
        let wall = anchor.rfc3339(SessionTime::START);
        let unix_us = anchor.unix_micros(SessionTime::START);
        world.record(SandboxFact::Anchor { wall, unix_us, seed: world.config.seed });
        world
    }

    /// The time to which the world has advanced.
    pub(crate) const fn now(&self) -> SessionTime {
        self.now
    }

    /// Fires all timers that are due by `now`. The world's time never goes backwards.
    pub(crate) fn advance(&mut self, now: SessionTime) {
        while self.timers.peek().is_some_and(|Reverse(timer)| timer.at <= now) {
            if let Some(Reverse(timer)) = self.timers.pop() {
                self.now = self.now.max(timer.at);
                self.fire(timer.event);
            }
        }
        self.now = self.now.max(now);
    }

    fn fire(&mut self, event: TimerEvent) {
        match event {
            TimerEvent::Agent { room, dispatch, step } => {
                self.advance_dispatch(&room, &dispatch, step);
            }
            TimerEvent::RoomIdle { room } => self.check_idle_room(&room),
            TimerEvent::Run { run, step } => self.advance_run(run, step),
            TimerEvent::ForgetRun { run } => self.forget_run(run),
            TimerEvent::ForgetRoom { room } => self.forget_room(room),
        }
    }

    pub(super) fn schedule(&mut self, delay: Micros, event: TimerEvent) {
        self.timers_scheduled += 1;
        let (at, order) = (self.now + delay, self.timers_scheduled);
        self.timers.push(Reverse(Timer { at, order, event }));
    }

    /// How many timers are pending.
    #[cfg(test)]
    pub(crate) fn timers(&self) -> usize {
        self.timers.len()
    }

    pub(super) fn record(&mut self, fact: SandboxFact) {
        self.counts.count(&fact);
        self.facts.push((self.now, fact));
    }

    /// The facts since the last call.
    pub(crate) fn take_facts(&mut self) -> Vec<(SessionTime, SandboxFact)> {
        mem::take(&mut self.facts)
    }

    /// The random draw of this purpose for this key.
    pub(crate) fn draw(&self, purpose: &str, key: &str) -> KeyedDraw {
        self.rng.draw(purpose, key)
    }

    /// A random delay of this purpose for this key.
    pub(crate) fn sample_delay(
        &self,
        purpose: &str,
        key: &str,
        distribution: DelayDistribution,
    ) -> Micros {
        match distribution {
            DelayDistribution::Fixed(micros) => micros,
            _ => distribution.sample(self.draw(purpose, key)),
        }
    }

    /// Decides which fault of the group, if any, is injected for this key.
    pub(crate) fn choose_fault(&mut self, group: FaultGroup, key: &str) -> Option<Fault> {
        let fault = self.config.faults.choose(group, || self.rng.draw(group.name(), key))?;
        self.record(SandboxFact::FaultInjected { fault: fault.name(), key: key.to_owned() });
        Some(fault)
    }

    pub(crate) fn count_request(&mut self, label: &'static str, outcome: String) {
        *self.counts.requests.entry(label).or_default().entry(outcome).or_default() += 1;
    }

    /// Records how and when a submission was answered; `answered` is `None` if it never will be.
    pub(crate) fn record_submission_outcome(
        &mut self,
        submission: PendingSubmission,
        outcome: String,
        answered: Option<SessionTime>,
    ) {
        let PendingSubmission { id, runs, received } = submission;
        self.record(SandboxFact::SubmissionAnswered {
            submission: id,
            runs,
            outcome,
            received_us: received,
            answered_us: answered,
        });
    }

    pub(crate) fn truth(&self, log_failure: Option<String>) -> SandboxTruth {
        let mut rooms_open: Vec<RoomName> = self.rooms.keys().cloned().collect();
        rooms_open.sort_unstable();
        let histories = self.room_histories.iter();
        let mut entries: Vec<AcceptedCount> =
            histories.flat_map(|(room, history)| history.accepted_entries(room)).collect();
        entries.sort_unstable_by(|a, b| (&a.room, a.scenario).cmp(&(&b.room, b.scenario)));
        let runs_open = self.runs.values().filter(|run| run.ended_at.is_none()).count() as u64;
        SandboxTruth { counts: self.counts.clone(), runs_open, rooms_open, entries, log_failure }
    }
}
