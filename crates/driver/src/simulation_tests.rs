//! Whole sessions against simulated services with faults.

use super::simulation::{FaultRates, World, check, outcomes, rooms_not_deleted, simulate};
use rushhour_core::event::{EventKind, Outcome};
use rushhour_core::units::{Micros, SessionTime};
use rushhour_livekit::testing::EventCapture;

const HUNDRED: &str = r#"
[[scenario]]
id = 1
copies = 100
lasts = "40s"
[[stage]]
rate = "2/s"
[limits]
requests = "5/s"
in_flight = 60
run_timeout = "5m"
"#;

/// As [`check`], of a session that submitted runs.
#[track_caller]
fn check_submitting(world: &World, planned: u64) {
    check(world, planned);
    assert!(!world.submissions.is_empty(), "nothing was submitted");
}

#[test]
fn without_faults_everything_completes_and_no_room_remains() {
    let world = simulate(HUNDRED, 1, FaultRates::default(), &[]);
    check_submitting(&world, 100);
    assert!(outcomes(&world.events).values().all(|list| list[0].name() == "completed"));
    assert!(world.rooms.is_empty());
    assert!(world.most_in_flight <= 60);
}

#[test]
fn whatever_fails_every_run_has_one_outcome() {
    let mut submitting = 0;
    for seed in 0..40 {
        let world = simulate(HUNDRED, seed, FaultRates::everything(0.08), &[]);
        check(&world, 100);
        // Where the first submission is rejected, all are.
        submitting += u32::from(!world.submissions.is_empty());
        let left = rooms_not_deleted(&world.events);
        assert!(world.rooms.is_subset(&left), "remaining rooms are recorded (seed {seed})");
        assert!(left.len() <= 1, "deletion is retried: {left:?} (seed {seed})");
    }
    assert!(submitting >= 30, "{submitting} of 40 sessions submitted runs");
}

#[test]
fn the_first_stop_drains_and_the_second_ends_at_once() {
    let mut submitting = 0;
    for seed in 0..20 {
        let world = simulate(HUNDRED, seed, FaultRates::everything(0.03), &[20]);
        check(&world, 100);
        // Where the first submission is rejected, the session has ended before.
        if world.submissions.is_empty() {
            continue;
        }
        submitting += 1;
        let end = world.events.last().unwrap().at;
        assert!(end > SessionTime(40_000_000), "drained until {end:?}");
        let world = simulate(HUNDRED, seed, FaultRates::everything(0.03), &[20, 25]);
        check_submitting(&world, 100);
        let end = world.events.last().unwrap().at;
        assert!(end < SessionTime(52_000_000), "ended at {end:?}");
    }
    assert!(submitting >= 15, "{submitting} of 20 sessions submitted runs");
}

#[test]
fn runs_without_a_slot_wait_or_are_skipped_as_the_profile_says() {
    let small = HUNDRED.replace("in_flight = 60", "in_flight = 10");
    let waits = simulate(&small, 3, FaultRates::default(), &[]);
    check_submitting(&waits, 100);
    assert_eq!(waits.most_in_flight, 10);
    let skips = simulate(
        &small.replace("in_flight = 10", "in_flight = 10\nwhen_full = \"skip\""),
        3,
        FaultRates::default(),
        &[],
    );
    check_submitting(&skips, 100);
    let skipped =
        outcomes(&skips.events).values().filter(|list| list[0] == Outcome::Skipped).count();
    assert!((50..95).contains(&skipped), "{skipped}");
}

#[test]
fn a_hold_stage_keeps_its_runs_in_flight() {
    let profile = "[[scenario]]\nid = 1\nlasts = \"40s\"\n[[stage]]\nhold = 20\nlasts = \"5m\"\n";
    let world = simulate(profile, 3, FaultRates::default(), &[]);
    assert_eq!(world.most_in_flight, 20);
    let runs = outcomes(&world.events).len() as u64;
    check_submitting(&world, runs);
    assert!((80..160).contains(&runs), "{runs}");
    for event in &world.events {
        if let EventKind::RunStarted { intended, .. } = event.kind {
            assert!(event.at.since(intended) < Micros::from_millis(1), "{event:?}");
        }
    }
}

