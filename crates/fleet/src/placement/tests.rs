use proptest::prelude::*;

use super::*;

const NOW: SessionTime = SessionTime(60_000_000);

fn capacity(conversations: u32) -> WorkerCapacity {
    WorkerCapacity { conversations, joins: "100000/s".parse().unwrap() }
}

/// Workers 0, 1, ... with these capacities.
fn workers(capacities: &[u32]) -> WorkerPlacement<usize> {
    let mut placement = WorkerPlacement::default();
    for (worker, conversations) in capacities.iter().enumerate() {
        placement.join(worker, capacity(*conversations), NOW);
    }
    placement
}

/// Places one at a time, each after the last worker's next join.
fn place_many(placement: &mut WorkerPlacement<usize>, count: usize) -> Vec<usize> {
    let mut place = |_| {
        let moment = NOW + Micros(100 * placement.placed);
        placement.place(moment).unwrap()
    };
    (0..count).map(&mut place).collect()
}

#[test]
fn equal_workers_take_turns() {
    let mut placement = workers(&[10, 10, 10]);
    assert_eq!(place_many(&mut placement, 6), [0, 1, 2, 0, 1, 2]);
    // The one that lost a conversation is emptiest.
    placement.ended(&1);
    assert_eq!(placement.place(NOW + Micros(10_000)), Ok(1));
}

#[test]
fn each_gets_its_share_of_what_it_can_hold() {
    let mut placement = workers(&[10, 30, 60]);
    place_many(&mut placement, 50);
    assert_eq!([0, 1, 2].map(|worker| placement.held(&worker)), [5, 15, 30]);
    place_many(&mut placement, 50);
    assert_eq!([0, 1, 2].map(|worker| placement.held(&worker)), [10, 30, 60]);
    assert_eq!(placement.place(NOW + Micros(900_000)), Err(PlacementWait::ForRoom));
    assert_eq!(placement.availability(&0, NOW), Some(Availability::Full));
    placement.ended(&0);
    assert_eq!(placement.place(NOW + Micros(900_000)), Ok(0));
}

#[test]
fn joins_of_one_worker_keep_their_distance() {
    let mut placement = WorkerPlacement::default();
    let ten_a_second = WorkerCapacity { conversations: 100, joins: "10/s".parse().unwrap() };
    placement.join('a', ten_a_second, NOW);
    placement.join('b', ten_a_second, NOW + Micros(40_000));
    let later = |millis: u64| NOW + Micros::from_millis(millis);
    assert_eq!(placement.place(NOW), Ok('a'));
    assert_eq!(placement.place(later(30)), Err(PlacementWait::Until(later(40))));
    assert_eq!(placement.place(later(40)), Ok('b'));
    assert_eq!(placement.place(later(41)), Err(PlacementWait::Until(later(100))));
    // An idle second allows no burst.
    assert!(placement.place(later(1_100)).is_ok() && placement.place(later(1_100)).is_ok());
    assert_eq!(placement.place(later(1_100)), Err(PlacementWait::Until(later(1_200))));
}

#[test]
fn a_late_worker_is_out_after_two_bad_windows_and_back_after_six_good_ones() {
    use WindowVerdict::{Bad, Good};
    let mut placement = workers(&[10]);
    let mut after = |windows: &[WindowVerdict]| {
        for window in windows {
            placement.judged(&0, *window);
        }
        placement.availability(&0, NOW).unwrap()
    };
    assert_eq!(after(&[Bad, Good, Bad, Good, Bad]), Availability::Accepting);
    assert_eq!(after(&[Bad]), Availability::Late);
    assert_eq!(after(&[Good; 5]), Availability::Late);
    assert_eq!(after(&[Bad]), Availability::Late);
    assert_eq!(after(&[Good; 5]), Availability::Late);
    assert_eq!(after(&[Good]), Availability::Accepting);
    assert_eq!(after(&[Bad]), Availability::Accepting);
}

