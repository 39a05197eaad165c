//! A whole session against an invented world, in virtual time: no clock, no socket, no task.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::effects::{RequestTiming, RoomPoll, SessionEffect, SessionInput};
use super::room_names::RoomNames;
use super::session::Session;
use super::settings::DriverSettings;
use rushhour_core::evaluator::{
    AcceptedSubmission, EvaluatorCapabilities, PollError, RunState, RunStatus, SubmitError,
    SubmitErrorKind, UpdateMode,
};
use rushhour_core::event::{Event, EventKind, Outcome, RunMapping, RunPhase};
use rushhour_core::plan::Plan;
use rushhour_core::plan::testing::plan_of;
use rushhour_core::units::{DispatchId, EvaluatorRunId, Identity, Micros, RunIndex, SessionTime};
use rushhour_livekit::{AgentParticipant, LiveKitError, LiveKitErrorKind};

/// How often each kind of trouble happens, as a share between 0 and 1.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trouble {
    pub(super) room_fails: f64,
    pub(super) dispatch_fails: f64,
    pub(super) agent_never: f64,
    pub(super) look_fails: f64,
    pub(super) submit_throttled: f64,
    pub(super) submit_not_sent: f64,
    pub(super) submit_unknown: f64,
    pub(super) submit_rejected: f64,
    pub(super) no_run_made: f64,
    pub(super) ask_fails: f64,
    pub(super) run_missing: f64,
    pub(super) never_ends: f64,
    pub(super) deletion_fails: f64,
}

impl Trouble {
    pub(super) const fn everything(share: f64) -> Self {
        Self {
            room_fails: share,
            dispatch_fails: share,
            agent_never: share,
            look_fails: share,
            submit_throttled: share,
            submit_not_sent: share,
            submit_unknown: share,
            submit_rejected: share,
            no_run_made: share,
            ask_fails: share,
            run_missing: share,
            never_ends: share,
            deletion_fails: share,
        }
    }
}

/// What the invented world knows.
pub(super) struct World {
    random: ChaCha8Rng,
    trouble: Trouble,
    pub(super) now: SessionTime,
    pub(super) coming: BTreeMap<(SessionTime, u64), SessionInput>,
    sequence: u64,
    agents: HashMap<RunIndex, SessionTime>,
    accepted: HashMap<EvaluatorRunId, (SessionTime, SessionTime)>,
    pub(super) rooms: BTreeSet<RunIndex>,
    pub(super) submissions: HashMap<RunIndex, u32>,
    pub(super) events: Vec<Event>,
    pub(super) most_in_flight: usize,
    /// The most that the session itself held on to at once.
    pub(super) most_held: usize,
    /// Events that are on the disk for certain: something was sent after them.
    pub(super) kept: usize,
    /// Actions performed.
    pub(super) performed: u64,
}

