//! Sessions whose process dies at every kind of moment in the invented world, and is resumed until the end.

use std::collections::{BTreeMap, BTreeSet};

use super::replay::ReplayedSession;
use super::room_names::RoomNames;
use super::run::EvaluatorFate;
use super::session::{Resumption, Session};
use super::simulation::{Trouble, World, go_on, outcomes, settings_of, world};
use rushhour_core::bill::{Budget, BudgetLimits};
use rushhour_core::event::{
    Event, EventKind, FORMAT_VERSION, FailureClass, Outcome, SessionHeader, StopReason,
};
use rushhour_core::plan::Plan;
use rushhour_core::plan::testing::plan_of;
use rushhour_core::units::{Micros, Mode, PairId, RunIndex, SessionId, SessionTime};

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

/// How a process dies and is followed by another.
#[derive(Clone, Copy)]
struct Deaths {
    /// Actions that each process lives for, at most.
    most_actions: u64,
    fate: EvaluatorFate,
    finish_only: bool,
}

const DEATHS: Deaths =
    Deaths { most_actions: 150, fate: EvaluatorFate::LivedOn, finish_only: false };

fn opened(plan: &Plan) -> Event {
    let opening = SessionHeader {
        format: FORMAT_VERSION,
        rushhour: String::new(),
        session: SessionId::new("session"),
        anchor: "2026-01-01T00:00:00Z".to_owned(),
        profile: plan.profile().clone(),
        profile_hash: String::new(),
        settings: Vec::new(),
        livekit_url: String::new(),
        evaluator_url: String::new(),
        planned: None,
        cores: 1,
    };
    Event { at: SessionTime::START, kind: EventKind::Opened(Box::new(opening)) }
}

fn carried(events: &[Event]) -> ReplayedSession {
    let mut carried = ReplayedSession::default();
    for event in events {
        carried.add(event);
    }
    carried
}

/// The next process: what was not on the disk is lost, and so is every answer that was under way.
fn take_up(plan: &Plan, world: &mut World, deaths: Deaths) -> Session {
    world.coming.clear();
    let not_kept = (world.events.len() - world.kept) as u64;
    let lost = world.below(not_kept + 1);
    world.events.truncate(world.events.len() - usize::try_from(lost).unwrap());
    let gap = world.below(120_000_000);
    world.now += Micros(gap);
    let carried = carried(&world.events);
    let how = Resumption {
        wall: String::new(),
        torn: 0,
        fate: deaths.fate,
        finish_only: deaths.finish_only,
    };
    Session::resumed(settings_of(plan), RoomNames::new("room"), carried, how, world.now).unwrap()
}

/// Drives a session through deaths to its end; gives the world and how often it died.
fn die_and_resume(profile: &str, seed: u64, trouble: Trouble, deaths: Deaths) -> (World, u32) {
    let plan = plan_of(profile);
    let mut world = world(seed, trouble);
    world.events.push(opened(&plan));
    world.kept = 1;
    let mut session = Session::new(settings_of(&plan), plan.walk(), RoomNames::new("room"));
    for died in 0.. {
        // Every life is long enough for a session of few runs to come to its end at last.
        let lives = 1 + world.below(deaths.most_actions + 40 * u64::from(died));
        let dies_after = world.performed + lives;
        if go_on(&mut session, &mut world, dies_after) {
            return (world, died);
        }
        session = take_up(&plan, &mut world, deaths);
    }
    unreachable!("the loop has no end of its own")
}

#[track_caller]
fn check(world: &World, planned: u64) {
    let outcomes = outcomes(&world.events);
    assert_eq!(outcomes.len() as u64, planned, "every run has an outcome");
    for (run, outcomes) in &outcomes {
        assert_eq!(outcomes.len(), 1, "run {run} has one outcome: {outcomes:?}");
    }
    for (run, times) in &world.submissions {
        assert_eq!(*times, 1, "run {run} was accepted once");
    }
    assert_eq!(world.events.last().unwrap().kind, EventKind::Closed);
    assert!(world.events.is_sorted_by_key(|event| event.at));
    let left: BTreeSet<RunIndex> = world
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::RoomNotDeleted { run, .. } => Some(*run),
            _ => None,
        })
        .collect();
    assert!(world.rooms.is_subset(&left), "rooms are left: {:?}", world.rooms);
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
fn however_often_it_dies_every_run_has_one_outcome_and_is_paid_for_once() {
    let mut deaths_in_all = 0;
    for seed in 0..60 {
        let (world, died) = die_and_resume(FIFTY, seed, Trouble::default(), DEATHS);
        check(&world, 50);
        deaths_in_all += died;
        // Without trouble, only what was cut off before it was submitted, or answered, does not complete.
        let allowed = [FailureClass::GeneratorFault, FailureClass::SubmitUnknown];
        let found = classes(&world);
        assert!(found.iter().all(|class| allowed.contains(class)), "{found:?}");
        assert!(!world.submissions.is_empty(), "nothing was submitted");
        assert!(!dispatched(&world.events).is_empty(), "no agent was dispatched");
        for (run, times) in dispatched(&world.events) {
            assert_eq!(times, 1, "run {run} was given one agent");
            // What was dispatched was submitted, before or after the death.
            let class = outcomes(&world.events)[&run][0].class();
            assert_ne!(class, Some(FailureClass::GeneratorFault), "run {run} of seed {seed}");
        }
    }
    assert!(deaths_in_all > 120, "{deaths_in_all} deaths");
}

