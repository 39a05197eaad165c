//! Caps on money, runs and minutes, held in whole sessions against an invented world.

use std::collections::HashMap;

use proptest::prelude::*;

use super::room_names::RoomNames;
use super::session::Session;
use super::settings::{DriverSettings, OnBudgetReached};
use super::simulation::{Trouble, World, go_on, outcomes, settings_of, simulate, world};
use rushhour_core::bill::{RunUsage, Tariff};
use rushhour_core::event::{EventKind, FailureClass, ModelUsage, Outcome, StopReason};
use rushhour_core::plan::preparation_bound;
use rushhour_core::plan::testing::plan_of;
use rushhour_core::units::{Micros, Mode, RunIndex, SessionTime, Usd};

fn profile(load: &str, limits: &str, run_timeout: u64) -> String {
    format!(
        "[[scenario]]\nid = 1\n{load}\n[limits]\nrequests = \"5/s\"\nin_flight = 30\nrun_timeout = \"{run_timeout}s\"\nsubmit_timeout = \"2s\"\npoll_timeout = \"2s\"\nlivekit_timeout = \"2s\"\n{limits}\n"
    )
}

/// What each run that was started may have been: connected from its start, talking from its first submission.
fn dearest(world: &World) -> Vec<RunUsage> {
    let mut started: HashMap<RunIndex, SessionTime> = HashMap::new();
    let mut submitted: HashMap<RunIndex, SessionTime> = HashMap::new();
    let mut dearest = Vec::new();
    for event in &world.events {
        match &event.kind {
            EventKind::RunStarted { run, .. } => {
                started.insert(*run, event.at);
            }
            EventKind::Submitted { sent, accepted: entered, .. } => {
                for entry in entered {
                    submitted.insert(entry.run, *sent);
                }
            }
            EventKind::Ended { run, seen, .. } => {
                let talked = submitted.get(run).map_or(Micros::ZERO, |at| seen.since(*at));
                dearest.push(RunUsage {
                    mode: Mode::Voice,
                    agent: seen.since(started[run]),
                    caller: talked,
                    conversation: talked,
                    told: true,
                    messages: None,
                    used: ModelUsage::default(),
                    judged: true,
                });
            }
            _ => {}
        }
    }
    dearest
}

fn stopped_for_budget(world: &World) -> bool {
    world
        .events
        .iter()
        .any(|event| matches!(event.kind, EventKind::Stopping { reason: StopReason::Budget, .. }))
}

const LOADS: [&str; 3] = [
    "copies = 60\n[[stage]]\nrate = \"2/s\"",
    "copies = 60\n[[stage]]\nburst = 20\nlasts = \"60s\"\n[[stage]]\nrate = { from = \"1/s\", to = \"3/s\" }\nlasts = \"5m\"",
    "lasts = \"40s\"\n[[stage]]\nhold = 12\nlasts = \"4m\"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_cap_is_ever_overshot(
        seed in 0_u64..1_000_000,
        load in 0_usize..3,
        trouble in 0.0..0.15_f64,
        run_timeout in 15_u64..150,
        budget in 1.0..40.0_f64,
        max_runs in 1_u64..80,
        max_minutes in 5_u64..200,
        which in 0_usize..3,
    ) {
        let limit = [
            format!("budget = \"{budget:.2} USD\""),
            format!("max_runs = {max_runs}"),
            format!("max_minutes = {max_minutes}"),
        ];
        let text = profile(LOADS[load], &limit[which], run_timeout);
        let world = simulate(&text, seed, Trouble::everything(trouble), &[]);
        let tariff = Tariff::of(plan_of(&text).profile()).expect("a rehearsal is charged for");
        let runs = dearest(&world);
        match which {
            0 => {
                let spent: Usd = runs.iter().map(|usage| tariff.cost(usage)).sum();
                prop_assert!(spent <= Usd::from_dollars(budget), "{spent} of {budget}");
            }
            1 => prop_assert!(runs.len() as u64 <= max_runs, "{} of {max_runs}", runs.len()),
            _ => {
                let talked: u64 = runs.iter().map(|usage| usage.conversation.0).sum();
                prop_assert!(talked <= max_minutes * 60_000_000, "{talked} us of {max_minutes}");
            }
        }
        for list in outcomes(&world.events).values() {
            prop_assert_eq!(list.len(), 1);
        }
        prop_assert!(world.rooms.len() <= 1);
    }
}