impl World {
    /// A random number below `bound`, which is not zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound
    }

    fn chance(&mut self, share: f64) -> bool {
        ((self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64) < share
    }

    fn after(&mut self, least_ms: u64, most_ms: u64) -> SessionTime {
        let millis = least_ms + self.random.next_u64() % (most_ms - least_ms + 1);
        self.now + Micros::from_millis(millis)
    }

    fn answer(&mut self, at: SessionTime, input: impl FnOnce(RequestTiming) -> SessionInput) {
        let input = input(RequestTiming { sent: self.now, answered: at });
        self.sequence += 1;
        self.coming.insert((at, self.sequence), input);
    }

    fn perform(&mut self, action: SessionEffect) {
        self.performed += 1;
        if matches!(
            action,
            SessionEffect::CreateRoom(_)
                | SessionEffect::Dispatch(_)
                | SessionEffect::Submit { .. }
        ) {
            self.kept = self.events.len();
        }
        match action {
            SessionEffect::Record(event) => self.events.push(event),
            SessionEffect::Finish => {}
            SessionEffect::CreateRoom(planned) => {
                let run = planned.index;
                let fails = self.chance(self.trouble.room_fails);
                // A room whose making failed may be there all the same.
                if !fails || self.chance(0.5) {
                    self.rooms.insert(run);
                }
                let at = self.after(2, 40);
                let result = if fails { Err(trouble()) } else { Ok(()) };
                self.answer(at, |timing| SessionInput::RoomCreated { run, timing, result });
            }
            SessionEffect::Dispatch(planned) => {
                let run = planned.index;
                self.rooms.insert(run);
                let fails = self.chance(self.trouble.dispatch_fails);
                if !self.chance(self.trouble.agent_never) {
                    let joins = self.after(200, 3_000);
                    self.agents.insert(run, joins);
                }
                let at = self.after(2, 40);
                let result = if fails { Err(trouble()) } else { Ok(DispatchId::new("AD_1")) };
                self.answer(at, |timing| SessionInput::Dispatched { run, timing, result });
            }
            SessionEffect::PollRoom(run) => {
                let at = self.after(1, 10);
                let sight = self.agents.get(&run).copied().filter(|joins| *joins <= at);
                let sight = sight.map(|joins| {
                    let identity = Identity::new("agent-1");
                    (
                        AgentParticipant { identity, joined_at_ms: None, listening: true },
                        Some(joins),
                    )
                });
                let name = EvaluatorRunId::new(format!("e{}", run.0));
                let caller = self.accepted.get(&name).is_some_and(|(begins, _)| *begins <= at);
                let result = if self.chance(self.trouble.look_fails) {
                    Err(trouble())
                } else {
                    Ok(RoomPoll { agent: sight, caller })
                };
                self.answer(at, |timing| SessionInput::RoomPolled { run, timing, result });
            }
            SessionEffect::CheckDispatch(run) => {
                let at = self.after(1, 10);
                let assigned = self.agents.contains_key(&run);
                self.answer(at, |_| SessionInput::DispatchChecked { run, result: Ok(assigned) });
            }
            SessionEffect::Submit { request, runs } => {
                let runs: Vec<RunIndex> = runs.into_iter().map(|run| run.index).collect();
                self.submit(request, &runs);
            }
            SessionEffect::PollStatus { runs } => {
                let at = self.after(5, 200);
                let result = if self.chance(self.trouble.ask_fails) {
                    Err(PollError { rate_limited: false, retry_after: None, message: "502".into() })
                } else {
                    Ok(runs.iter().filter_map(|(_, name)| self.sight(name, at)).collect())
                };
                let runs = runs.into_iter().map(|(run, _)| run).collect();
                self.answer(at, |timing| SessionInput::StatusPolled { runs, timing, result });
            }
            SessionEffect::EndCall { run, .. } => {
                let at = self.after(5, 50);
                self.answer(at, |_| SessionInput::CallEnded { run });
            }
            SessionEffect::DeleteRoom(run) => {
                let at = self.after(1, 30);
                let fails = self.chance(self.trouble.deletion_fails);
                if !fails {
                    self.rooms.remove(&run);
                }
                let result = if fails { Err(trouble()) } else { Ok(()) };
                self.answer(at, |_| SessionInput::RoomDeleted { run, result });
            }
        }
    }

    fn submit(&mut self, request: u64, runs: &[RunIndex]) {
        let at = self.after(20, 400);
        let refused = |kind| Err(SubmitError { kind, message: "in words".into() });
        let result = if self.chance(self.trouble.submit_throttled) {
            let retry_after = self.chance(0.5).then_some(Micros::from_secs(2));
            refused(SubmitErrorKind::RateLimited { retry_after })
        } else if self.chance(self.trouble.submit_not_sent) {
            refused(SubmitErrorKind::NotSent)
        } else if self.chance(self.trouble.submit_rejected) {
            refused(SubmitErrorKind::Rejected)
        } else {
            for run in runs {
                *self.submissions.entry(*run).or_default() += 1;
            }
            if self.chance(self.trouble.submit_unknown) {
                for run in runs {
                    let begins = self.after(500, 60_000);
                    let name = EvaluatorRunId::new(format!("e{}", run.0));
                    self.accepted.insert(name, (begins, SessionTime::NEVER));
                }
                refused(SubmitErrorKind::Unknown)
            } else {
                let mut made = Vec::new();
                for run in runs {
                    let name = EvaluatorRunId::new(format!("e{}", run.0));
                    if self.chance(self.trouble.no_run_made) {
                        made.push(None);
                        continue;
                    }
                    let begins = self.after(500, 2_000);
                    let ends = if self.chance(self.trouble.never_ends) {
                        SessionTime::NEVER
                    } else {
                        begins + Micros::from_secs(20 + self.random.next_u64() % 60)
                    };
                    self.accepted.insert(name.clone(), (begins, ends));
                    made.push(Some(name));
                }
                Ok(AcceptedSubmission { result: None, runs: made, mapping: RunMapping::Proven })
            }
        };
        self.answer(at, |timing| SessionInput::Submitted { request, timing, result });
    }

    fn sight(&mut self, name: &EvaluatorRunId, at: SessionTime) -> Option<RunStatus> {
        let (begins, ends) = *self.accepted.get(name)?;
        if self.chance(self.trouble.run_missing) {
            return None;
        }
        let state = match at {
            at if at < begins => RunState::InProgress(RunPhase::Queued),
            at if at < ends => RunState::InProgress(RunPhase::Running),
            _ => RunState::Ended(Outcome::Completed { judged: Some(true) }),
        };
        Some(RunStatus {
            run: name.clone(),
            state,
            word: "word".into(),
            conversation_duration: None,
        })
    }
}

