//! Whole sessions in which callers hang up early and call again, also across crashes and stops.

use std::collections::{BTreeMap, BTreeSet};

use super::push_tests::PushWorld;
use super::room_naming::RoomNaming;
use super::run::EvaluatorLifetime;
use super::session::{Resumption, Session};
use super::settings::DriverSettings;
use super::simulation::{outcomes, replayed};
use rushhour_core::evaluator::EvaluatorCapabilities;
use rushhour_core::event::{ConversationEnd, Event, EventKind, Outcome};
use rushhour_core::plan::testing::native_plan_of;
use rushhour_core::plan::{Plan, PlannedRun};
use rushhour_core::profile::testing::opened_with;
use rushhour_core::units::{Micros, RunIndex, SessionTime};

const OPEN: &str = "[[stage]]\nrate = \"3/s\"\n";
const HOLD: &str = "[[stage]]\nhold = 5\nlasts = \"40s\"\n";
const PAUSE: Micros = Micros::from_secs(7);

fn plan(stages: &str) -> Plan {
    let profile = format!(
        "[[scenario]]\nid = 1\ncopies = 60\nlasts = \"20s\"\nscript = \"s.toml\"\n{stages}[limits]\nrequests = \"20/s\"\nin_flight = 90\nrun_timeout = \"40s\"\n"
    );
    let script = "[abandon]\nshare = \"50%\"\nafter = \"3s\"\n[redial]\nshare = \"60%\"\npause = \"7s\"\nat_most = 2\n[[turn]]\nsay = \"Hello.\"\n";
    native_plan_of(&profile, script)
}

fn settings(plan: &Plan) -> DriverSettings {
    DriverSettings::new(plan.profile(), EvaluatorCapabilities::NATIVE)
}

fn world(plan: &Plan, seed: u64) -> PushWorld {
    let mut world = PushWorld::new(seed);
    world.hang_up_rate = 0.5;
    world.events.push(opened_with(plan.profile().clone()));
    world
}

fn session(plan: &Plan) -> Session {
    Session::new(settings(plan), plan.schedule(), RoomNaming::new("room"))
}

/// The runs that were started or skipped.
fn runs(events: &[Event]) -> Vec<PlannedRun> {
    events.iter().filter_map(|event| PlannedRun::of_event(&event.kind)).collect()
}

/// Every run has one outcome, and every second call follows a call that ended before it.
fn check(world: &PushWorld, what: &str) {
    let outcomes = outcomes(&world.events);
    for (run, outcomes) in &outcomes {
        assert_eq!(outcomes.len(), 1, "{what}: run {run}: {outcomes:?}");
    }
    let runs = runs(&world.events);
    let indexes: BTreeSet<RunIndex> = runs.iter().map(|run| run.index).collect();
    assert_eq!(indexes.len(), runs.len(), "{what}: no run starts twice");
    assert!(indexes.iter().all(|run| outcomes.contains_key(run)), "{what}");
    let in_plan = outcomes.keys().filter(|run| run.earlier_calls() == 0).count();
    assert_eq!(in_plan, 60, "{what}: the plan is complete");
    for run in &runs {
        assert_eq!(run.redial_of.is_some(), run.index.earlier_calls() > 0, "{what}");
        assert!(run.index.earlier_calls() <= 2, "{what}: {run:?}");
        if let Some(before) = run.redial_of {
            assert_eq!(before.next_call(), run.index, "{what}");
            assert!(indexes.contains(&before), "{what}");
        }
    }
    assert_eq!(world.events.last().expect("some").kind, EventKind::Closed, "{what}");
}

/// Drives a session to its end, through crashes; returns how many. Each process lives for some more events than the one
/// before.
fn drive(plan: &Plan, world: &mut PushWorld, first_lives_for: usize) -> usize {
    let mut session = session(plan);
    let mut crashes = 0;
    loop {
        let lives_for = first_lives_for.saturating_add(30 * crashes);
        if world.drive(&mut session, lives_for.saturating_add(world.events.len())) {
            return crashes;
        }
        crashes += 1;
        world.inputs.clear();
        world.now += Micros::from_secs(9);
        let replayed = replayed(&world.events);
        let how = Resumption {
            wall_clock: String::new(),
            truncated_bytes: 0,
            evaluator: EvaluatorLifetime::InProcess,
            held: BTreeSet::new(),
            finish_only: false,
        };
        let naming = RoomNaming::new("room");
        session = Session::resume(settings(plan), naming, replayed, how, world.now)
            .unwrap_or_else(|error| panic!("crash {crashes}: {error}"));
    }
}

/// When callers hung up early.
fn hang_ups(events: &[Event]) -> BTreeMap<RunIndex, SessionTime> {
    let mut hung_up = BTreeSet::new();
    let mut ended = BTreeMap::new();
    for event in events {
        match &event.kind {
            EventKind::Conversation { run, summary }
                if summary.ended == ConversationEnd::Abandoned =>
            {
                hung_up.insert(*run);
            }
            EventKind::Ended { run, outcome: Outcome::Completed { .. }, seen, .. }
                if hung_up.contains(run) =>
            {
                ended.insert(*run, *seen);
            }
            _ => {}
        }
    }
    ended
}

