//! What a worker knows of the session that it holds callers for. Decides; has no IO and reads no clock.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::hosts::AllowedHosts;
use super::lease::Lease;
use super::outbox::Outbox;
use crate::blobs::BlobHash;
use crate::protocol::{Fence, LEAST_UPDATES, Refusal, Submit, UPDATES_PER_CALLER};
use rushhour_core::evaluator::{CallerUpdate, Evaluator, UpdateKind};
use rushhour_core::event::{FailureClass, Outcome};
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
    Live,
    /// It was told to end, because the lease is over.
    Abandoned,
    /// It has ended.
    Over,
}

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
        }
    }

    /// Callers whose conversations go on.
    pub(super) const fn live(&self) -> u32 {
        self.live
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
    pub(super) fn began(&mut self, run: RunIndex) {
        if self.runs.insert(run, RunPlace::Live).is_none() {
            self.live += 1;
        }
    }

    /// Takes in an update of a caller.
    pub(super) fn updated(&mut self, mut update: CallerUpdate) {
        if let UpdateKind::Ended { outcome, .. } = &mut update.kind {
            let place = self.runs.insert(update.run, RunPlace::Over);
            match place {
                Some(RunPlace::Live) => self.live -= 1,
                Some(RunPlace::Abandoned) => {
                    self.live -= 1;
                    let lease = self.lease.length();
                    let detail = format!("its worker heard nothing of the coordinator for {lease}");
                    *outcome = Outcome::failed(FailureClass::GeneratorFault, detail);
                }
                Some(RunPlace::Over) | None => {}
            }
        }
        self.outbox.push(update);
    }

    /// Runs that must end now, because the lease is over; each once.
    pub(super) fn abandon(&mut self, now: SessionTime) -> Vec<RunIndex> {
        if !self.lease.is_over(now) {
            return Vec::new();
        }
        self.end_all()
    }

    /// Marks every run that goes on as one that is told to end; each once.
    pub(super) fn end_all(&mut self) -> Vec<RunIndex> {
        let live = self.runs.iter_mut().filter(|(_, place)| **place == RunPlace::Live);
        let mut runs: Vec<RunIndex> = live
            .map(|(run, place)| {
                *place = RunPlace::Abandoned;
                *run
            })
            .collect();
        runs.sort_unstable();
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::BoxFuture;
    use rushhour_core::evaluator::{
        AcceptedSubmission, ConversationRequest, EvaluatorCapabilities, PollError, RunStatus,
        SubmitError,
    };
    use rushhour_core::units::{EvaluatorRunId, Mode, ScenarioId, SessionId, WorkerId};

    struct Nobody;

    impl Evaluator for Nobody {
        fn capabilities(&self) -> EvaluatorCapabilities {
            unreachable!("nobody asks")
        }

        fn submit(
            &self,
            _: Vec<ConversationRequest>,
        ) -> BoxFuture<'_, Result<AcceptedSubmission, SubmitError>> {
            unreachable!("nobody asks")
        }

        fn poll(&self, _: Vec<EvaluatorRunId>) -> BoxFuture<'_, Result<Vec<RunStatus>, PollError>> {
            unreachable!("nobody asks")
        }

        fn end_call(&self, _: EvaluatorRunId) -> BoxFuture<'_, Result<(), PollError>> {
            unreachable!("nobody asks")
        }
    }

    const NOW: SessionTime = SessionTime(1_000_000);

    fn fence(epoch: u32, coordinator: u32) -> Fence {
        let coordinator = WorkerId::new(coordinator);
        Fence { session: SessionId::new("s"), epoch, coordinator }
    }

    fn held() -> HeldSession {
        let (setup, lease) = (BlobHash::of(b"setup"), Micros::from_secs(5));
        let mut held = HeldSession::new(fence(2, 1), setup, 9, lease, NOW);
        held.callers = Callers::Ready(Arc::new(Nobody));
        held
    }

    fn submit(run: u64) -> Submit {
        Submit {
            fence: fence(2, 1),
            stream: 9,
            run: RunIndex(run),
            scenario: ScenarioId::new("1"),
            mode: Mode::Chat,
            network: None,
            livekit_url: "ws://127.0.0.1:7880".to_owned(),
            room: "room".to_owned(),
            token: "token".to_owned(),
            valid_until: SessionTime(3_000_000),
        }
    }

    fn limits(allowed: &AllowedHosts) -> WorkerLimits<'_> {
        WorkerLimits { capacity: 2, draining: false, allowed }
    }

    fn end(held: &mut HeldSession, run: u64) -> Outcome {
        let outcome = Outcome::Completed { judged: None };
        let kind = UpdateKind::Ended { outcome, frames: None };
        held.updated(CallerUpdate { run: RunIndex(run), at: NOW, within: Micros::ZERO, kind });
        let last = held.outbox.next_batch(NOW).and_then(|mut batch| batch.pop());
        match last.map(|update| update.kind) {
            Some(UpdateKind::Ended { outcome, .. }) => outcome,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_conversation_begins_once_however_often_it_is_asked_for() {
        let (mut held, allowed) = (held(), AllowedHosts::default());
        assert_eq!(held.admit(&submit(1), limits(&allowed), NOW), Ok(Admission::Begin));
        held.began(RunIndex(1));
        assert_eq!(held.admit(&submit(1), limits(&allowed), NOW), Ok(Admission::Known));
        assert_eq!((held.live(), held.open_runs()), (1, vec![RunIndex(1)]));
        end(&mut held, 1);
        assert_eq!(held.admit(&submit(1), limits(&allowed), NOW), Ok(Admission::Known));
        assert_eq!(held.live(), 0);
    }

    #[test]
    fn each_refusal_says_why() {
        let (mut held, allowed) = (held(), AllowedHosts::default());
        for run in [1, 2] {
            held.began(RunIndex(run));
        }
        let full = Refusal::Full { held: 2, capacity: 2 };
        assert_eq!(held.admit(&submit(3), limits(&allowed), NOW), Err(full));
        let draining = WorkerLimits { draining: true, ..limits(&allowed) };
        assert_eq!(held.admit(&submit(3), draining, NOW), Err(Refusal::Draining));
        let late = SessionTime(3_000_001);
        assert_eq!(held.admit(&submit(3), limits(&allowed), late), Err(Refusal::Late));
        end(&mut held, 1);
        let elsewhere = Submit { livekit_url: "wss://evil.example".to_owned(), ..submit(3) };
        let host = Refusal::HostNotAllowed { host: "evil.example".to_owned() };
        assert_eq!(held.admit(&elsewhere, limits(&allowed), NOW), Err(host));
        let given_up = Submit { stream: 8, ..submit(3) };
        let refused = Err(Refusal::UnknownSession);
        assert_eq!(held.admit(&given_up, limits(&allowed), NOW), refused);
        let other = Submit { fence: fence(1, 1), ..submit(3) };
        let refused = Refusal::OtherCoordinator { epoch: 2 };
        assert_eq!(held.admit(&other, limits(&allowed), NOW), Err(refused));
        held.callers = Callers::Failed("no clip".to_owned());
        let refused = Refusal::NotReady("no clip".to_owned());
        assert_eq!(held.admit(&submit(3), limits(&allowed), NOW), Err(refused));
    }

    #[test]
    fn a_worker_whose_updates_are_not_taken_in_begins_no_more_conversations() {
        let (mut held, allowed) = (held(), AllowedHosts::default());
        held.began(RunIndex(1));
        let most = LEAST_UPDATES + 2 * UPDATES_PER_CALLER;
        for _ in 0..most {
            let (run, kind) = (RunIndex(1), UpdateKind::AgentReady);
            held.updated(CallerUpdate { run, at: NOW, within: Micros::ZERO, kind });
        }
        let full = Refusal::BufferFull(most as u64);
        assert!(full.to_string().contains("1152 updates that were not acknowledged"), "{full}");
        assert_eq!(held.admit(&submit(2), limits(&allowed), NOW), Err(full));
        let mut sent = 0;
        while let Some(batch) = held.outbox.next_batch(NOW) {
            sent = batch.last().map_or(sent, |last| last.number);
        }
        held.outbox.acknowledge(sent, sent + 1, NOW);
        assert_eq!(held.admit(&submit(2), limits(&allowed), NOW), Ok(Admission::Begin));
    }

    #[test]
    fn only_a_later_coordinator_of_the_same_session_takes_over() {
        let (setup, lease) = (BlobHash::of(b"setup"), Micros::from_secs(5));
        let refused = Err(Refusal::OtherCoordinator { epoch: 2 });
        let mut held = held();
        assert_eq!(held.take_over(&fence(1, 7), setup, lease, NOW), refused);
        assert_eq!(
            held.take_over(&fence(2, 7), setup, lease, NOW),
            refused,
            "a copy of the folder"
        );
        assert_eq!(held.take_over(&fence(2, 1), setup, lease, NOW), Ok(()), "the same again");
        let changed = held.take_over(&fence(3, 7), BlobHash::of(b"other"), lease, NOW);
        assert!(matches!(changed, Err(Refusal::Failed(_))));
        assert_eq!(held.take_over(&fence(3, 7), setup, lease, NOW), Ok(()));
        assert!(held.obey(&fence(2, 1), NOW).is_err() && held.obey(&fence(3, 7), NOW).is_ok());
        let other = Fence { session: SessionId::new("t"), ..fence(9, 7) };
        let refused = Refusal::OtherSession { session: SessionId::new("s") };
        assert_eq!(held.take_over(&other, setup, lease, NOW), Err(refused));
    }

    #[test]
    fn callers_end_once_the_lease_is_over_and_are_not_blamed_on_anybody_else() {
        let mut held = held();
        held.began(RunIndex(1));
        held.began(RunIndex(2));
        assert_eq!(held.abandon(SessionTime(5_999_999)), []);
        assert!(matches!(end(&mut held, 1), Outcome::Completed { .. }));
        assert_eq!(held.abandon(SessionTime(6_000_000)), [RunIndex(2)]);
        assert_eq!(held.abandon(SessionTime(6_000_001)), [], "each is told once");
        let outcome = end(&mut held, 2);
        assert_eq!(outcome.class(), Some(FailureClass::GeneratorFault));
        assert_eq!(held.live(), 0);
    }
}
