//! What the coordinator knows and decides. Has no IO and reads no clock; times are microseconds since the coordinator
//! began, until they are given to the driver.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::conversion::{moved, on_session_clock};
use super::member::{Member, Standing};
use crate::clock::{ClockExchange, OffsetEstimate, RunClock, WorkerTime};
use crate::placement::{
    Availability, PlacementWait, WindowVerdict, WorkerCapacity, WorkerPlacement,
};
use crate::protocol::{
    Attached, LEASE_MARGIN, MAX_JOINS, MAX_WORKERS, NumberedUpdate, UpdateBatch, WorkerReport,
    WorkerState,
};
use rushhour_core::evaluator::{CallerUpdate, UpdateKind};
use rushhour_core::event::{FailureClass, Outcome, WorkerHealth};
use rushhour_core::units::{ForeignText, Micros, Rate, RunIndex, SessionId, SessionTime, WorkerId};

/// The share of late ticks from which a worker gets no further runs, as in the check of the session's validity.
const LATE_TICKS: f64 = 0.05;

/// Where a run is.
#[derive(Debug, Clone, Copy)]
struct PlacedRun {
    worker: WorkerId,
    /// Whether the worker said that it has it.
    accepted: bool,
    /// The clock of its worker when it was first heard of: one for all of its times, so that differences are exact.
    clock: Option<RunClock>,
}

/// What becomes of a run that is to be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    /// This worker may be asked.
    On(WorkerId),
    /// None before then, since joins of one worker keep a distance.
    Later(Micros),
    /// Every worker is full, or has just refused one.
    Full,
    /// There is no worker that could be asked.
    Nobody,
}

/// What to say to a worker once a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Acknowledgement {
    pub(super) worker: WorkerId,
    pub(super) stream: u32,
    pub(super) up_to: u64,
    pub(super) expected: u64,
}

pub(super) struct FleetState {
    session: SessionId,
    lease: Micros,
    members: BTreeMap<WorkerId, Member>,
    runs: HashMap<RunIndex, PlacedRun>,
    /// Where the session's clock stood when the coordinator began, once it counts.
    session_zero: Option<i64>,
    /// Updates that the driver was given, or will be.
    queued: u64,
    /// Updates of workers, each with how many the driver must have taken in before it is durable.
    undurable: VecDeque<(u64, WorkerId, u32, u64)>,
    /// Of a resumed session: how many events of updates the journal has of a run.
    seen: HashMap<RunIndex, u32>,
    /// Of a resumed session: runs whose audio is in the journal.
    audio_seen: HashSet<RunIndex>,
    placement: WorkerPlacement<WorkerId>,
}

impl FleetState {
    pub(super) fn new(
        session: SessionId,
        lease: Micros,
        seen: HashMap<RunIndex, u32>,
        audio_seen: HashSet<RunIndex>,
    ) -> Self {
        Self {
            session,
            lease,
            members: BTreeMap::new(),
            runs: HashMap::new(),
            session_zero: None,
            queued: 0,
            undurable: VecDeque::new(),
            seen,
            audio_seen,
            placement: WorkerPlacement::default(),
        }
    }

    /// The session's clock stood at `zero` microseconds when the coordinator began.
    pub(super) fn set_session_zero(&mut self, zero: i64) {
        self.session_zero = Some(zero);
    }

    pub(super) fn member(&self, worker: WorkerId) -> Option<&Member> {
        self.members.get(&worker)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (WorkerId, &Member)> {
        self.members.iter().map(|(id, member)| (*id, member))
    }

    pub(super) fn ready(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| member.is_ready())
    }

    /// A worker said that it is there.
    pub(super) fn heard(&mut self, report: WorkerReport, now: Micros) {
        let worker = report.worker;
        self.placement.heard(&worker, time(now));
        if let Some(member) = self.members.get_mut(&worker) {
            let is_ours =
                report.session.as_ref().is_some_and(|(session, _)| *session == self.session);
            member.heard(report, now);
            if is_ours {
                member.promised();
            }
            if member.standing == Standing::Lost {
                // Its callers are told to leave first.
                member.standing = Standing::Heard;
            }
        } else if self.members.len() < MAX_WORKERS {
            self.members.insert(worker, Member::new(report, now));
        }
        self.offer(worker, now);
    }

