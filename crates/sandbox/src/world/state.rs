//! The world itself: its parts, its timers, its facts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::mem;

use crate::SandboxConfig;
use crate::clock::Anchor;
use crate::exchange::Receipt;
use crate::faults::{Fault, Group};
use crate::tokens::Tokens;
use crate::truth::{AcceptedEntry, SandboxCounts, SandboxFact, SandboxTruth};
use rushhour_core::rng::{DelayDistribution, KeyedDraw, KeyedRng};
use rushhour_core::units::{DispatchId, Micros, RoomName, SessionTime};

use super::agents::AgentStep;
use super::queue::Queue;
use super::room_history::RoomHistory;
use super::{Folder, Room, Run};

/// Everything that exists in a sandbox.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: SandboxConfig,
    pub(crate) anchor: Anchor,
    pub(crate) tokens: Tokens,
    /// Host and port under which the sandbox is reached.
    pub(super) authority: String,
    pub(super) rooms: HashMap<RoomName, Room>,
    pub(super) runs: BTreeMap<u64, Run>,
    pub(super) folders: BTreeMap<u64, Folder>,
    pub(super) voice: Queue,
    pub(super) chat: Queue,
    pub(super) ledgers: HashMap<RoomName, RoomHistory>,
    pub(super) numbers: IdCounters,
    chance: KeyedRng,
    now: SessionTime,
    timers: BinaryHeap<Reverse<Timer>>,
    timers_set: u64,
    facts: Vec<(SessionTime, SandboxFact)>,
    counts: SandboxCounts,
}

/// The last numbers given out.
#[derive(Debug)]
pub(super) struct IdCounters {
    pub(super) submission: u64,
    pub(super) folder: u64,
    pub(super) run: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    at: SessionTime,
    /// Timers of the same moment fire in the order they were set.
    order: u64,
    event: TimerEvent,
}

/// What a timer sets off.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimerEvent {
    /// A dispatch goes a step further, if it is still there.
    Agent { room: RoomName, dispatch: DispatchId, step: AgentStep },
    /// A room is looked at and closed if nobody was in it for too long.
    RoomIdle { room: RoomName },
    /// A run goes on, unless it has left the step that it was in.
    Run { run: u64, step: u32 },
    /// An ended run is forgotten.
    ForgetRun { run: u64 },
    /// A room that is gone is forgotten.
    ForgetRoom { room: RoomName },
}

impl World {
    /// A new world, reached under `authority` (`127.0.0.1:7881`).
    pub(crate) fn new(config: SandboxConfig, anchor: Anchor, authority: &str) -> Self {
        let mut world = Self {
            anchor,
            tokens: Tokens::new(&config.api_key, &config.api_secret),
            authority: authority.to_owned(),
            rooms: HashMap::new(),
            runs: BTreeMap::new(),
            folders: BTreeMap::new(),
            voice: Queue::new(config.plan.voice_runs),
            chat: Queue::new(config.plan.chat_runs),
            ledgers: HashMap::new(),
            // Numbers of different things do not overlap, so that a mix-up shows.
            numbers: IdCounters { submission: 0, folder: 1_000, run: 5_000_000 },
            chance: KeyedRng::new(config.seed),
            now: SessionTime::START,
            timers: BinaryHeap::new(),
            timers_set: 0,
            facts: Vec::new(),
            counts: SandboxCounts::default(),
            config,
        };
        let wall = anchor.rfc3339(SessionTime::START);
        let unix_us = anchor.unix_micros(SessionTime::START);
        world.note(SandboxFact::Anchor { wall, unix_us, seed: world.config.seed });
        world
    }

    /// The moment up to which everything has happened.
    pub(crate) const fn now(&self) -> SessionTime {
        self.now
    }

    /// Lets everything happen that is due by `now`. A time before the last one is taken as the last one.
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
            TimerEvent::Agent { room, dispatch, step } => self.agent_due(&room, &dispatch, step),
            TimerEvent::RoomIdle { room } => self.room_idle(&room),
            TimerEvent::Run { run, step } => self.run_due(run, step),
            TimerEvent::ForgetRun { run } => self.forget_run(run),
            TimerEvent::ForgetRoom { room } => self.forget_room(room),
        }
    }

    pub(super) fn after(&mut self, wait: Micros, event: TimerEvent) {
        self.timers_set += 1;
        let (at, order) = (self.now + wait, self.timers_set);
        self.timers.push(Reverse(Timer { at, order, event }));
    }

    pub(super) fn note(&mut self, fact: SandboxFact) {
        self.counts.count(&fact);
        self.facts.push((self.now, fact));
    }

    /// How many timers are set.
    #[cfg(test)]
    pub(crate) fn timers(&self) -> usize {
        self.timers.len()
    }

    /// The facts since the last time they were taken.
    pub(crate) fn take_facts(&mut self) -> Vec<(SessionTime, SandboxFact)> {
        mem::take(&mut self.facts)
    }

    /// The draw for one question about one thing.
    pub(crate) fn draw(&self, what: &str, key: &str) -> KeyedDraw {
        self.chance.draw(what, key)
    }

    /// How long one thing takes.
    pub(crate) fn time(&self, what: &str, key: &str, latency: DelayDistribution) -> Micros {
        match latency {
            DelayDistribution::Fixed(micros) => micros,
            _ => latency.sample(self.draw(what, key)),
        }
    }

    /// Which of the group's faults strikes this thing.
    pub(crate) fn fault(&mut self, group: Group, key: &str) -> Option<Fault> {
        let struck = self.config.faults.choose(group, || self.chance.draw(group.name(), key))?;
        self.note(SandboxFact::FaultStruck { fault: struck.name(), key: key.to_owned() });
        Some(struck)
    }

    /// Counts a request and how it was answered.
    pub(crate) fn count_request(&mut self, label: &'static str, outcome: String) {
        *self.counts.requests.entry(label).or_default().entry(outcome).or_default() += 1;
    }

    /// Notes how a submission was answered: at `answered`, or never.
    pub(crate) fn note_answer(
        &mut self,
        receipt: Receipt,
        outcome: String,
        answered: Option<SessionTime>,
    ) {
        let Receipt { submission, runs, received: received_us } = receipt;
        self.note(SandboxFact::SubmissionAnswered {
            submission,
            runs,
            outcome,
            received_us,
            answered_us: answered,
        });
    }

    /// What is true now.
    pub(crate) fn truth(&self, log_failure: Option<String>) -> SandboxTruth {
        let mut rooms_open: Vec<RoomName> = self.rooms.keys().cloned().collect();
        rooms_open.sort_unstable();
        let mut entries: Vec<AcceptedEntry> =
            self.ledgers.iter().flat_map(|(room, ledger)| ledger.accepted_entries(room)).collect();
        entries.sort_unstable_by(|a, b| (&a.room, a.scenario).cmp(&(&b.room, b.scenario)));
        let runs_open = self.runs.values().filter(|run| run.ended_at.is_none()).count() as u64;
        SandboxTruth { counts: self.counts.clone(), runs_open, rooms_open, entries, log_failure }
    }
}
