//! Limits on money, runs and minutes, in whole sessions against simulated services.

use std::collections::HashMap;

use proptest::prelude::*;

use super::room_naming::RoomNaming;
use super::session::Session;
use super::settings::{DriverSettings, OnBudgetReached};
use super::simulation::{
    FaultRates, World, advance, outcomes, rooms_not_deleted, settings_of, simulate, world,
};
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

/// The most that each started run may have used: connected from its start, in conversation from its first submission.
fn worst_case(world: &World) -> Vec<RunUsage> {
    let mut started: HashMap<RunIndex, SessionTime> = HashMap::new();
    let mut submitted: HashMap<RunIndex, SessionTime> = HashMap::new();
    let mut usages = Vec::new();
    for event in &world.events {
        match &event.kind {
            EventKind::RunStarted { run, .. } => {
                started.insert(*run, event.at);
            }
            EventKind::Submitted { sent, accepted, .. } => {
                for entry in accepted {
                    submitted.insert(entry.run, *sent);
                }
            }
            EventKind::Ended { run, seen, .. } => {
                let conversation = submitted.get(run).map_or(Micros::ZERO, |at| seen.since(*at));
                usages.push(RunUsage {
                    mode: Mode::Voice,
                    agent: seen.since(started[run]),
                    caller: conversation,
                    conversation,
                    conversation_reported: true,
                    messages: None,
                    model_usage: ModelUsage::default(),
                    judged: true,
                });
            }
            _ => {}
        }
    }
    usages
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
    fn no_limit_is_ever_exceeded(
        seed in 0_u64..1_000_000,
        load in 0_usize..3,
        fault_rate in 0.0..0.15_f64,
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
        let world = simulate(&text, seed, FaultRates::everything(fault_rate), &[]);
        let tariff = Tariff::new(plan_of(&text).profile()).expect("the sandbox has prices");
        let runs = worst_case(&world);
        match which {
            0 => {
                let spent: Usd = runs.iter().map(|usage| tariff.cost(usage)).sum();
                prop_assert!(spent <= Usd::from_dollars(budget), "{spent} of {budget}");
            }
            1 => prop_assert!(runs.len() as u64 <= max_runs, "{} of {max_runs}", runs.len()),
            _ => {
                let conversations: u64 = runs.iter().map(|usage| usage.conversation.0).sum();
                prop_assert!(conversations <= max_minutes * 60_000_000, "{conversations} us of {max_minutes}");
            }
        }
        for list in outcomes(&world.events).values() {
            prop_assert_eq!(list.len(), 1);
        }
        // A stop does not wait for a server that refuses requests.
        prop_assert!(world.rooms.is_subset(&rooms_not_deleted(&world.events)));
        prop_assert!(world.rooms.len() <= 1 || !world.livekit_refused.is_empty());
    }
}

#[test]
fn a_session_stops_where_the_next_run_could_exceed_a_limit() {
    let capped = simulate(&profile(LOADS[0], "max_runs = 25", 150), 3, FaultRates::default(), &[]);
    assert_eq!(worst_case(&capped).len(), 25);
    assert!(stopped_for_budget(&capped));
    assert_eq!(outcomes(&capped.events).len(), 60, "the rest has outcomes, too");
    let roomy = simulate(&profile(LOADS[0], "max_runs = 60", 150), 3, FaultRates::default(), &[]);
    assert!(!stopped_for_budget(&roomy), "a limit that just suffices stops nothing");
    let held = "copies = 24\nlasts = \"40s\"\n[[stage]]\nhold = 12\n";
    let held = simulate(&profile(held, "max_runs = 24", 150), 3, FaultRates::default(), &[]);
    assert!(!stopped_for_budget(&held), "nor where a hold stage uses up the copies");
}

#[test]
fn a_session_that_may_give_up_slots_uses_up_its_budget() {
    let text =
        profile("copies = 60\nlasts = \"40s\"\n[[stage]]\nhold = 12\n", "budget = \"30 USD\"", 600);
    let plan = plan_of(&text);
    let tariff = Tariff::new(plan.profile()).expect("the sandbox has prices");
    let run = |on_budget_reached: OnBudgetReached, faults: FaultRates, seed: u64| {
        let settings = DriverSettings { on_budget_reached, ..settings_of(&plan) };
        let mut session = Session::new(settings, plan.schedule(), RoomNaming::new("room"));
        let mut world = world(seed, faults);
        advance(&mut session, &mut world, u64::MAX);
        let runs = worst_case(&world);
        let spent: Usd = runs.iter().map(|usage| tariff.cost(usage)).sum();
        assert!(spent <= Usd::from_dollars(30.0), "{spent}");
        assert_eq!(outcomes(&world.events).len(), 60, "every run has an outcome");
        runs.len()
    };
    let (stopped, narrowed) = (
        run(OnBudgetReached::Stop, FaultRates::default(), 3),
        run(OnBudgetReached::GiveUpSlot, FaultRates::default(), 3),
    );
    assert!(stopped > 0 && narrowed >= 2 * stopped, "{narrowed} runs, and {stopped} without");
    for seed in 0..40 {
        run(OnBudgetReached::GiveUpSlot, FaultRates::everything(0.1), seed);
    }
}

#[test]
fn a_run_that_waits_longer_than_the_budget_reserves_is_not_submitted() {
    // Each 429 pauses all submissions for 2 s: thirty at once are not accepted in time.
    let burst = "copies = 30\n[[stage]]\nburst = 30\nlasts = \"1s\"";
    let text = profile(burst, "budget = \"900 USD\"", 150);
    let slow = FaultRates { submit_throttled: 0.75, ..FaultRates::default() };
    let within = preparation_bound(plan_of(&text).profile());
    let mut given_up = 0;
    for seed in 0..60 {
        let world = simulate(&text, seed, slow, &[]);
        let is_given_up =
            |list: &&Vec<Outcome>| list[0].class() == Some(FailureClass::BudgetStopped);
        given_up += outcomes(&world.events).values().filter(is_given_up).count();
        nothing_is_submitted_later_than(within, &world);
    }
    assert!(given_up > 0, "no run waited so long");
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
            EventKind::Submitted { sent, accepted, .. } => {
                accepted.iter().map(|entry| (entry.run, *sent)).collect()
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