    /// Lets a worker have runs while it is ready. One that heard nothing for its lease is not, until it hears again.
    fn offer(&mut self, worker: WorkerId, now: Micros) {
        let Some(member) = self.members.get(&worker) else { return };
        let availability = self.placement.availability(&worker, time(now));
        let is_offered = availability.is_some_and(|one| one != Availability::Draining);
        if member.is_ready() && !is_offered {
            let joins = member.report.joins.clamp(1, MAX_JOINS);
            let Some(joins) = Rate::new(f64::from(joins)) else { return };
            let capacity = WorkerCapacity { conversations: member.report.capacity, joins };
            self.placement.join(worker, capacity, time(now));
            if availability.is_none() {
                (0..member.placed).for_each(|_| self.placement.adopt(&worker));
            }
        } else if !member.is_ready() && is_offered {
            self.placement.drain(&worker);
        }
    }

    /// Workers that are to be asked whether they hold callers for the session; each once. Whether it must forget what it
    /// held before.
    pub(super) fn take_unasked(&mut self) -> Vec<(WorkerId, bool)> {
        let mut asked = Vec::new();
        for (worker, member) in &mut self.members {
            let is_free = match &member.report.session {
                None => true,
                Some((session, _)) => *session == self.session,
            };
            let takes_runs =
                member.report.state != WorkerState::Draining || member.report.session.is_some();
            if member.standing == Standing::Heard && is_free && takes_runs {
                member.standing = Standing::Asked;
                asked.push((*worker, member.stream.is_some()));
            }
        }
        asked
    }

    /// A worker holds callers for the session; returns the runs that it holds from before.
    pub(super) fn attached(&mut self, worker: WorkerId, attached: Attached) -> Vec<RunIndex> {
        let Some(member) = self.members.get_mut(&worker) else { return Vec::new() };
        member.standing = Standing::Attached;
        member.given_up = false;
        member.refusal = None;
        if member.stream != Some(attached.stream) {
            member.stream = Some(attached.stream);
            member.expected = attached.next.max(1);
            member.durable = member.expected - 1;
            member.start_over();
        }
        for run in &attached.runs {
            let place = PlacedRun { worker, accepted: true, clock: None };
            if self.runs.insert(*run, place).is_none() {
                member.was_given_a_run();
            }
        }
        let heard = member.heard;
        self.offer(worker, heard);
        attached.runs
    }

    /// A worker does not hold callers for the session, or did not answer.
    pub(super) fn not_attached(&mut self, worker: WorkerId, why: String) {
        if let Some(member) = self.members.get_mut(&worker) {
            member.standing = Standing::Heard;
            member.refusal = Some(ForeignText::from(why).to_string());
        }
    }

    pub(super) fn clock_measured(&mut self, worker: WorkerId, exchange: ClockExchange) {
        if let Some(member) = self.members.get_mut(&worker) {
            member.clock_measured(exchange);
        }
    }

    /// Chooses a worker for a run.
    pub(super) fn place(&mut self, run: RunIndex, now: Micros) -> Placement {
        let worker = match self.placement.place(time(now)) {
            Ok(worker) => worker,
            Err(PlacementWait::Until(at)) => return Placement::Later(Micros(at.0)),
            Err(PlacementWait::ForRoom) => {
                let is_there = self.ready().next().is_some();
                return if is_there { Placement::Full } else { Placement::Nobody };
            }
        };
        if let Some(member) = self.members.get_mut(&worker) {
            member.was_given_a_run();
        }
        self.runs.insert(run, PlacedRun { worker, accepted: false, clock: None });
        Placement::On(worker)
    }

    /// The worker said that it has the run; whether that still counts. Of a run that has ended since it does.
    pub(super) fn accepted(&mut self, run: RunIndex, worker: WorkerId, stream: u32) -> bool {
        if self.is_lost(worker, stream) {
            return false;
        }
        if let Some(placed) = self.runs.get_mut(&run) {
            placed.accepted = true;
        }
        true
    }

