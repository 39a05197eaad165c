use super::*;
use rushhour_core::event::{FramesSent, WorkerLoss};

const A: WorkerId = WorkerId::new(1);
const B: WorkerId = WorkerId::new(2);
const LEASE: Micros = Micros::from_secs(5);

fn report(worker: WorkerId, capacity: u32) -> WorkerReport {
    WorkerReport {
        worker,
        host: "host".into(),
        capacity,
        joins: 200,
        held: 0,
        state: WorkerState::Ready,
        session: None,
        unacknowledged: 0,
        last_update: 0,
        ticks: 0,
        late_ticks: 0,
        latest_tick: Micros::ZERO,
        reconnects: 0,
        heard_until: WorkerTime::from_micros(0),
    }
}

/// A beat of a worker that holds callers of the session, and whose updates up to `last` are all until `until`.
fn beat(worker: WorkerId, last: u64, until: u64) -> WorkerReport {
    WorkerReport {
        session: Some((SessionId::new("s"), 1)),
        last_update: last,
        heard_until: WorkerTime::from_micros(until),
        ..report(worker, 20)
    }
}

/// An exchange at the worker's time 1 s, whose clock is 1 s and so many microseconds behind.
fn exchange(offset: u64, round_trip: u64) -> ClockExchange {
    ClockExchange {
        sent: SessionTime(2_000_000 + offset - round_trip / 2),
        received: WorkerTime::from_micros(1_000_000),
        answered: WorkerTime::from_micros(1_000_000),
        returned: SessionTime(2_000_000 + offset + round_trip / 2),
    }
}

/// Two workers, of which B may hold twice as many callers as A.
fn state() -> FleetState {
    let session = SessionId::new("s");
    let mut state = FleetState::new(session, LEASE, HashMap::new(), HashSet::new());
    for (worker, capacity) in [(A, 10), (B, 20)] {
        state.heard(report(worker, capacity), Micros::ZERO);
        state.clock_measured(worker, exchange(0, 400));
    }
    assert_eq!(state.take_unasked(), [(A, false), (B, false)]);
    assert_eq!(state.take_unasked(), [], "each is asked once");
    state.set_session_zero(0);
    for (worker, stream) in [(A, 7), (B, 8)] {
        state.attached(worker, Attached { stream, next: 1, runs: Vec::new() });
    }
    state
}

fn stream_of(worker: WorkerId) -> u32 {
    if worker == A { 7 } else { 8 }
}

fn place(state: &mut FleetState, run: u64) -> Placement {
    // Joins of one worker follow each other at a distance.
    let placement = state.place(RunIndex(run), Micros(run * 6_000));
    if let Placement::On(worker) = placement {
        assert!(state.accepted(RunIndex(run), worker, stream_of(worker)));
    }
    placement
}

fn ended() -> UpdateKind {
    let frames = Some(FramesSent { sent: 5, late: 0, given_up: 0 });
    UpdateKind::Ended { outcome: Outcome::Completed { judged: None }, frames }
}

fn update(number: u64, of_run: u32, run: u64, kind: UpdateKind) -> NumberedUpdate {
    NumberedUpdate { number, of_run, run: RunIndex(run), at: SessionTime(2_000_000), kind }
}

fn batch(worker: WorkerId, stream: u32, updates: Vec<NumberedUpdate>) -> UpdateBatch {
    UpdateBatch { worker, stream, updates }
}

fn runs(updates: &[CallerUpdate]) -> Vec<u64> {
    updates.iter().map(|update| update.run.0).collect()
}

fn acknowledged(state: &FleetState, worker: WorkerId) -> (u64, u64) {
    let found = state.acknowledgements().into_iter().find(|one| one.worker == worker);
    found.map(|one| (one.up_to, one.expected)).expect("it is attached")
}

