//! Sessions whose process crashes at any moment, against simulated services, and is resumed until the end.

use std::collections::{BTreeMap, BTreeSet};

use super::room_naming::RoomNaming;
use super::run::EvaluatorLifetime;
use super::session::{Resumption, Session};
use super::simulation::{
    self, FaultRates, World, advance, outcomes, replayed, rooms_not_deleted, settings_of, world,
};
use rushhour_core::bill::{Budget, BudgetLimits};
use rushhour_core::event::{Event, EventKind, FailureClass, Outcome, StopReason};
use rushhour_core::plan::Plan;
use rushhour_core::plan::testing::plan_of;
use rushhour_core::profile::testing::opened_with;
use rushhour_core::units::{Micros, Mode, PairId, RunIndex, SessionTime};

const FIFTY: &str = r#"
[[scenario]]
id = 1
copies = 50
lasts = "40s"
[[stage]]
rate = "2/s"
[limits]
requests = "5/s"
in_flight = 60
run_timeout = "5m"
watch_unknown = "70s"
"#;

/// How processes crash and are resumed.
#[derive(Clone, Copy)]
struct Crashes {
    /// Effects that each process executes, at most.
    max_effects: u64,
    evaluator: EvaluatorLifetime,
    finish_only: bool,
}

const CRASHES: Crashes =
    Crashes { max_effects: 150, evaluator: EvaluatorLifetime::Independent, finish_only: false };

/// The next process: events that were not on disk are lost, and so is every response that was under way.
fn resume(plan: &Plan, world: &mut World, crashes: Crashes) -> Session {
    world.inputs.clear();
    let not_durable = (world.events.len() - world.durable) as u64;
    let lost = world.below(not_durable + 1);
    world.events.truncate(world.events.len() - usize::try_from(lost).unwrap());
    let gap = world.below(120_000_000);
    world.now += Micros(gap);
    let replayed = replayed(&world.events);
    let how = Resumption {
        wall_clock: String::new(),
        truncated_bytes: 0,
        evaluator: crashes.evaluator,
        held: std::collections::BTreeSet::new(),
        finish_only: crashes.finish_only,
    };
    Session::resume(settings_of(plan), RoomNaming::new("room"), replayed, how, world.now).unwrap()
}

/// Drives a session through crashes to its end; returns the world and the number of crashes.
fn crash_and_resume(
    profile: &str,
    seed: u64,
    faults: FaultRates,
    crashes: Crashes,
) -> (World, u32) {
    let plan = plan_of(profile);
    let mut world = world(seed, faults);
    world.events.push(opened_with(plan.profile().clone()));
    world.durable = 1;
    let mut session = Session::new(settings_of(&plan), plan.schedule(), RoomNaming::new("room"));
    for crashed in 0.. {
        // Later processes live longer, so that the session ends at last.
        let lives = 1 + world.below(crashes.max_effects + 40 * u64::from(crashed));
        let crash_after = world.executed + lives;
        if advance(&mut session, &mut world, crash_after) {
            return (world, crashed);
        }
        session = resume(&plan, &mut world, crashes);
    }
    unreachable!("the loop ends with a return only")
}

#[track_caller]
fn check(world: &World, planned: u64) {
    simulation::check(world, planned);
    let left = rooms_not_deleted(&world.events);
    assert!(world.rooms.is_subset(&left), "rooms remain: {:?}", world.rooms);
}

fn classes(world: &World) -> BTreeSet<FailureClass> {
    outcomes(&world.events).values().filter_map(|list| list[0].class()).collect()
}

/// How often an agent was dispatched for each run, as far as the journal says.
fn dispatched(events: &[Event]) -> BTreeMap<RunIndex, u32> {
    let mut times = BTreeMap::new();
    for event in events {
        if let EventKind::Dispatched { run, .. } = &event.kind {
            *times.entry(*run).or_default() += 1;
        }
    }
    times
}

#[test]
fn however_often_it_crashes_every_run_has_one_outcome_and_is_submitted_once() {
    let mut total = 0;
    for seed in 0..60 {
        let (world, crashed) = crash_and_resume(FIFTY, seed, FaultRates::default(), CRASHES);
        check(&world, 50);
        total += crashed;
        // Without faults, only runs that a crash interrupted before the response to their submission fail.
        let allowed = [FailureClass::GeneratorFault, FailureClass::SubmitUnknown];
        let found = classes(&world);
        assert!(found.iter().all(|class| allowed.contains(class)), "{found:?}");
        assert!(!world.submissions.is_empty(), "nothing was submitted");
        assert!(!dispatched(&world.events).is_empty(), "no agent was dispatched");
        for (run, times) in dispatched(&world.events) {
            assert_eq!(times, 1, "run {run} has one agent");
            // Runs whose agent was dispatched were submitted, before or after the crash.
            let class = outcomes(&world.events)[&run][0].class();
            assert_ne!(class, Some(FailureClass::GeneratorFault), "run {run} of seed {seed}");
        }
    }
    assert!(total > 120, "{total} crashes");
}