    /// The worker does not have the run, and gets no other before it is heard of again.
    pub(super) fn refused(&mut self, run: RunIndex) {
        if let Some(placed) = self.runs.remove(&run) {
            self.placement.refused(&placed.worker);
            if let Some(member) = self.members.get_mut(&placed.worker) {
                member.placed = member.placed.saturating_sub(1);
            }
        }
    }

    /// The worker of a run that goes on.
    pub(super) fn worker_of(&self, run: RunIndex) -> Option<WorkerId> {
        self.runs.get(&run).map(|placed| placed.worker)
    }

    /// Until when everything that the caller of a run saw was given to the driver; `None` for a run that no worker holds.
    pub(super) fn heard_until(&self, run: RunIndex) -> Option<SessionTime> {
        let member = self.members.get(&self.runs.get(&run)?.worker)?;
        let until = member.heard_until;
        let heard = member.clock_at(until).zip(self.session_zero).map(|(known, zero)| {
            let earliest = RunClock::new(until, known).convert(until, Some(known)).earliest();
            moved(earliest, zero)
        });
        Some(heard.unwrap_or(SessionTime::START))
    }

    /// Whether what a worker may still hold has been given up.
    pub(super) fn is_lost(&self, worker: WorkerId, stream: u32) -> bool {
        self.members
            .get(&worker)
            .is_none_or(|member| member.given_up || member.stream != Some(stream))
    }

    /// Takes in updates; returns those that the driver has not had, on the session's clock.
    pub(super) fn updated(&mut self, batch: UpdateBatch, now: Micros) -> Vec<CallerUpdate> {
        let UpdateBatch { worker, stream, updates } = batch;
        let Some(member) = self.members.get_mut(&worker) else { return Vec::new() };
        if member.stream != Some(stream) || member.given_up {
            return Vec::new();
        }
        if member.estimate().is_none() || self.session_zero.is_none() {
            // Nobody could say when it happened; it is sent again.
            return Vec::new();
        }
        member.heard = now;
        let given_up = ended_by_worker(&updates);
        let mut fresh = Vec::new();
        for update in updates {
            let member = self.members.get_mut(&worker).expect("it was there above");
            if update.number != member.expected {
                // Repeated, or after one that was lost, which is sent again.
                continue;
            }
            member.expected += 1;
            let number = update.number;
            let clock = member.clock_at(WorkerTime::from_micros(update.at.0));
            let is_late = update.kind == UpdateKind::Joined && given_up.contains(&update.run);
            if let Some(update) = self.take_in(update, worker, clock).filter(|_| !is_late) {
                self.queued += 1;
                fresh.push(update);
            }
            self.undurable.push_back((self.queued, worker, stream, number));
        }
        if let Some(member) = self.members.get_mut(&worker) {
            member.taken_in();
        }
        fresh
    }

    fn take_in(
        &mut self,
        update: NumberedUpdate,
        worker: WorkerId,
        known: Option<OffsetEstimate>,
    ) -> Option<CallerUpdate> {
        let NumberedUpdate { of_run, run, at, mut kind, .. } = update;
        let placed = self.runs.get_mut(&run).filter(|placed| placed.worker == worker)?;
        let (at, zero) = (WorkerTime::from_micros(at.0), self.session_zero?);
        let clock = *placed.clock.get_or_insert(RunClock::new(at, known?));
        let (shift, converted) = (clock.shift_us(), clock.convert(at, known));
        if kind.is_recorded() && self.seen.get(&run).is_some_and(|seen| of_run <= *seen) {
            return None;
        }
        if let UpdateKind::Ended { frames, .. } = &mut kind {
            self.forget(run);
            self.seen.remove(&run);
            if self.audio_seen.remove(&run) {
                *frames = None;
            }
        }
        let kind = on_session_clock(kind, shift.saturating_add(zero));
        let at = moved(converted.at, zero);
        Some(CallerUpdate { run, at, within: converted.within, kind })
    }