#[test]
fn a_session_stops_where_the_next_run_could_be_too_much() {
    let capped = simulate(&profile(LOADS[0], "max_runs = 25", 150), 3, Trouble::default(), &[]);
    assert_eq!(dearest(&capped).len(), 25);
    assert!(stopped_for_budget(&capped));
    assert_eq!(outcomes(&capped.events).len(), 60, "the rest has an outcome, too");
    let roomy = simulate(&profile(LOADS[0], "max_runs = 60", 150), 3, Trouble::default(), &[]);
    assert!(!stopped_for_budget(&roomy), "a cap that just suffices stops nothing");
    let held = "copies = 24\nlasts = \"40s\"\n[[stage]]\nhold = 12\n";
    let held = simulate(&profile(held, "max_runs = 24", 150), 3, Trouble::default(), &[]);
    assert!(!stopped_for_budget(&held), "nor where a hold stage uses up the copies");
}

#[test]
fn a_budget_narrows_the_places_of_a_session_that_may_wait_and_is_used_up() {
    let text =
        profile("copies = 60\nlasts = \"40s\"\n[[stage]]\nhold = 12\n", "budget = \"30 USD\"", 600);
    let plan = plan_of(&text);
    let tariff = Tariff::of(plan.profile()).expect("a rehearsal is charged for");
    let held = |at_cap: OnBudgetReached, trouble: Trouble, seed: u64| {
        let settings = DriverSettings { at_cap, ..settings_of(&plan) };
        let mut session = Session::new(settings, plan.walk(), RoomNames::new("room"));
        let mut world = world(seed, trouble);
        go_on(&mut session, &mut world, u64::MAX);
        let runs = dearest(&world);
        let spent: Usd = runs.iter().map(|usage| tariff.cost(usage)).sum();
        assert!(spent <= Usd::from_dollars(30.0), "{spent}");
        assert_eq!(outcomes(&world.events).len(), 60, "every run has an outcome");
        runs.len()
    };
    let (stopped, narrowed) = (
        held(OnBudgetReached::Stop, Trouble::default(), 3),
        held(OnBudgetReached::Narrow, Trouble::default(), 3),
    );
    assert!(stopped > 0 && narrowed >= 2 * stopped, "{narrowed} runs, and {stopped} without");
    for seed in 0..40 {
        held(OnBudgetReached::Narrow, Trouble::everything(0.1), seed);
    }
}

#[test]
fn a_run_that_waits_past_its_share_is_given_up_before_it_is_paid_for() {
    // Each 429 asks for 2 s, for all submissions: thirty at once do not get through in time.
    let burst = "copies = 30\n[[stage]]\nburst = 30\nlasts = \"1s\"";
    let text = profile(burst, "budget = \"900 USD\"", 150);
    let slow = Trouble { submit_throttled: 0.75, ..Trouble::default() };
    let within = preparation_bound(plan_of(&text).profile());
    let mut given_up = 0;
    for seed in 0..60 {
        let world = simulate(&text, seed, slow, &[]);
        let is_given_up =
            |list: &&Vec<Outcome>| list[0].class() == Some(FailureClass::BudgetStopped);
        given_up += outcomes(&world.events).values().filter(is_given_up).count();
        nothing_is_submitted_later_than(within, &world);
    }
    assert!(given_up > 0, "none waited so long");
}

fn nothing_is_submitted_later_than(within: Micros, world: &World) {
    let mut started: HashMap<RunIndex, SessionTime> = HashMap::new();
    let mut checked = 0;
    for event in &world.events {
        let sent: Vec<(RunIndex, SessionTime)> = match &event.kind {
            EventKind::RunStarted { run, .. } => {
                started.insert(*run, event.at);
                continue;
            }
            EventKind::SubmitIntent { runs, .. } => runs.iter().map(|r| (*r, event.at)).collect(),
            EventKind::Submitted { sent, accepted: entered, .. } => {
                entered.iter().map(|entry| (entry.run, *sent)).collect()
            }
            _ => continue,
        };
        for (run, at) in sent {
            assert!(at.since(started[&run]) <= within, "run {run} was submitted after {within}");
            checked += 1;
        }
    }
    assert!(checked > 0, "nothing was submitted");
}