#[test]
fn runs_go_to_the_worker_with_the_smallest_share_taken_until_all_are_full() {
    let mut state = state();
    let mut counts = HashMap::new();
    for run in 0..30 {
        let Placement::On(worker) = place(&mut state, run) else { panic!("{run} finds no place") };
        *counts.entry(worker).or_insert(0) += 1;
        if run == 14 {
            assert_eq!((counts[&A], counts[&B]), (5, 10), "in proportion all the time");
        }
    }
    assert_eq!((counts[&A], counts[&B]), (10, 20));
    assert_eq!(place(&mut state, 30), Placement::Full);
    assert_eq!(state.worker_of(RunIndex(0)), Some(B));
    assert_eq!(state.updated(batch(B, 8, vec![update(1, 1, 0, ended())]), Micros::ZERO).len(), 1);
    assert!(matches!(place(&mut state, 31), Placement::On(_)));
}

#[test]
fn a_worker_that_refused_gets_no_other_run_before_it_is_heard_of() {
    let mut state = state();
    let Placement::On(first) = place(&mut state, 0) else { panic!("a place") };
    state.refused(RunIndex(0));
    for run in 1..4 {
        let other = place(&mut state, run);
        assert!(matches!(other, Placement::On(worker) if worker != first), "{other:?}");
    }
    state.heard(report(first, 20), Micros(20_000));
    let mut again = (4..9).map(|run| place(&mut state, run));
    assert!(again.any(|one| one == Placement::On(first)));
}

#[test]
fn a_worker_whose_ticks_are_late_gets_no_further_runs() {
    let mut state = state();
    for window in 1..=2 {
        let late = WorkerReport { ticks: window * 100, late_ticks: window * 7, ..report(B, 20) };
        state.heard(late, Micros::ZERO);
        state.take_health(Micros::ZERO);
    }
    for run in 0..10 {
        assert_eq!(place(&mut state, run), Placement::On(A));
    }
    assert_eq!(place(&mut state, 10), Placement::Full);
}

#[test]
fn an_update_is_taken_in_once_and_in_order() {
    let mut state = state();
    let Placement::On(worker) = place(&mut state, 0) else { panic!("a place") };
    let stream = if worker == A { 7 } else { 8 };
    let joined = || update(1, 1, 0, UpdateKind::Joined);
    let ready = || update(2, 2, 0, UpdateKind::AgentReady);
    // The first is lost on its way.
    assert_eq!(state.updated(batch(worker, stream, vec![ready()]), Micros::ZERO), []);
    assert_eq!(acknowledged(&state, worker), (0, 1));
    let found = state.updated(batch(worker, stream, vec![joined(), ready()]), Micros::ZERO);
    assert_eq!(runs(&found), [0, 0]);
    let again = state.updated(batch(worker, stream, vec![joined(), ready()]), Micros::ZERO);
    assert_eq!(again, []);
    // Nobody takes what another count, or another worker, says of it.
    let of_other = batch(worker, 99, vec![update(3, 3, 0, ended())]);
    assert_eq!(state.updated(of_other, Micros::ZERO), []);
    let (other, stream) = if worker == A { (B, 8) } else { (A, 7) };
    let foreign = batch(other, stream, vec![update(1, 1, 0, ended())]);
    assert_eq!(state.updated(foreign, Micros::ZERO), []);
}

#[test]
fn only_what_is_durable_is_acknowledged() {
    let mut state = state();
    let Placement::On(worker) = place(&mut state, 0) else { panic!("a place") };
    let stream = if worker == A { 7 } else { 8 };
    let updates = vec![update(1, 1, 0, UpdateKind::Joined), update(2, 2, 0, ended())];
    assert_eq!(state.updated(batch(worker, stream, updates), Micros::ZERO).len(), 2);
    assert_eq!(acknowledged(&state, worker), (0, 3));
    state.durable(1);
    assert_eq!(acknowledged(&state, worker), (1, 3));
    state.durable(2);
    assert_eq!(acknowledged(&state, worker), (2, 3));
}