#[test]
fn whatever_else_goes_wrong_meanwhile() {
    for seed in 0..60 {
        let (world, _) = die_and_resume(FIFTY, seed, Trouble::everything(0.05), DEATHS);
        check(&world, 50);
    }
}

#[test]
fn shared_requests_and_dispatch_by_token_too() {
    let shared = format!("{FIFTY}[evaluator]\nentries_per_request = 4\n");
    let token = format!("dispatch = \"token\"\n{FIFTY}");
    for (profile, seeds) in [(&shared, 0..20), (&token, 20..40)] {
        for seed in seeds {
            let (world, _) = die_and_resume(profile, seed, Trouble::everything(0.03), DEATHS);
            check(&world, 50);
        }
    }
}

#[test]
fn conversations_that_died_with_the_process_are_given_up() {
    let mut deaths_in_all = 0;
    for seed in 0..20 {
        let deaths = Deaths { fate: EvaluatorFate::DiedToo, ..DEATHS };
        let (world, died) = die_and_resume(FIFTY, seed, Trouble::default(), deaths);
        check(&world, 50);
        deaths_in_all += died;
        assert!(died == 0 || classes(&world).contains(&FailureClass::GeneratorFault));
    }
    assert!(deaths_in_all > 20, "{deaths_in_all} deaths");
}

/// A purse that is told everything, whichever process it happened in.
fn never_lets_in_what_its_purse_would_refuse(profile: &str, world: &World) {
    let mut purse = Budget::new(BudgetLimits::of(plan_of(profile).profile()));
    for event in &world.events {
        if matches!(event.kind, EventKind::RunStarted { .. }) {
            assert_eq!(purse.refuses(), None, "at {:?}", event.at);
        }
        purse.take(&event.kind, event.at);
    }
}

#[test]
fn caps_hold_for_all_its_processes_together() {
    for cap in ["max_runs = 20", "budget = \"24 USD\"", "max_minutes = 60"] {
        let profile = format!("{FIFTY}{cap}\n");
        for fate in [EvaluatorFate::LivedOn, EvaluatorFate::DiedToo] {
            let (mut stopped, mut deaths_in_all) = (0, 0);
            for seed in 0..20 {
                let deaths = Deaths { fate, ..DEATHS };
                let (world, died) =
                    die_and_resume(&profile, seed, Trouble::everything(0.03), deaths);
                check(&world, 50);
                never_lets_in_what_its_purse_would_refuse(&profile, &world);
                deaths_in_all += died;
                stopped += u32::from(world.events.iter().any(|event| {
                    let of_budget = StopReason::Budget;
                    matches!(&event.kind, EventKind::Stopping { reason, .. } if *reason == of_budget)
                }));
            }
            assert!(stopped > 0 && deaths_in_all > 20, "{cap}: {stopped}, {deaths_in_all}");
        }
    }
}

#[test]
fn a_run_that_begins_anew_has_its_whole_time_to_be_submitted() {
    let profile = format!("dispatch = \"token\"\n{FIFTY}budget = \"900 USD\"\n");
    for seed in 0..20 {
        let (world, _) = die_and_resume(&profile, seed, Trouble::default(), DEATHS);
        check(&world, 50);
        assert!(!classes(&world).contains(&FailureClass::BudgetStopped), "seed {seed}");
    }
}

#[test]
fn nothing_more_is_started_where_nothing_more_is_wanted() {
    for seed in 0..20 {
        let deaths = Deaths { finish_only: true, ..DEATHS };
        let (world, died) = die_and_resume(FIFTY, seed, Trouble::default(), deaths);
        check(&world, 50);
        let resumed =
            world.events.iter().position(|event| matches!(event.kind, EventKind::Resumed { .. }));
        assert_eq!(resumed.is_some(), died > 0);
        let after = world.events.iter().skip(resumed.unwrap_or(world.events.len()));
        let mut started = after.filter(|e| matches!(e.kind, EventKind::RunStarted { .. }));
        assert_eq!(started.next(), None);
    }
}