#[test]
fn silent_draining_and_refusing_workers_take_no_more() {
    let mut placement = workers(&[10, 10, 10, 10]);
    let later = NOW + SILENT_AFTER + Micros(1);
    for worker in [0, 1, 2] {
        placement.heard(&worker, later);
    }
    placement.drain(&1);
    assert_eq!(placement.capacity(later), 20);
    assert_eq!(placement.place(later), Ok(0));
    assert_eq!(placement.place(later), Ok(2));
    placement.refused(&2);
    assert_eq!(
        (placement.held(&2), placement.availability(&2, later)),
        (0, Some(Availability::Full))
    );
    assert_eq!(placement.availability(&1, later), Some(Availability::Draining));
    assert_eq!(placement.availability(&3, later), Some(Availability::Silent));
    let after = later + Micros::from_secs(1);
    assert_eq!(placement.place(after), Ok(0));
    placement.heard(&2, after);
    assert_eq!(placement.place(after), Ok(2));
    placement.heard(&3, after);
    assert_eq!(placement.place(after), Ok(3));
}

#[test]
fn a_worker_that_left_is_forgotten_and_what_it_left_does_no_harm() {
    let mut placement = workers(&[10, 10]);
    place_many(&mut placement, 4);
    assert_eq!(placement.leave(&0), 2);
    placement.ended(&0);
    placement.refused(&0);
    placement.heard(&0, NOW);
    assert_eq!((placement.availability(&0, NOW), placement.leave(&0)), (None, 0));
    assert_eq!(place_many(&mut placement, 8).len(), 8);
    assert_eq!(workers(&[]).place(NOW), Err(PlacementWait::ForRoom));
    assert_eq!(workers(&[0]).place(NOW), Err(PlacementWait::ForRoom));
}

#[test]
fn adopted_conversations_count() {
    let mut placement = workers(&[4, 4]);
    for _ in 0..3 {
        placement.adopt(&0);
    }
    assert_eq!(place_many(&mut placement, 3), [1, 1, 1]);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Place,
    End(usize),
    Refuse(usize),
    Hear(usize),
    Judge(usize, bool),
    Drain(usize),
    Leave(usize),
    Join(usize, u32),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let worker = || 0..6_usize;
    let step = prop_oneof![
        8 => Just(Step::Place),
        3 => worker().prop_map(Step::End),
        1 => worker().prop_map(Step::Refuse),
        3 => worker().prop_map(Step::Hear),
        2 => (worker(), any::<bool>()).prop_map(|(worker, good)| Step::Judge(worker, good)),
        1 => worker().prop_map(Step::Drain),
        1 => worker().prop_map(Step::Leave),
        2 => (worker(), 0..8_u32).prop_map(|(worker, capacity)| Step::Join(worker, capacity)),
        2 => (0..1_000_000_u64).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn nobody_gets_more_than_it_can_hold_and_only_those_that_accept_get_any(steps in steps()) {
        let mut placement = workers(&[3, 5, 8]);
        let mut now = NOW;
        for step in steps {
            match step {
                Step::Place => {
                    let before = placement.clone();
                    match placement.place(now) {
                        Ok(worker) => {
                            let availability = before.availability(&worker, now);
                            prop_assert_eq!(availability, Some(Availability::Accepting));
                            prop_assert_eq!(placement.held(&worker), before.held(&worker) + 1);
                        }
                        Err(PlacementWait::Until(at)) => prop_assert!(at > now),
                        Err(PlacementWait::ForRoom) => {
                            let accepts = |worker: &usize| {
                                before.availability(worker, now) == Some(Availability::Accepting)
                            };
                            prop_assert!(!before.workers.keys().any(accepts));
                        }
                    }
                }
                Step::End(worker) => placement.ended(&worker),
                Step::Refuse(worker) => placement.refused(&worker),
                Step::Hear(worker) => placement.heard(&worker, now),
                Step::Judge(worker, true) => placement.judged(&worker, WindowVerdict::Good),
                Step::Judge(worker, false) => placement.judged(&worker, WindowVerdict::Bad),
                Step::Drain(worker) => placement.drain(&worker),
                Step::Leave(worker) => {
                    placement.leave(&worker);
                }
                Step::Join(worker, conversations) => {
                    placement.join(worker, capacity(conversations), now);
                }
                Step::Wait(micros) => now += Micros(micros),
            }
        }
    }
}
