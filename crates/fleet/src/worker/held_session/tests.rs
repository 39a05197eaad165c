use super::*;
use rushhour_core::BoxFuture;
use rushhour_core::evaluator::{
    AcceptedSubmission, ConversationRequest, EvaluatorCapabilities, PollError, RunStatus,
    SubmitError,
};
use rushhour_core::event::{Turn, TurnEnding};
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
    end_as(held, run, Outcome::Completed { judged: None }, NOW)
}

/// How a conversation is told to have ended whose caller says so at `now`.
fn end_as(held: &mut HeldSession, run: u64, outcome: Outcome, now: SessionTime) -> Outcome {
    let kind = UpdateKind::Ended { outcome, frames: None };
    let update = CallerUpdate { run: RunIndex(run), at: NOW, within: Micros::ZERO, kind };
    held.updated(update, now);
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
    held.began(RunIndex(1), NOW);
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
        held.began(RunIndex(run), NOW);
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
    held.began(RunIndex(1), NOW);
    let most = LEAST_UPDATES + 2 * UPDATES_PER_CALLER;
    for _ in 0..most {
        let (run, kind) = (RunIndex(1), UpdateKind::AgentReady);
        held.updated(CallerUpdate { run, at: NOW, within: Micros::ZERO, kind }, NOW);
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
    assert_eq!(held.take_over(&fence(2, 7), setup, lease, NOW), refused, "a copy of the folder");
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
    held.began(RunIndex(1), NOW);
    held.began(RunIndex(2), NOW);
    assert_eq!(held.abandon(SessionTime(5_999_999)), []);
    assert!(matches!(end(&mut held, 1), Outcome::Completed { .. }));
    assert_eq!(held.abandon(SessionTime(6_000_000)), [RunIndex(2)]);
    assert_eq!(held.abandon(SessionTime(6_000_001)), [], "each is told once");
    let outcome = end(&mut held, 2);
    assert_eq!(outcome.class(), Some(FailureClass::GeneratorFault));
    assert_eq!(held.live(), 0);
}

fn agent_left() -> Outcome {
    Outcome::failed(FailureClass::AgentLeft, "the agent left")
}

fn after(seconds: u64) -> SessionTime {
    NOW + Micros::from_secs(seconds)
}

#[test]
fn what_fails_once_the_lease_is_over_is_not_blamed_on_the_agent_before_callers_are_told() {
    let mut held = held();
    for run in 1..=3 {
        held.began(RunIndex(run), NOW);
    }
    assert_eq!(end_as(&mut held, 1, agent_left(), after(4)), agent_left());
    let outcome = end_as(&mut held, 2, agent_left(), after(5));
    assert_eq!(outcome.class(), Some(FailureClass::GeneratorFault));
    let completed = Outcome::Completed { judged: None };
    assert_eq!(end_as(&mut held, 3, completed.clone(), after(5)), completed);
    assert_eq!(held.live(), 0);
}

#[test]
fn a_process_that_stood_still_is_the_cause_of_what_fails_soon_after() {
    let mut held = held();
    held.lease = Lease::new(Micros::from_secs(60), NOW);
    for run in 1..=3 {
        held.began(RunIndex(run), NOW);
    }
    held.stood_still(Micros::from_secs(7), after(8));
    held.began(RunIndex(4), after(9));
    let outcome = end_as(&mut held, 1, agent_left(), after(10));
    assert_eq!(outcome.class(), Some(FailureClass::GeneratorFault));
    let completed = Outcome::Completed { judged: None };
    assert_eq!(end_as(&mut held, 2, completed.clone(), after(10)), completed);
    assert_eq!(end_as(&mut held, 3, agent_left(), after(39)), agent_left(), "long after");
    assert_eq!(end_as(&mut held, 4, agent_left(), after(10)), agent_left(), "it began after");
}

#[test]
fn a_worker_that_is_stopped_says_so() {
    let mut held = held();
    held.began(RunIndex(1), NOW);
    assert_eq!(held.end_all(EndReason::WorkerStops), [RunIndex(1)]);
    let Outcome::Failed { class, detail } = end_as(&mut held, 1, agent_left(), NOW) else {
        panic!("it failed")
    };
    assert_eq!((class, detail.as_str()), (FailureClass::GeneratorFault, "its worker was stopped"));
}

#[test]
fn a_turn_that_the_process_stood_still_in_is_marked() {
    let mut held = held();
    held.began(RunIndex(1), NOW);
    // From 4 s to 8 s.
    held.stood_still(Micros::from_secs(4), after(8));
    for (said, done, is_away) in [(1, 3, false), (3, 8, true), (5, 9, true), (8, 9, false)] {
        let turn = Turn {
            first: Some(after(done)),
            last: Some(after(done)),
            done: Some(after(done)),
            ..Turn::new(1, after(said), TurnEnding::Answered)
        };
        let kind = UpdateKind::Turn(Box::new(turn));
        let update = CallerUpdate { run: RunIndex(1), at: after(9), within: Micros::ZERO, kind };
        held.updated(update, after(9));
        let last = held.outbox.next_batch(NOW).and_then(|mut batch| batch.pop());
        let Some(UpdateKind::Turn(turn)) = last.map(|update| update.kind) else {
            panic!("the turn is sent")
        };
        assert_eq!(turn.away, is_away, "from {said} s to {done} s");
    }
}