fn trouble() -> LiveKitError {
    LiveKitError::new(LiveKitErrorKind::Transport, "in words")
}

/// An invented world at its beginning.
pub(super) fn world(seed: u64, trouble: Trouble) -> World {
    World {
        random: ChaCha8Rng::seed_from_u64(seed),
        trouble,
        now: SessionTime::START,
        coming: BTreeMap::new(),
        sequence: 0,
        agents: HashMap::new(),
        accepted: HashMap::new(),
        rooms: BTreeSet::new(),
        submissions: HashMap::new(),
        events: Vec::new(),
        most_in_flight: 0,
        most_held: 0,
        kept: 0,
        performed: 0,
    }
}

/// The settings of a plan in an invented world.
pub(super) fn settings_of(plan: &Plan) -> DriverSettings {
    let manner = EvaluatorCapabilities {
        entries_per_request: plan
            .profile()
            .evaluator
            .cekura()
            .map_or(1, |cekura| cekura.entries_per_request),
        fill_within: Micros::from_secs(1),
        poll_every: Micros::from_secs(5),
        runs_per_poll: 100,
        updates: UpdateMode::Poll,
    };
    DriverSettings::new(plan.profile(), manner)
}

/// Drives a profile's plan through the invented world; somebody wants it to stop at the given times.
pub(super) fn simulate(profile: &str, seed: u64, trouble: Trouble, stops: &[u64]) -> World {
    let plan = plan_of(profile);
    let mut session = Session::new(settings_of(&plan), plan.walk(), RoomNames::new("room"));
    let mut world = world(seed, trouble);
    for stop in stops {
        world.answer(SessionTime(stop * 1_000_000), |_| SessionInput::Stop);
    }
    go_on(&mut session, &mut world, u64::MAX);
    world
}

/// Drives a session until it is finished, or its process dies after so many actions; tells whether it
/// is finished.
pub(super) fn go_on(session: &mut Session, world: &mut World, dies_after: u64) -> bool {
    session.tick(world.now);
    for _ in 0..10_000_000_u64 {
        for action in session.take_actions() {
            if world.performed >= dies_after {
                return false;
            }
            world.perform(action);
        }
        world.most_in_flight = world.most_in_flight.max(session.in_flight as usize);
        world.most_held = world.most_held.max(session.held());
        if session.is_finished() {
            return true;
        }
        let deadline = session.next_deadline();
        let next_input = world.coming.first_key_value().map(|((at, _), _)| *at);
        if let Some(at) = next_input.filter(|at| *at <= deadline) {
            world.now = world.now.max(at);
            let (_, input) = world.coming.pop_first().expect("it was just seen");
            session.handle(input, world.now);
        } else {
            assert_ne!(deadline, SessionTime::NEVER, "nothing is coming and nothing is due");
            world.now = world.now.max(deadline);
            session.tick(world.now);
        }
    }
    panic!("the session does not end");
}