#[test]
fn callers_that_hang_up_call_again_after_the_pause_as_runs_of_their_own() {
    let plan = plan(OPEN);
    for seed in 0..20 {
        let mut world = world(&plan, seed);
        assert!(world.drive(&mut session(&plan), usize::MAX));
        check(&world, &format!("seed {seed}"));
        assert!(world.rooms.is_empty(), "seed {seed}");
        let (hang_ups, runs) = (hang_ups(&world.events), runs(&world.events));
        let again: Vec<&PlannedRun> = runs
            .iter()
            .filter(|run| run.redial_of.is_some_and(|of| hang_ups.contains_key(&of)))
            .collect();
        assert!(again.len() > 5, "{} of {}", again.len(), hang_ups.len());
        for run in again {
            assert_eq!(run.intended, hang_ups[&run.redial_of.unwrap()] + PAUSE);
        }
        // The runs of the plan are the same as if nobody called again.
        let planned: Vec<PlannedRun> =
            runs.into_iter().filter(|run| run.redial_of.is_none()).collect();
        assert_eq!(planned, plan.schedule().collect::<Vec<_>>());
    }
}

#[test]
fn a_stage_that_holds_runs_in_flight_holds_no_more_because_callers_call_again() {
    let plan = plan(HOLD);
    for seed in 0..20 {
        let mut world = world(&plan, seed);
        assert!(world.drive(&mut session(&plan), usize::MAX));
        let (mut in_flight, mut again) = (0_i64, 0);
        for event in &world.events {
            match &event.kind {
                EventKind::RunStarted { redial_of, .. } => {
                    in_flight += 1;
                    again += u32::from(redial_of.is_some());
                    assert!(event.at < SessionTime(40_000_000), "seed {seed}: {:?}", event.at);
                }
                EventKind::Ended { .. } => in_flight -= 1,
                _ => {}
            }
            assert!(in_flight <= 5, "seed {seed}: {in_flight} at {:?}", event.at);
        }
        assert!(again > 0, "seed {seed}");
    }
}

/// Checks that no run starts once a stage of 10 in flight has used up its copies and has a slot free; returns how many
/// events come before.
fn check_used_up(events: &[Event], what: &str) -> usize {
    let (mut planned, mut in_flight, mut now) = (0, 0, SessionTime::START);
    let mut before = None;
    for (position, event) in events.iter().enumerate() {
        // What is recorded at one time is one step.
        if event.at > now {
            now = event.at;
            before = before.or((planned == 60 && in_flight < 10).then_some(position));
        }
        match &event.kind {
            EventKind::RunStarted { redial_of, .. } => {
                assert_eq!(before, None, "{what}: starts at {now:?}");
                in_flight += 1;
                planned += u32::from(redial_of.is_none());
            }
            EventKind::Ended { .. } => in_flight -= 1,
            _ => {}
        }
    }
    before.unwrap_or_else(|| panic!("{what}: the copies are not used up"))
}

#[test]
fn nobody_calls_again_once_a_stage_has_used_up_its_copies() {
    let plan = plan("[[stage]]\nhold = 10\nlasts = \"5m\"\n");
    for seed in 0..20 {
        let mut whole = world(&plan, seed);
        drive(&plan, &mut whole, usize::MAX);
        let before = check_used_up(&whole.events, &format!("seed {seed}"));
        assert!(runs(&whole.events).len() > 60, "seed {seed}: somebody called again before");
        // Nor after a crash some seconds later.
        let mut world = world(&plan, seed);
        assert_eq!(drive(&plan, &mut world, before + 20), 1, "seed {seed}");
        check_used_up(&world.events, &format!("seed {seed}, resumed"));
    }
}

#[test]
fn nobody_calls_again_once_the_session_is_stopped() {
    let plan = plan(OPEN);
    for (seed, stops) in [(1, vec![8]), (2, vec![8, 9]), (3, vec![14])] {
        let mut world = world(&plan, seed);
        world.fault_rate = 0.1;
        for second in &stops {
            world.stop_at(*second);
        }
        assert!(world.drive(&mut session(&plan), usize::MAX));
        check(&world, &format!("stopped at {stops:?}"));
        let stopped = SessionTime(stops[0] * 1_000_000);
        let late = world.events.iter().filter(|event| event.at > stopped);
        assert_eq!(late.filter(|event| PlannedRun::of_event(&event.kind).is_some()).count(), 0);
    }
}

#[test]
fn a_resumed_session_knows_who_is_to_call_again() {
    for (stages, is_open) in [(OPEN, true), (HOLD, false)] {
        let plan = plan(stages);
        for seed in 0..20 {
            let mut world = world(&plan, seed);
            let crashes = drive(&plan, &mut world, 60);
            assert!(crashes > 2, "{crashes} crashes");
            let what = format!("seed {seed}, {crashes} crashes, {stages}");
            if is_open {
                check(&world, &what);
            }
            let again = runs(&world.events).iter().filter(|run| run.redial_of.is_some()).count();
            assert!(again > 0, "{what}");
        }
    }
}

#[test]
fn the_last_tick_of_all_times_ends() {
    let plan = plan(OPEN);
    let mut session = session(&plan);
    session.handle(super::session_input::SessionInput::Stop, SessionTime::START);
    session.tick(SessionTime::NEVER);
    assert!(session.is_finished());
}