#[test]
fn times_of_a_run_are_converted_with_one_offset() {
    let mut state = state();
    state.set_session_zero(-500_000);
    let Placement::On(worker) = place(&mut state, 0) else { panic!("a place") };
    let stream = if worker == A { 7 } else { 8 };
    let joined = vec![update(1, 1, 0, UpdateKind::Joined)];
    let found = state.updated(batch(worker, stream, joined), Micros::ZERO);
    let (at, within) = (found[0].at, found[0].within);
    assert_eq!(at, SessionTime(2_500_000));
    assert!(within >= Micros(200) && within < Micros(2_000), "{within}");
    // A better measure comes later.
    state.clock_measured(worker, exchange(150, 10));
    let next = vec![update(2, 2, 0, UpdateKind::AgentReady)];
    let found = state.updated(batch(worker, stream, next), Micros::ZERO);
    assert_eq!(found[0].at, at, "the same moment is the same time");
    assert!(found[0].within >= Micros(150), "{}", found[0].within);
}

#[test]
fn a_worker_that_is_silent_for_longer_than_its_lease_loses_its_runs_and_no_other_does() {
    let mut state = state();
    for run in 0..6 {
        place(&mut state, run);
    }
    let of_a: Vec<u64> = (0..6).filter(|run| state.worker_of(RunIndex(*run)) == Some(A)).collect();
    let late = LEASE + Micros::from(LEASE_MARGIN);
    state.heard(report(B, 20), late);
    assert_eq!(state.expire(late.saturating_sub(Micros(1)), SessionTime(9)), []);
    let lost = state.expire(late, SessionTime(9));
    assert_eq!(runs(&lost), of_a);
    for update in &lost {
        let UpdateKind::Ended { outcome, .. } = &update.kind else { panic!("{update:?}") };
        assert_eq!(outcome.class(), Some(FailureClass::GeneratorFault));
    }
    assert_eq!(state.expire(late, SessionTime(9)), [], "once");
    assert!(state.is_lost(A, 7) && !state.is_lost(B, 8));
    let health = state.take_health(late);
    assert_eq!(
        health.iter().map(|one| one.lost).collect::<Vec<_>>(),
        [Some(WorkerLoss::Silent), None]
    );
    // What it still says is of runs that are given up, until it has forgotten them.
    let late_news = batch(A, 7, vec![update(1, 1, of_a[0], ended())]);
    assert_eq!(state.updated(late_news, late), []);
    state.heard(report(A, 10), late);
    assert!(state.is_lost(A, 7), "until it has forgotten them");
    assert_eq!(state.take_unasked(), [(A, true)], "it is told to forget first");
    state.attached(A, Attached { stream: 77, next: 1, runs: Vec::new() });
    assert!(matches!(state.place(RunIndex(50), late), Placement::On(_)));
}

#[test]
fn a_run_that_was_only_asked_for_is_left_to_whoever_asks() {
    let mut state = state();
    let Placement::On(worker) = state.place(RunIndex(0), Micros::ZERO) else { panic!("a place") };
    let stream = if worker == A { 7 } else { 8 };
    let late = LEASE + Micros::from(LEASE_MARGIN);
    assert_eq!(state.expire(late, SessionTime(9)), []);
    assert!(!state.accepted(RunIndex(0), worker, stream), "the answer came too late");
    assert!(state.is_lost(worker, stream) && state.worker_of(RunIndex(0)).is_none());
    assert_eq!(state.place(RunIndex(1), late), Placement::Nobody);
}