#[test]
fn the_same_holds_with_faults() {
    for seed in 0..60 {
        let (world, _) = crash_and_resume(FIFTY, seed, FaultRates::everything(0.05), CRASHES);
        check(&world, 50);
    }
}

#[test]
fn the_same_holds_with_shared_requests_and_dispatch_by_token() {
    let shared = format!("{FIFTY}[evaluator]\nentries_per_request = 4\n");
    let token = format!("dispatch = \"token\"\n{FIFTY}");
    for (profile, seeds) in [(&shared, 0..20), (&token, 20..40)] {
        for seed in seeds {
            let (world, _) = crash_and_resume(profile, seed, FaultRates::everything(0.03), CRASHES);
            check(&world, 50);
        }
    }
}

#[test]
fn conversations_in_the_crashed_process_fail() {
    let mut crashes_in_all = 0;
    for seed in 0..20 {
        let crashes = Crashes { evaluator: EvaluatorLifetime::InProcess, ..CRASHES };
        let (world, crashed) = crash_and_resume(FIFTY, seed, FaultRates::default(), crashes);
        check(&world, 50);
        crashes_in_all += crashed;
        assert!(crashed == 0 || classes(&world).contains(&FailureClass::GeneratorFault));
    }
    assert!(crashes_in_all > 20, "{crashes_in_all} crashes");
}

/// A budget that sees the events of all processes never refuses a run that was started.
fn starts_nothing_that_the_budget_refuses(profile: &str, world: &World) {
    let mut budget = Budget::new(BudgetLimits::new(plan_of(profile).profile()));
    for event in &world.events {
        if matches!(event.kind, EventKind::RunStarted { .. }) {
            assert_eq!(budget.refusal(), None, "at {:?}", event.at);
        }
        budget.apply(&event.kind, event.at);
    }
}

#[test]
fn budget_limits_hold_for_all_processes_together() {
    for limit in ["max_runs = 20", "budget = \"24 USD\"", "max_minutes = 60"] {
        let profile = format!("{FIFTY}{limit}\n");
        for evaluator in [EvaluatorLifetime::Independent, EvaluatorLifetime::InProcess] {
            let (mut stopped, mut total) = (0, 0);
            for seed in 0..20 {
                let crashes = Crashes { evaluator, ..CRASHES };
                let (world, crashed) =
                    crash_and_resume(&profile, seed, FaultRates::everything(0.03), crashes);
                check(&world, 50);
                starts_nothing_that_the_budget_refuses(&profile, &world);
                total += crashed;
                stopped += u32::from(world.events.iter().any(|event| {
                    let of_budget = StopReason::Budget;
                    matches!(&event.kind, EventKind::Stopping { reason, .. } if *reason == of_budget)
                }));
            }
            assert!(stopped > 0 && total > 20, "{limit}: {stopped}, {total}");
        }
    }
}

#[test]
fn a_run_that_starts_again_has_its_whole_time_to_be_submitted() {
    let profile = format!("dispatch = \"token\"\n{FIFTY}budget = \"900 USD\"\n");
    for seed in 0..20 {
        let (world, _) = crash_and_resume(&profile, seed, FaultRates::default(), CRASHES);
        check(&world, 50);
        assert!(!classes(&world).contains(&FailureClass::BudgetStopped), "seed {seed}");
    }
}

#[test]
fn finish_only_starts_no_more_runs() {
    for seed in 0..20 {
        let crashes = Crashes { finish_only: true, ..CRASHES };
        let (world, crashed) = crash_and_resume(FIFTY, seed, FaultRates::default(), crashes);
        check(&world, 50);
        let resumed =
            world.events.iter().position(|event| matches!(event.kind, EventKind::Resumed { .. }));
        assert_eq!(resumed.is_some(), crashed > 0);
        let after = world.events.iter().skip(resumed.unwrap_or(world.events.len()));
        let mut started = after.filter(|e| matches!(e.kind, EventKind::RunStarted { .. }));
        assert_eq!(started.next(), None);
    }
}