#[test]
fn a_hold_stage_ramps_up_and_counts_runs_already_in_flight() {
    let profile = "[[scenario]]\nid = 1\nlasts = \"40s\"\n[[stage]]\nhold = 20\nramp = \"1/s\"\nlasts = \"90s\"\n[[stage]]\nname = \"on\"\nhold = 20\nlasts = \"2m\"\n[[stage]]\nname = \"fewer\"\nhold = 5\nlasts = \"2m\"\n";
    let world = simulate(profile, 3, FaultRates::default(), &[]);
    assert_eq!(world.most_in_flight, 20, "a new stage adds no runs to those in flight");
    check_submitting(&world, outcomes(&world.events).len() as u64);
    let mut starts = [const { Vec::new() }; 3];
    for event in &world.events {
        if let EventKind::RunStarted { stage, intended, .. } = event.kind {
            assert!(event.at.since(intended) < Micros::from_millis(1), "{event:?}");
            starts[stage as usize].push(intended.as_secs_f64());
        }
    }
    for (slot, start) in starts[0].iter().take(15).enumerate() {
        assert!((start - slot as f64).abs() < 1e-6, "{:?}", starts[0]);
    }
    let within =
        |from: f64, to: f64| starts[1].iter().filter(|start| (from..to).contains(*start)).count();
    assert!(within(90.0, 91.0) <= 6, "twenty are in flight already: {:?}", starts[1]);
    assert!(within(90.0, 210.0) >= 30, "{:?}", starts[1]);
    assert!(starts[2][0] > 211.0, "more are in flight than the stage holds: {:?}", starts[2]);
}

#[test]
fn the_session_retains_nothing_of_fifty_thousand_ended_runs() {
    let day = |copies: u64| {
        HUNDRED
            .replace("copies = 100", &format!("copies = {copies}"))
            .replace("\"2/s\"", "\"12/s\"")
            .replace(
                "requests = \"5/s\"\nin_flight = 60",
                "requests = \"50/s\"\npolls = \"20/s\"\nlooks = \"400/s\"\nin_flight = 2000",
            )
    };
    let faults = FaultRates { deletion_fails: 0.01, run_missing: 0.01, ..FaultRates::default() };
    let short = simulate(&day(5_000), 4, faults, &[]);
    let long = simulate(&day(50_000), 4, faults, &[]);
    assert_eq!(outcomes(&long.events).len(), 50_000);
    assert!(short.most_in_flight > 500, "{}", short.most_in_flight);
    // A session retains what is in flight, however many runs there are.
    let (one, ten) = (short.most_retained as f64, long.most_retained as f64);
    assert!(ten < one * 1.1, "{one} at once in a tenth, {ten} in all");
}

#[test]
fn shared_requests_keep_every_run_apart() {
    let shared = format!("{HUNDRED}[evaluator]\nentries_per_request = 4\n");
    let world = simulate(&shared, 5, FaultRates::everything(0.05), &[]);
    check_submitting(&world, 100);
}

#[test]
fn the_same_seed_gives_the_same_events() {
    let one = simulate(HUNDRED, 9, FaultRates::everything(0.05), &[30]);
    let two = simulate(HUNDRED, 9, FaultRates::everything(0.05), &[30]);
    assert_eq!(one.events, two.events);
}

#[test]
fn the_log_tells_state_changes_retries_pauses_and_stops() {
    let faults = FaultRates { submit_throttled: 0.5, ..FaultRates::default() };
    let capture = EventCapture::default();
    let guard = capture.install();
    simulate(HUNDRED, 3, faults, &[20, 25]);
    drop(guard);
    let log = capture.events_of("rushhour_driver");
    for line in [
        "INFO run state run=0 from=planned to=creating_room",
        "INFO run state run=0 from=dispatching to=awaiting_agent",
        "INFO run state run=0 from=submitting to=in_conversation",
        "to=cleaning_up outcome=failed failure_class=cancelled detail=the session was stopped",
        "from=cleaning_up to=done",
        "INFO submission not accepted, retrying request=",
        "INFO submissions paused, as the evaluator asks wait_ms=2000",
        "INFO session stops: starts no more runs reason=drain detail=received a signal",
        "INFO session stops: ends the runs under way reason=now detail=received a second signal",
        "INFO session ended",
    ] {
        assert!(log.iter().any(|event| event.contains(line)), "no `{line}` in {log:#?}");
    }
}
