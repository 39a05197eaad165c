//! What a worker knows of the session that it holds callers for. Decides; has no IO and reads no clock.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::hosts::AllowedHosts;
use super::lease::Lease;
use super::outbox::Outbox;
use crate::blobs::BlobHash;
use crate::protocol::{Fence, LEAST_UPDATES, Refusal, Submit, UPDATES_PER_CALLER};
use rushhour_core::evaluator::{CallerUpdate, Evaluator, UpdateKind};
use rushhour_core::event::{FailureClass, Outcome, ResponsibleParty};
use rushhour_core::units::{Micros, RunIndex, SessionTime};

/// How far the session's callers are prepared.
pub(super) enum Callers {
    Preparing,
    Ready(Arc<dyn Evaluator>),
    Failed(String),
}

/// Where a run that was accepted stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunPlace {
    /// Its conversation goes on.
    Live {
        /// Since when.
        since: SessionTime,
    },
    /// It was told to end.
    Ending(EndReason),
    /// It has ended.
    Over,
}

/// Why a worker ends conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndReason {
    /// The lease is over.
    LeaseOver,
    /// The session is over.
    Released,
    /// Somebody stops the worker, and does not wait.
    WorkerStops,
}

/// After a process stood still, its callers' conversations may fail because of that for so long: agents and servers give
/// up whom they do not hear from.
const STILL_FELT_FOR: Micros = Micros::from_secs(30);

pub(super) struct HeldSession {
    pub(super) fence: Fence,
    pub(super) setup: BlobHash,
    pub(super) stream: u32,
    pub(super) callers: Callers,
    pub(super) outbox: Outbox,
    pub(super) lease: Lease,
    /// Every run that was accepted, so that a request that is repeated is answered as before.
    runs: HashMap<RunIndex, RunPlace>,
    live: u32,
    /// For how long the process stood still, and until when.
    stood_still: Option<(Micros, SessionTime)>,
}

/// What the worker is, for a decision about a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct WorkerLimits<'a> {
    pub(super) capacity: u32,
    pub(super) draining: bool,
    pub(super) allowed: &'a AllowedHosts,
}

/// What to do about a conversation that is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Begin it.
    Begin,
    /// It was accepted before.
    Known,
}

impl HeldSession {
    pub(super) fn new(
        fence: Fence,
        setup: BlobHash,
        stream: u32,
        lease: Micros,
        now: SessionTime,
    ) -> Self {
        Self {
            fence,
            setup,
            stream,
            callers: Callers::Preparing,
            outbox: Outbox::default(),
            lease: Lease::new(lease, now),
            runs: HashMap::new(),
            live: 0,
            stood_still: None,
        }
    }

    /// Callers whose conversations go on.
    pub(super) const fn live(&self) -> u32 {
        self.live
    }

    /// Whether nobody commands it any more and no conversation goes on: what it keeps for a coordinator that may be resumed
    /// keeps nobody else away.
    pub(super) const fn is_let_go(&self, now: SessionTime) -> bool {
        self.lease.is_over(now) && self.live == 0
    }

    /// Runs whose conversation goes on, or whose updates are not all acknowledged.
    pub(super) fn open_runs(&self) -> Vec<RunIndex> {
        let live = self.runs.iter().filter(|(_, place)| **place != RunPlace::Over);
        let mut runs: HashSet<RunIndex> = live.map(|(run, _)| *run).collect();
        runs.extend(self.outbox.runs());
        let mut runs: Vec<RunIndex> = runs.into_iter().collect();
        runs.sort_unstable();
        runs
    }

    /// Whether a command is of the coordinator that this worker obeys; it then is a sign of life.
    pub(super) fn obey(&mut self, fence: &Fence, now: SessionTime) -> Result<(), Refusal> {
        if fence.session != self.fence.session {
            return Err(Refusal::OtherSession { session: self.fence.session.clone() });
        }
        if *fence != self.fence {
            return Err(Refusal::OtherCoordinator { epoch: self.fence.epoch });
        }
        self.lease.renew(now);
        Ok(())
    }

    /// Lets a coordinator take over, which may be the same one.
    ///
    /// # Errors
    /// Another one commands, or this one is of another session that is not over.
    pub(super) fn take_over(
        &mut self,
        fence: &Fence,
        setup: BlobHash,
        lease: Micros,
        now: SessionTime,
    ) -> Result<(), Refusal> {
        if fence.session != self.fence.session {
            return Err(Refusal::OtherSession { session: self.fence.session.clone() });
        }
        if *fence == self.fence {
            self.lease.renew(now);
            return Ok(());
        }
        // Of two that were resumed from copies of a folder, one alone may command.
        let least = self.fence.epoch.saturating_add(u32::from(!self.lease.is_over(now)));
        if fence.epoch < least {
            return Err(Refusal::OtherCoordinator { epoch: self.fence.epoch });
        }
        if setup != self.setup {
            return Err(Refusal::Failed(
                "the session's scripts or clips are not those that it began with".to_owned(),
            ));
        }
        self.fence = fence.clone();
        self.lease = Lease::new(lease, now);
        self.outbox.start_over();
        Ok(())
    }