#[test]
fn a_hold_stage_goes_on_for_as_long_as_it_was_watched() {
    let hold = "[[scenario]]\nid = 1\nlasts = \"40s\"\n[[stage]]\nhold = 10\nlasts = \"5m\"\n[[stage]]\nburst = 3\n";
    for seed in 0..20 {
        let (world, _) = die_and_resume(hold, seed, Trouble::default(), DEATHS);
        let runs = outcomes(&world.events).len() as u64;
        check(&world, runs);
        assert!(world.most_in_flight <= 13, "{}", world.most_in_flight);
        let mut unwatched = 0;
        let burst = world.events.iter().find_map(|event| match event.kind {
            EventKind::Resumed { unwatched: gap, .. } => {
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
fn the_rest_of_the_plan_comes_later_by_the_time_nobody_watched() {
    let plan = plan_of(FIFTY);
    let (whole, _) = die_and_resume(
        FIFTY,
        1,
        Trouble::default(),
        Deaths { most_actions: u64::MAX / 2, ..DEATHS },
    );
    // Cut after every event: the same runs, each as much later as the gap.
    for cut in 1..whole.events.len() {
        let carried = carried(&whole.events[..cut]);
        if carried.is_closed() {
            continue;
        }
        let (last, gap) = (carried.last(), Micros::from_secs(1_000));
        let drawn = whole.events[..cut]
            .iter()
            .filter(|event| matches!(event.kind, EventKind::RunStarted { .. }))
            .count();
        let rest = carried.rest_of_the_plan(last + gap).unwrap();
        let expected = plan.walk().skip(drawn).map(|mut run| {
            run.intended += gap;
            run
        });
        assert!(rest.eq(expected), "cut at {cut}");
    }
}

#[test]
fn a_journal_of_another_plan_is_refused_with_the_run() {
    let (whole, _) = die_and_resume(
        FIFTY,
        1,
        Trouble::default(),
        Deaths { most_actions: u64::MAX / 2, ..DEATHS },
    );
    let mut events = whole.events;
    for event in &mut events {
        if let EventKind::RunStarted { run: RunIndex(7), copy, .. } = &mut event.kind {
            *copy += 1;
        }
    }
    let error = carried(&events).opening().unwrap_err();
    assert!(error.to_string().starts_with("run 7 of the journal is not the plan's"), "{error}");
}

#[test]
fn pairs_stay_pairs_through_deaths() {
    let paired = format!("mode = \"paired\"{FIFTY}");
    for seed in 0..10 {
        let (world, died) = die_and_resume(&paired, seed, Trouble::default(), DEATHS);
        check(&world, 100);
        let mut pairs: BTreeMap<PairId, Vec<(u32, Mode)>> = BTreeMap::new();
        for event in &world.events {
            if let EventKind::RunStarted { pair, scenario, mode, .. } = event.kind {
                pairs.entry(pair.unwrap()).or_default().push((scenario, mode));
            }
        }
        assert_eq!(pairs.len(), 50, "seed {seed}, died {died} times");
        for (pair, runs) in pairs {
            let [(one, first), (other, second)] = runs[..] else { panic!("{pair}: {runs:?}") };
            assert_eq!((one, first), (other, second.other()), "pair {pair}, seed {seed}");
        }
    }
}

#[test]
fn an_outcome_that_was_kept_stays() {
    let mut outcomes_before = 0;
    for seed in 0..20 {
        let plan = plan_of(FIFTY);
        let mut world = world(seed, Trouble::everything(0.05));
        world.events.push(opened(&plan));
        world.kept = 1;
        let mut session = Session::new(settings_of(&plan), plan.walk(), RoomNames::new("room"));
        assert!(!go_on(&mut session, &mut world, 900));
        let mut session = take_up(&plan, &mut world, DEATHS);
        let before: Vec<(RunIndex, Vec<Outcome>)> = outcomes(&world.events).into_iter().collect();
        go_on(&mut session, &mut world, u64::MAX);
        let after = outcomes(&world.events);
        outcomes_before += before.len();
        for (run, outcomes) in before {
            assert_eq!(after[&run], outcomes);
        }
    }
    assert!(outcomes_before > 100, "{outcomes_before} outcomes before the deaths");
}