#[test]
fn a_resumed_session_takes_in_what_its_journal_does_not_have() {
    let (session, seen) = (SessionId::new("s"), HashMap::from([(RunIndex(3), 2)]));
    let mut state = FleetState::new(session, LEASE, seen, HashSet::from([RunIndex(3)]));
    state.heard(report(A, 10), Micros::ZERO);
    state.take_unasked();
    // Numbers 1 to 5 were acknowledged before the crash.
    let attached = Attached { stream: 7, next: 6, runs: vec![RunIndex(3), RunIndex(4)] };
    assert_eq!(state.attached(A, attached), [RunIndex(3), RunIndex(4)]);
    assert_eq!(acknowledged(&state, A), (5, 6));
    let early = vec![update(6, 2, 3, UpdateKind::AgentReady)];
    assert_eq!(state.updated(batch(A, 7, early), Micros::ZERO), []);
    assert_eq!(acknowledged(&state, A), (5, 6), "nobody knows its clock yet");
    state.clock_measured(A, exchange(0, 400));
    let early = vec![update(6, 2, 3, UpdateKind::AgentReady)];
    assert_eq!(state.updated(batch(A, 7, early), Micros::ZERO), [], "nor the session's");
    state.set_session_zero(0);
    let updates = vec![
        update(6, 2, 3, UpdateKind::AgentReady),
        update(7, 2, 3, UpdateKind::HiddenAgent),
        update(8, 3, 3, UpdateKind::Greeted),
        update(9, 1, 4, UpdateKind::Joined),
        update(10, 4, 3, ended()),
    ];
    let found = state.updated(batch(A, 7, updates), Micros::ZERO);
    assert_eq!(runs(&found), [3, 3, 4, 3], "the second event of run 3 is in the journal");
    let frames = found.iter().find_map(|one| match &one.kind {
        UpdateKind::Ended { frames, .. } => Some(*frames),
        _ => None,
    });
    assert_eq!(frames, Some(None), "and its audio");
    // What was there before counts as durable with what comes before it.
    state.durable(0);
    assert_eq!(acknowledged(&state, A).0, 6);
    state.durable(4);
    assert_eq!(acknowledged(&state, A), (10, 11));
}

#[test]
fn workers_of_other_sessions_and_those_that_drain_are_not_asked() {
    let mut state = FleetState::new(SessionId::new("s"), LEASE, HashMap::new(), HashSet::new());
    let busy = WorkerReport { session: Some((SessionId::new("t"), 1)), ..report(A, 10) };
    let draining = WorkerReport { state: WorkerState::Draining, ..report(B, 10) };
    state.heard(busy, Micros::ZERO);
    state.heard(draining, Micros::ZERO);
    assert_eq!(state.take_unasked(), []);
    assert_eq!(state.place(RunIndex(0), Micros::ZERO), Placement::Nobody);
    state.heard(report(A, 10), Micros::ZERO);
    assert_eq!(state.take_unasked(), [(A, false)], "it is free now");
}

#[test]
fn joins_of_a_worker_keep_their_distance() {
    let mut state = state();
    let both = [0, 1].map(|run| state.place(RunIndex(run), Micros::ZERO));
    assert!(both.contains(&Placement::On(A)) && both.contains(&Placement::On(B)), "{both:?}");
    let Placement::Later(at) = state.place(RunIndex(2), Micros::ZERO) else { panic!("too early") };
    assert!(matches!(state.place(RunIndex(2), at), Placement::On(_)));
}

#[test]
fn no_agent_is_sent_for_where_the_worker_had_given_up_before_its_caller_was_heard_of() {
    let mut state = state();
    assert_eq!(place(&mut state, 1), Placement::On(B));
    assert_eq!(place(&mut state, 2), Placement::On(A));
    let fault = Outcome::failed(FailureClass::GeneratorFault, "its worker heard nothing");
    let given_up = UpdateKind::Ended { outcome: fault, frames: None };
    let updates = vec![update(1, 1, 1, UpdateKind::Joined), update(2, 2, 1, given_up)];
    let fresh = state.updated(batch(B, 8, updates), Micros::from_secs(2));
    assert!(
        matches!(fresh[..], [CallerUpdate { kind: UpdateKind::Ended { .. }, .. }]),
        "{fresh:?}"
    );
    // A conversation that only ended quickly is told as it was.
    let updates = vec![update(1, 1, 2, UpdateKind::Joined), update(2, 2, 2, ended())];
    assert_eq!(state.updated(batch(A, 7, updates), Micros::from_secs(2)).len(), 2);
    // Both are acknowledged whole.
    let expected: Vec<u64> = state.acknowledgements().iter().map(|one| one.expected).collect();
    assert_eq!(expected, [3, 3]);
}