    /// Whether a conversation may begin.
    pub(super) fn admit(
        &mut self,
        submit: &Submit,
        limits: WorkerLimits<'_>,
        now: SessionTime,
    ) -> Result<Admission, Refusal> {
        self.obey(&submit.fence, now)?;
        if submit.stream != self.stream {
            return Err(Refusal::UnknownSession);
        }
        if self.runs.contains_key(&submit.run) {
            return Ok(Admission::Known);
        }
        if limits.draining {
            return Err(Refusal::Draining);
        }
        match &self.callers {
            Callers::Ready(_) => {}
            Callers::Preparing => {
                return Err(Refusal::NotReady("it fetches scripts and clips".to_owned()));
            }
            Callers::Failed(why) => return Err(Refusal::NotReady(why.clone())),
        }
        if now > submit.valid_until {
            return Err(Refusal::Late);
        }
        if self.live >= limits.capacity {
            return Err(Refusal::Full { held: self.live, capacity: limits.capacity });
        }
        let kept = self.outbox.len();
        if kept >= LEAST_UPDATES + limits.capacity as usize * UPDATES_PER_CALLER {
            return Err(Refusal::BufferFull(kept as u64));
        }
        if let Some(host) = limits.allowed.refuses(&submit.livekit_url) {
            return Err(Refusal::HostNotAllowed { host });
        }
        Ok(Admission::Begin)
    }

    /// A conversation has begun.
    pub(super) fn began(&mut self, run: RunIndex, now: SessionTime) {
        if self.runs.insert(run, RunPlace::Live { since: now }).is_none() {
            self.live += 1;
        }
    }

    /// The process stood still for so long, until now.
    pub(super) fn stood_still(&mut self, still: Micros, now: SessionTime) {
        self.stood_still = Some((still, now));
    }

    /// Takes in an update of a caller.
    pub(super) fn updated(&mut self, mut update: CallerUpdate, now: SessionTime) {
        match &mut update.kind {
            UpdateKind::Turn(turn) => {
                let end = turn.done.or(turn.last).unwrap_or(update.at);
                turn.away |= self.stood_still_between(turn.said, end);
            }
            UpdateKind::Ended { outcome, .. } => {
                let place = self.runs.insert(update.run, RunPlace::Over);
                if matches!(place, Some(RunPlace::Live { .. } | RunPlace::Ending(_))) {
                    self.live -= 1;
                }
                if let Some(detail) = place.and_then(|place| self.own_fault(place, outcome, now)) {
                    *outcome = Outcome::failed(FailureClass::GeneratorFault, detail);
                }
            }
            _ => {}
        }
        self.outbox.push(update);
    }

    /// Whether the process stood still during a time: what was measured then is not the agent's.
    fn stood_still_between(&self, from: SessionTime, to: SessionTime) -> bool {
        self.stood_still.is_some_and(|(still, until)| from < until && to > until - still)
    }

    /// What this worker did to a conversation that ended so, if it did anything: that is nobody else's fault.
    fn own_fault(&self, place: RunPlace, outcome: &Outcome, now: SessionTime) -> Option<String> {
        let without_a_word =
            || format!("its worker heard nothing of the coordinator for {}", self.lease.length());
        let since = match place {
            RunPlace::Ending(EndReason::LeaseOver) => return Some(without_a_word()),
            RunPlace::Ending(EndReason::Released) => {
                return Some("its worker was told that the session is over".to_owned());
            }
            RunPlace::Ending(EndReason::WorkerStops) => {
                return Some("its worker was stopped".to_owned());
            }
            RunPlace::Live { since } => since,
            RunPlace::Over => return None,
        };
        let Outcome::Failed { class, detail } = outcome else { return None };
        if class.party() == ResponsibleParty::Generator {
            return None;
        }
        if self.lease.is_over(now) {
            return Some(without_a_word());
        }
        let (still, until) = self.stood_still?;
        let is_felt = since < until && now.since(until) <= STILL_FELT_FOR;
        is_felt.then(|| format!("its worker stood still for {still}; then {detail}"))
    }

    /// Runs that must end now, because the lease is over; each once.
    pub(super) fn abandon(&mut self, now: SessionTime) -> Vec<RunIndex> {
        if !self.lease.is_over(now) {
            return Vec::new();
        }
        self.end_all(EndReason::LeaseOver)
    }

    /// Marks every run that goes on as one that is told to end; each once.
    pub(super) fn end_all(&mut self, why: EndReason) -> Vec<RunIndex> {
        let live = self.runs.iter_mut().filter(|(_, place)| matches!(place, RunPlace::Live { .. }));
        let mut runs: Vec<RunIndex> = live
            .map(|(run, place)| {
                *place = RunPlace::Ending(why);
                *run
            })
            .collect();
        runs.sort_unstable();
        runs
    }
}

#[cfg(test)]
mod tests;