/// How each run ended.
pub(super) fn outcomes(events: &[Event]) -> BTreeMap<RunIndex, Vec<Outcome>> {
    let mut outcomes: BTreeMap<RunIndex, Vec<Outcome>> = BTreeMap::new();
    for event in events {
        match &event.kind {
            EventKind::Ended { run, outcome, .. } => {
                outcomes.entry(*run).or_default().push(outcome.clone());
            }
            EventKind::RunSkipped { run, .. } => {
                outcomes.entry(*run).or_default().push(Outcome::Skipped);
            }
            EventKind::RestNotStarted { from, count } => {
                for run in from.0..from.0 + count {
                    let outcome =
                        Outcome::failed(rushhour_core::event::FailureClass::Cancelled, "");
                    outcomes.entry(RunIndex(run)).or_default().push(outcome);
                }
            }
            _ => {}
        }
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn check(world: &World, planned: u64) {
        let outcomes = outcomes(&world.events);
        assert_eq!(outcomes.len() as u64, planned, "every run has an outcome");
        for (run, outcomes) in &outcomes {
            assert_eq!(outcomes.len(), 1, "run {run} has one outcome: {outcomes:?}");
        }
        assert!(!world.submissions.is_empty(), "nothing was submitted");
        for (run, times) in &world.submissions {
            assert_eq!(*times, 1, "run {run} was accepted once");
        }
        assert_eq!(world.events.last().unwrap().kind, EventKind::Closed);
        assert!(world.events.is_sorted_by_key(|event| event.at));
    }

    #[test]
    fn without_trouble_everything_completes_and_no_room_is_left() {
        let world = simulate(HUNDRED, 1, Trouble::default(), &[]);
        check(&world, 100);
        assert!(outcomes(&world.events).values().all(|list| list[0].name() == "completed"));
        assert!(world.rooms.is_empty());
        assert!(world.most_in_flight <= 60);
    }

    #[test]
    fn whatever_goes_wrong_every_run_has_one_outcome() {
        for seed in 0..40 {
            let world = simulate(HUNDRED, seed, Trouble::everything(0.08), &[]);
            check(&world, 100);
            let left: BTreeSet<RunIndex> = world
                .events
                .iter()
                .filter_map(|event| match &event.kind {
                    EventKind::RoomNotDeleted { run, .. } => Some(*run),
                    _ => None,
                })
                .collect();
            assert!(world.rooms.is_subset(&left), "rooms that are left are told (seed {seed})");
            assert!(left.len() <= 1, "deletion is tried again: {left:?} (seed {seed})");
        }
    }

    #[test]
    fn stopping_once_drains_and_twice_ends_at_once() {
        for seed in 0..20 {
            let world = simulate(HUNDRED, seed, Trouble::everything(0.03), &[20]);
            check(&world, 100);
            let end = world.events.last().unwrap().at;
            assert!(end > SessionTime(40_000_000), "drained until {end:?}");
            let world = simulate(HUNDRED, seed, Trouble::everything(0.03), &[20, 25]);
            check(&world, 100);
            let end = world.events.last().unwrap().at;
            assert!(end < SessionTime(52_000_000), "ended at {end:?}");
        }
    }

    #[test]
    fn a_full_house_waits_or_skips_as_the_profile_says() {
        let small = HUNDRED.replace("in_flight = 60", "in_flight = 10");
        let waits = simulate(&small, 3, Trouble::default(), &[]);
        check(&waits, 100);
        assert_eq!(waits.most_in_flight, 10);
        let skips = simulate(
            &small.replace("in_flight = 10", "in_flight = 10\nwhen_full = \"skip\""),
            3,
            Trouble::default(),
            &[],
        );
        check(&skips, 100);
        let skipped =
            outcomes(&skips.events).values().filter(|list| list[0] == Outcome::Skipped).count();
        assert!((50..95).contains(&skipped), "{skipped}");
    }

    #[test]
    fn a_hold_stage_holds() {
        let profile =
            "[[scenario]]\nid = 1\nlasts = \"40s\"\n[[stage]]\nhold = 20\nlasts = \"5m\"\n";
        let world = simulate(profile, 3, Trouble::default(), &[]);
        assert_eq!(world.most_in_flight, 20);
        let runs = outcomes(&world.events).len() as u64;
        check(&world, runs);
        assert!((80..160).contains(&runs), "{runs}");
        for event in &world.events {
            if let EventKind::RunStarted { intended, .. } = event.kind {
                assert!(event.at.since(intended) < Micros::from_millis(1), "{event:?}");
            }
        }
    }

    #[test]
    fn a_hold_stage_is_reached_step_by_step_and_takes_over_what_is_in_flight() {
        let profile = "[[scenario]]\nid = 1\nlasts = \"40s\"\n[[stage]]\nhold = 20\nramp = \"1/s\"\nlasts = \"90s\"\n[[stage]]\nname = \"on\"\nhold = 20\nlasts = \"2m\"\n[[stage]]\nname = \"fewer\"\nhold = 5\nlasts = \"2m\"\n";
        let world = simulate(profile, 3, Trouble::default(), &[]);
        assert_eq!(world.most_in_flight, 20, "a stage that begins adds nothing to what is held");
        check(&world, outcomes(&world.events).len() as u64);
        let mut starts = [const { Vec::new() }; 3];
        for event in &world.events {
            if let EventKind::RunStarted { stage, intended, .. } = event.kind {
                assert!(event.at.since(intended) < Micros::from_millis(1), "{event:?}");
                starts[stage as usize].push(intended.as_secs_f64());
            }
        }
        for (place, start) in starts[0].iter().take(15).enumerate() {
            assert!((start - place as f64).abs() < 1e-6, "{:?}", starts[0]);
        }
        let within = |from: f64, to: f64| {
            starts[1].iter().filter(|start| (from..to).contains(*start)).count()
        };
        assert!(within(90.0, 91.0) <= 3, "twenty are in flight already: {:?}", starts[1]);
        assert!(within(90.0, 210.0) >= 30, "{:?}", starts[1]);
        assert!(starts[2][0] > 211.0, "more are in flight than are wanted: {:?}", starts[2]);
    }

    #[test]
    fn fifty_thousand_runs_leave_nothing_behind_in_the_session() {
        let day = |copies: u64| {
            HUNDRED
                .replace("copies = 100", &format!("copies = {copies}"))
                .replace("\"2/s\"", "\"12/s\"")
                .replace(
                    "requests = \"5/s\"\nin_flight = 60",
                    "requests = \"50/s\"\npolls = \"20/s\"\nlooks = \"400/s\"\nin_flight = 2000",
                )
        };
        let trouble = Trouble { deletion_fails: 0.01, run_missing: 0.01, ..Trouble::default() };
        let short = simulate(&day(5_000), 4, trouble, &[]);
        let long = simulate(&day(50_000), 4, trouble, &[]);
        assert_eq!(outcomes(&long.events).len(), 50_000);
        assert!(short.most_in_flight > 500, "{}", short.most_in_flight);
        // What a session holds is what is in flight: ten times as many runs are no more of it.
        let (one, ten) = (short.most_held as f64, long.most_held as f64);
        assert!(ten < one * 1.1, "{one} at once in a tenth, {ten} in all");
    }

    #[test]
    fn shared_requests_keep_every_run_apart() {
        let shared = format!("{HUNDRED}[evaluator]\nentries_per_request = 4\n");
        let world = simulate(&shared, 5, Trouble::everything(0.05), &[]);
        check(&world, 100);
    }

    #[test]
    fn the_same_seed_gives_the_same_events() {
        let one = simulate(HUNDRED, 9, Trouble::everything(0.05), &[30]);
        let two = simulate(HUNDRED, 9, Trouble::everything(0.05), &[30]);
        assert_eq!(one.events, two.events);
    }
}