#[test]
fn a_caller_was_heard_until_the_last_beat_whose_updates_are_all_there() {
    let mut state = state();
    assert_eq!(place(&mut state, 0), Placement::On(B));
    let heard = |state: &FleetState| state.heard_until(RunIndex(0)).expect("a worker holds it");
    let near = |heard: SessionTime, expected: u64| {
        // The worker's clock is 1 s behind, and known within some 200 us.
        let below = SessionTime(expected).since(heard);
        assert!(below > Micros(100) && below < Micros(3_000), "{heard:?} is not near {expected}");
    };
    state.heard(beat(B, 0, 1_500_000), Micros::ZERO);
    near(heard(&state), 2_500_000);
    // A beat that overtakes an update counts once that is there.
    state.heard(beat(B, 1, 2_500_000), Micros::ZERO);
    state.heard(beat(B, 2, 3_500_000), Micros::ZERO);
    near(heard(&state), 2_500_000);
    let joined = vec![update(1, 1, 0, UpdateKind::Joined)];
    assert_eq!(state.updated(batch(B, 8, joined), Micros::ZERO).len(), 1);
    near(heard(&state), 3_500_000);
    // One that lets go of the session for the time being says nothing of its callers.
    let let_go = WorkerReport { session: None, ..beat(B, 0, 9_000_000) };
    state.heard(let_go, Micros::ZERO);
    near(heard(&state), 3_500_000);
    let ready = vec![update(2, 2, 0, UpdateKind::AgentReady)];
    state.updated(batch(B, 8, ready), Micros::ZERO);
    state.heard(beat(B, 2, 4_500_000), Micros::ZERO);
    near(heard(&state), 5_500_000);
    assert_eq!(state.heard_until(RunIndex(7)), None, "nobody holds it");
}

#[test]
fn of_a_worker_whose_clock_is_not_known_nothing_was_heard() {
    let (session, seen) = (SessionId::new("s"), HashMap::new());
    let mut state = FleetState::new(session, LEASE, seen, HashSet::new());
    state.heard(report(A, 10), Micros::ZERO);
    state.take_unasked();
    state.attached(A, Attached { stream: 7, next: 1, runs: vec![RunIndex(3)] });
    state.heard(beat(A, 0, 1_500_000), Micros::ZERO);
    assert_eq!(state.heard_until(RunIndex(3)), Some(SessionTime::START));
}

#[test]
fn a_worker_that_serves_another_session_has_lost_the_runs_of_this_one() {
    let mut state = state();
    assert_eq!(place(&mut state, 0), Placement::On(B));
    let other = WorkerReport { session: Some((SessionId::new("t"), 1)), ..report(B, 20) };
    state.heard(other, Micros::ZERO);
    let lost = state.expire(Micros::from_secs(1), SessionTime(9));
    assert_eq!(runs(&lost), [0]);
    let UpdateKind::Ended { outcome: Outcome::Failed { class, detail }, .. } = &lost[0].kind else {
        panic!("{lost:?}")
    };
    assert_eq!(*class, FailureClass::GeneratorFault);
    assert!(detail.as_str().contains("holds callers for another session"), "{detail}");
    assert_eq!(state.take_unasked(), [], "nor is it asked for more");
}

#[test]
fn a_worker_that_let_go_for_a_while_gets_runs_again() {
    let mut state = state();
    // Full but for one.
    for run in 0..29 {
        assert!(matches!(place(&mut state, run), Placement::On(_)));
    }
    // The coordinator stood still for longer than the lease: idle workers hold no session until they hear of it again.
    for worker in [A, B] {
        let capacity = if worker == A { 10 } else { 20 };
        let let_go = WorkerReport { state: WorkerState::Idle, ..report(worker, capacity) };
        state.heard(let_go, Micros(200_000));
    }
    assert_eq!(place(&mut state, 40), Placement::Nobody);
    for worker in [A, B] {
        let capacity = if worker == A { 10 } else { 20 };
        state.heard(report(worker, capacity), Micros(1_200_000));
    }
    assert!(matches!(place(&mut state, 400), Placement::On(_)));
    assert_eq!(place(&mut state, 401), Placement::Full, "what they hold is counted once");
}