#[test]
fn a_hold_stage_is_extended_by_the_time_between_crash_and_resumption() {
    let hold = "[[scenario]]\nid = 1\nlasts = \"40s\"\n[[stage]]\nhold = 10\nlasts = \"5m\"\n[[stage]]\nburst = 3\n";
    for seed in 0..20 {
        let (world, _) = crash_and_resume(hold, seed, FaultRates::default(), CRASHES);
        let runs = outcomes(&world.events).len() as u64;
        check(&world, runs);
        assert!(world.most_in_flight <= 13, "{}", world.most_in_flight);
        let mut unwatched = 0;
        let burst = world.events.iter().find_map(|event| match event.kind {
            EventKind::Resumed { downtime: gap, .. } => {
                unwatched += gap.0;
                None
            }
            EventKind::RunStarted { stage: 1, intended, .. } => Some(intended),
            _ => None,
        });
        assert_eq!(burst, Some(SessionTime(300_000_000 + unwatched)), "seed {seed}");
    }
}

#[test]
fn the_rest_of_the_plan_is_shifted_by_the_time_between_crash_and_resumption() {
    let plan = plan_of(FIFTY);
    let (whole, _) = crash_and_resume(
        FIFTY,
        1,
        FaultRates::default(),
        Crashes { max_effects: u64::MAX / 2, ..CRASHES },
    );
    // Cut after any event: the same runs, each shifted by the gap.
    for cut in 1..whole.events.len() {
        let replayed = replayed(&whole.events[..cut]);
        if replayed.is_closed() {
            continue;
        }
        let (last, gap) = (replayed.last_event_time(), Micros::from_secs(1_000));
        let drawn = whole.events[..cut]
            .iter()
            .filter(|event| matches!(event.kind, EventKind::RunStarted { .. }))
            .count();
        let rest = replayed.remaining_schedule(last + gap).unwrap();
        let expected = plan.schedule().skip(drawn).map(|mut run| {
            run.intended += gap;
            run
        });
        assert!(rest.eq(expected), "cut at {cut}");
    }
}

#[test]
fn a_journal_of_another_plan_is_refused_with_the_run() {
    let (whole, _) = crash_and_resume(
        FIFTY,
        1,
        FaultRates::default(),
        Crashes { max_effects: u64::MAX / 2, ..CRASHES },
    );
    let mut events = whole.events;
    for event in &mut events {
        if let EventKind::RunStarted { run: RunIndex(7), copy, .. } = &mut event.kind {
            *copy += 1;
        }
    }
    let error = replayed(&events).header().unwrap_err();
    assert!(error.to_string().starts_with("run 7 of the journal is not the plan's"), "{error}");
}

#[test]
fn pairs_stay_pairs_through_crashes() {
    let paired = format!("mode = \"paired\"{FIFTY}");
    for seed in 0..10 {
        let (world, crashed) = crash_and_resume(&paired, seed, FaultRates::default(), CRASHES);
        check(&world, 100);
        let mut pairs: BTreeMap<PairId, Vec<(u32, Mode)>> = BTreeMap::new();
        for event in &world.events {
            if let EventKind::RunStarted { pair, scenario, mode, .. } = event.kind {
                pairs.entry(pair.unwrap()).or_default().push((scenario, mode));
            }
        }
        assert_eq!(pairs.len(), 50, "seed {seed}, crashed {crashed} times");
        for (pair, runs) in pairs {
            let [(one, first), (other, second)] = runs[..] else { panic!("{pair}: {runs:?}") };
            assert_eq!((one, first), (other, second.other()), "pair {pair}, seed {seed}");
        }
    }
}

#[test]
fn a_recorded_outcome_stays() {
    let mut outcomes_before = 0;
    for seed in 0..20 {
        let plan = plan_of(FIFTY);
        let mut world = world(seed, FaultRates::everything(0.05));
        world.events.push(opened_with(plan.profile().clone()));
        world.durable = 1;
        let mut session =
            Session::new(settings_of(&plan), plan.schedule(), RoomNaming::new("room"));
        // Where its first submission is rejected, a session ends early.
        if advance(&mut session, &mut world, 900) {
            continue;
        }
        let mut session = resume(&plan, &mut world, CRASHES);
        let before: Vec<(RunIndex, Vec<Outcome>)> = outcomes(&world.events).into_iter().collect();
        advance(&mut session, &mut world, u64::MAX);
        let after = outcomes(&world.events);
        outcomes_before += before.len();
        for (run, outcomes) in before {
            assert_eq!(after[&run], outcomes);
        }
    }
    assert!(outcomes_before > 100, "{outcomes_before} outcomes before the deaths");
}

#[test]
fn a_submission_that_no_session_reaches_is_refused() {
    let plan = plan_of(FIFTY);
    let intent = |request| EventKind::SubmitIntent { request, runs: vec![RunIndex(0)] };
    for (request, is_refused) in [(7, false), (u64::MAX, true), (1 << 48, true)] {
        let events = [
            opened_with(plan.profile().clone()),
            Event { at: SessionTime(1), kind: intent(request) },
        ];
        assert_eq!(replayed(&events).header().is_err(), is_refused, "{request}");
    }
}
