//! Sessions whose services refuse requests because there are too many, or refuse all of them.

use super::simulation::{
    FaultRates, World, check, outcomes, rooms_not_deleted, simulate_in, world,
};
use rushhour_core::event::{EventKind, FailureClass, GeneratorHealth, Outcome};
use rushhour_core::units::{Micros, SessionTime};

const HUNDRED: &str = r#"
[[scenario]]
id = 1
copies = 100
lasts = "40s"
[[stage]]
rate = "2/s"
[limits]
requests = "5/s"
in_flight = 200
run_timeout = "10m"
"#;

fn with_livekit_quota(quota: usize) -> World {
    let mut world = world(5, FaultRates::default());
    world.livekit_quota = quota;
    simulate_in(world, HUNDRED, &[])
}

/// What all health events of a session count together.
fn livekit_counts(world: &World) -> (u32, u32, u32) {
    let health = world.events.iter().filter_map(|event| match &event.kind {
        EventKind::Health(health) => Some(*health),
        _ => None,
    });
    health.fold((0, 0, 0), |(requests, throttled, held), health: GeneratorHealth| {
        (
            requests + health.livekit_requests,
            throttled + health.livekit_throttled,
            held + health.livekit_held_back,
        )
    })
}

#[test]
fn a_quota_of_livekit_is_waited_out_and_no_run_fails_for_it() {
    let free = with_livekit_quota(usize::MAX);
    let (requests, throttled, held_back) = livekit_counts(&free);
    assert!(requests >= 400, "{requests}");
    assert_eq!((throttled, held_back), (0, 0));

    let world = with_livekit_quota(300);
    check(&world, 100);
    for (run, outcome) in outcomes(&world.events) {
        assert!(matches!(outcome[0], Outcome::Completed { .. }), "{run}: {outcome:?}");
    }
    assert!(world.rooms.is_empty(), "all rooms were deleted");
    assert!(rooms_not_deleted(&world.events).is_empty());
    let (_, throttled, held_back) = livekit_counts(&world);
    assert_eq!(throttled as usize, world.livekit_refused.len(), "every refusal is counted");
    assert!(throttled > 0 && held_back > 0, "{throttled} {held_back}");
    // A client that went on would be refused as often as it asks.
    assert!(throttled < 100, "{throttled} refusals");
}

#[test]
fn deletions_are_not_hammered() {
    let world = with_livekit_quota(300);
    let deletions = world.livekit_refused.iter().filter(|(_, is_deletion)| *is_deletion);
    let refused: Vec<SessionTime> = deletions.map(|(at, _)| *at).collect();
    let second = Micros::from_secs(1);
    for start in &refused {
        let within = refused.iter().filter(|at| **at >= *start && **at < *start + second).count();
        assert!(within <= 8, "{within} refused deletions within a second of {start:?}");
    }
    assert!(world.rooms.is_empty());
}

#[test]
fn a_livekit_that_refuses_everything_fails_runs_without_blaming_the_agent() {
    let faults = FaultRates { livekit_throttled: 1.0, ..FaultRates::default() };
    let world = simulate_in(world(7, faults), &HUNDRED.replace("100", "10"), &[]);
    check(&world, 10);
    for outcome in outcomes(&world.events).values() {
        let class = outcome[0].class().map(FailureClass::name);
        assert_eq!(class, Some("livekit_rate_limited"), "{outcome:?}");
    }
}

#[test]
fn refusals_and_other_faults_together_leave_every_run_one_outcome() {
    for seed in 0..20 {
        let faults = FaultRates { livekit_throttled: 0.2, ..FaultRates::everything(0.05) };
        let world = simulate_in(world(seed, faults), HUNDRED, &[20]);
        check(&world, 100);
        let world = simulate_in(self::world(seed, faults), HUNDRED, &[20, 25]);
        check(&world, 100);
    }
}