    /// Gives up the runs of workers that were silent for longer than their lease, or serve another session: their callers
    /// have left.
    pub(super) fn expire(&mut self, now: Micros, at: SessionTime) -> Vec<CallerUpdate> {
        let patience = self.lease + Micros::from(LEASE_MARGIN);
        let mut ended = Vec::new();
        for (worker, member) in &mut self.members {
            let silent = now.saturating_sub(member.heard);
            let has_left =
                member.standing == Standing::Attached && member.has_left_for_another(&self.session);
            if member.standing == Standing::Lost || (silent < patience && !has_left) {
                continue;
            }
            let why = if has_left {
                format!("its worker {worker} holds callers for another session")
            } else {
                format!("its worker {worker} was not heard of for {silent}")
            };
            member.standing = Standing::Lost;
            member.given_up = true;
            member.placed = 0;
            self.placement.leave(worker);
            let given_up = self.runs.iter().filter(|(_, placed)| placed.worker == *worker);
            let mut given_up: Vec<(RunIndex, bool)> =
                given_up.map(|(run, placed)| (*run, placed.accepted)).collect();
            given_up.sort_unstable();
            for (run, accepted) in given_up {
                self.runs.remove(&run);
                self.seen.remove(&run);
                // Of a run that it was only asked for, whoever asked says that it failed.
                if accepted {
                    ended.push(given_up_run(run, &why, at));
                }
            }
        }
        self.queued += ended.len() as u64;
        ended
    }

    /// The journal has the first so many updates.
    pub(super) fn durable(&mut self, updates: u64) {
        while let Some((_, worker, stream, number)) =
            self.undurable.pop_front_if(|(needed, ..)| *needed <= updates)
        {
            if let Some(member) = self.members.get_mut(&worker)
                && member.stream == Some(stream)
            {
                member.durable = member.durable.max(number);
            }
        }
    }

    /// What to say to every worker that holds callers.
    pub(super) fn acknowledgements(&self) -> Vec<Acknowledgement> {
        let attached = self.members.iter().filter(|(_, one)| one.standing == Standing::Attached);
        attached
            .filter_map(|(worker, member)| {
                Some(Acknowledgement {
                    worker: *worker,
                    stream: member.stream?,
                    up_to: member.durable,
                    expected: member.expected,
                })
            })
            .collect()
    }

    /// The health of each worker that holds callers, or did.
    pub(super) fn take_health(&mut self, now: Micros) -> Vec<WorkerHealth> {
        let members = self.members.iter_mut().filter(|(_, one)| one.stream.is_some());
        let health: Vec<WorkerHealth> =
            members.map(|(worker, member)| member.take_health(*worker, now)).collect();
        for one in health.iter().filter(|one| one.ticks > 0) {
            let late = one.late_ticks as f64 / one.ticks as f64 > LATE_TICKS;
            let verdict = if late { WindowVerdict::Bad } else { WindowVerdict::Good };
            self.placement.judged(&one.worker, verdict);
        }
        health
    }

    fn forget(&mut self, run: RunIndex) {
        if let Some(placed) = self.runs.remove(&run) {
            self.placement.ended(&placed.worker);
            if let Some(member) = self.members.get_mut(&placed.worker) {
                member.placed = member.placed.saturating_sub(1);
            }
        }
    }
}

/// Runs that these updates end as the generator's fault. An agent is sent for when its caller has joined: one that came
/// now would find the caller gone, and would make its deleted room anew.
fn ended_by_worker(updates: &[NumberedUpdate]) -> HashSet<RunIndex> {
    let is_given_up = |update: &&NumberedUpdate| match &update.kind {
        UpdateKind::Ended { outcome, .. } => outcome.class() == Some(FailureClass::GeneratorFault),
        _ => false,
    };
    updates.iter().filter(is_given_up).map(|update| update.run).collect()
}

/// The coordinator's time as the placement takes it.
const fn time(now: Micros) -> SessionTime {
    SessionTime(now.0)
}

fn given_up_run(run: RunIndex, why: &str, at: SessionTime) -> CallerUpdate {
    let outcome = Outcome::failed(FailureClass::GeneratorFault, why);
    let kind = UpdateKind::Ended { outcome, frames: None };
    CallerUpdate { run, at, within: Micros::ZERO, kind }
}

#[cfg(test)]
mod tests;
