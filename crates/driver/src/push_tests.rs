//! Whole sessions whose callers push updates: any updates in any order, with failing requests.

use std::collections::{BTreeMap, BTreeSet};

use super::room_naming::RoomNaming;
use super::session::Session;
use super::session_effect::SessionEffect;
use super::session_input::{DispatchCheck, RequestTiming, SessionInput};
use super::settings::DriverSettings;
use super::simulation::{outcomes, rooms_not_deleted};
use rushhour_core::evaluator::{
    AcceptedSubmission, CallerUpdate, EvaluatorCapabilities, SubmitError, SubmitErrorKind,
    UpdateKind,
};
use rushhour_core::event::{
    ConversationEnd, ConversationSummary, Event, EventKind, FailureClass, FramesSent, Outcome,
    RunMapping, StopReason,
};
use rushhour_core::plan::testing::plan_of;
use rushhour_core::rng::SeededRng;
use rushhour_core::units::{DispatchId, EvaluatorRunId, Identity, Micros, RunIndex, SessionTime};
use rushhour_livekit::{LiveKitError, LiveKitErrorKind};

const PROFILE: &str = r#"
[[scenario]]
id = 1
copies = 60
lasts = "20s"
[[stage]]
rate = "3/s"
[limits]
requests = "20/s"
in_flight = 30
run_timeout = "40s"
"#;

/// Services whose callers push any updates at any time.
pub(super) struct PushWorld {
    rng: SeededRng,
    /// The probability that a request fails.
    pub(super) fault_rate: f64,
    /// From when on no worker is left that could hold a caller.
    workers_gone: SessionTime,
    /// The probability that a caller hangs up early; the others push any updates.
    pub(super) hang_up_rate: f64,
    pub(super) now: SessionTime,
    pub(super) inputs: BTreeMap<(SessionTime, u64), SessionInput>,
    sequence: u64,
    pub(super) rooms: BTreeSet<RunIndex>,
    /// Rooms that a request under way will create.
    creating: BTreeMap<(SessionTime, u64), RunIndex>,
    pub(super) events: Vec<Event>,
}

impl PushWorld {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: SeededRng::new(seed),
            fault_rate: 0.0,
            hang_up_rate: 0.0,
            workers_gone: SessionTime::NEVER,
            now: SessionTime::START,
            inputs: BTreeMap::new(),
            sequence: 0,
            rooms: BTreeSet::new(),
            creating: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// Somebody stops the session.
    pub(super) fn stop_at(&mut self, second: u64) {
        self.input(SessionTime(second * 1_000_000), SessionInput::Stop);
    }

    /// Drives a session to its end, or until so many events are recorded; returns whether it has ended.
    pub(super) fn drive(&mut self, session: &mut Session, most_events: usize) -> bool {
        session.tick(self.now);
        for _ in 0..1_000_000_u64 {
            for effect in session.take_effects() {
                self.execute(effect);
            }
            if session.is_finished() {
                return true;
            }
            if self.events.len() >= most_events {
                return false;
            }
            let deadline = session.next_deadline();
            let next = self.inputs.first_key_value().map(|(key, _)| *key);
            if let Some((at, number)) = next.filter(|(at, _)| *at <= deadline) {
                self.now = self.now.max(at);
                if let Some(run) = self.creating.remove(&(at, number)) {
                    // A dispatch creates its room where there is none.
                    self.rooms.insert(run);
                }
                let (_, input) = self.inputs.pop_first().expect("it was just seen");
                session.handle(input, self.now);
            } else {
                assert_ne!(deadline, SessionTime::NEVER, "no input comes and nothing is due");
                self.now = self.now.max(deadline);
                session.tick(self.now);
            }
        }
        panic!("the session does not end");
    }

    fn happens(&mut self, probability: f64) -> bool {
        self.rng.uniform() < probability
    }

    fn fails(&mut self) -> bool {
        self.happens(self.fault_rate)
    }

    fn within(&mut self, most_ms: u64) -> SessionTime {
        self.now + Micros::from_millis(1 + self.rng.below(most_ms))
    }

    fn input(&mut self, at: SessionTime, input: SessionInput) -> u64 {
        self.sequence += 1;
        self.inputs.insert((at, self.sequence), input);
        self.sequence
    }

    fn result<T>(&mut self, good: T) -> Result<T, LiveKitError> {
        if self.fails() {
            return Err(LiveKitError::new(LiveKitErrorKind::Server, "message"));
        }
        Ok(good)
    }

    fn execute(&mut self, effect: SessionEffect) {
        let at = self.within(300);
        let timing = RequestTiming { sent: self.now, answered: at };
        match effect {
            SessionEffect::Record(event) => self.events.push(event),
            SessionEffect::Finish
            | SessionEffect::PollRoom(_)
            | SessionEffect::TellHiddenAgent(_)
            | SessionEffect::PollStatus { .. } => {}
            SessionEffect::CreateRoom(planned) => {
                let run = planned.index;
                let result = self.result(());
                self.rooms.insert(run);
                self.input(at, SessionInput::RoomCreated { run, timing, result });
            }
            SessionEffect::Dispatch(planned) => {
                let run = planned.index;
                let result = self.result(DispatchId::new("AD_1"));
                let at = self.within(5_000);
                let timing = RequestTiming { sent: self.now, answered: at };
                let number = self.input(at, SessionInput::Dispatched { run, timing, result });
                self.creating.insert((at, number), run);
            }
            SessionEffect::CheckDispatch(run) => {
                let check = if self.happens(0.3) {
                    DispatchCheck::with_agent(true, None)
                } else {
                    DispatchCheck::of_job(self.happens(0.5))
                };
                let result = self.result(check);
                self.input(at, SessionInput::DispatchChecked { run, result });
            }
            SessionEffect::HearCaller { run, .. } => {
                // Of some callers only what was long ago is known.
                let behind = if self.fails() { Micros::from_secs(20) } else { Micros::ZERO };
                let until = SessionTime(self.now.0.saturating_sub(behind.0));
                self.input(self.now, SessionInput::CallerHeard { run, until });
            }
            SessionEffect::Submit { request, runs } => {
                let result = if self.now >= self.workers_gone {
                    Err(SubmitError::new(SubmitErrorKind::GeneratorGone, "no worker is there"))
                } else if self.fails() {
                    Err(SubmitError::new(SubmitErrorKind::Rejected, "message"))
                } else {
                    for run in &runs {
                        self.converse(run.index);
                    }
                    let names = runs.iter().map(|run| EvaluatorRunId::of_native(run.index));
                    let runs = names.map(Some).collect();
                    Ok(AcceptedSubmission {
                        result: None,
                        runs,
                        mapping: RunMapping::Proven,
                        worker: None,
                    })
                };
                self.input(at, SessionInput::Submitted { request, timing, result });
            }
            SessionEffect::EndCall { run, .. } => {
                if self.happens(0.5) {
                    let outcome = Outcome::failed(FailureClass::Cancelled, "stopped");
                    self.push(run, at, UpdateKind::Ended { outcome, frames: None });
                }
                let at = self.within(2_000);
                self.input(at, SessionInput::CallEnded { run });
            }
            SessionEffect::DeleteRoom(run) => {
                let result = self.result(());
                if result.is_ok() {
                    self.rooms.remove(&run);
                }
                self.input(at, SessionInput::RoomDeleted { run, result });
            }
        }
    }

    /// The caller hangs up early.
    fn hang_up(&mut self, run: RunIndex) {
        let joined = self.within(1_000);
        self.push(run, joined, UpdateKind::Joined);
        let at = joined + Micros::from_secs(3);
        let ended = ConversationEnd::Abandoned;
        let summary = ConversationSummary { ended, ..Default::default() };
        self.push(run, at, UpdateKind::Conversation(summary));
        let outcome = Outcome::Completed { judged: None };
        self.push(run, at, UpdateKind::Ended { outcome, frames: None });
    }

    /// Pushes some of all updates in any order, within any time up to longer than a run may take.
    fn converse(&mut self, run: RunIndex) {
        if self.hang_up_rate > 0.0 && self.happens(self.hang_up_rate) {
            self.hang_up(run);
            return;
        }
        let outcome = Outcome::Completed { judged: None };
        let identity = Identity::new("agent");
        let ended = UpdateKind::Ended { outcome, frames: Some(FramesSent::default()) };
        let all = [
            UpdateKind::Joined,
            UpdateKind::AgentJoined { identity: identity.clone(), joined_at_ms: None },
            UpdateKind::AgentJoined { identity, joined_at_ms: None },
            UpdateKind::AgentReady,
            UpdateKind::Greeted,
            ended.clone(),
            ended,
        ];
        let in_order = self.happens(0.5);
        let choice = usize::try_from(self.rng.below(4)).unwrap_or(0);
        let most = [50, 2_000, 30_000, 90_000][choice];
        let mut times: Vec<SessionTime> = all.iter().map(|_| self.within(most)).collect();
        if in_order {
            times.sort_unstable();
        }
        for (update, at) in all.into_iter().zip(times) {
            if !self.happens(0.15) {
                self.push(run, at, update);
            }
        }
    }

    fn push(&mut self, run: RunIndex, at: SessionTime, kind: UpdateKind) {
        self.input(
            at,
            SessionInput::CallerUpdated {
                update: CallerUpdate { run, at, within: Micros::ZERO, kind },
                joined: None,
            },
        );
    }
}

fn simulate(profile: &str, seed: u64, fault_rate: f64, stops: &[u64]) -> PushWorld {
    simulate_until(SessionTime::NEVER, profile, seed, fault_rate, stops)
}

/// A session whose workers are gone from a time on.
fn simulate_until(
    workers_gone: SessionTime,
    profile: &str,
    seed: u64,
    fault_rate: f64,
    stops: &[u64],
) -> PushWorld {
    let plan = plan_of(profile);
    let evaluator = EvaluatorCapabilities::NATIVE;
    let settings = DriverSettings::new(plan.profile(), evaluator);
    let mut session = Session::new(settings, plan.schedule(), RoomNaming::new("room"));
    let mut world = PushWorld { fault_rate, workers_gone, ..PushWorld::new(seed) };
    for second in stops {
        world.stop_at(*second);
    }
    world.drive(&mut session, usize::MAX);
    world
}

fn check(world: &PushWorld, what: &str) {
    let outcomes = outcomes(&world.events);
    assert_eq!(outcomes.len(), 60, "{what}: every run has an outcome");
    for (run, outcomes) in &outcomes {
        assert_eq!(outcomes.len(), 1, "{what}: run {run} has one outcome: {outcomes:?}");
    }
    let left = rooms_not_deleted(&world.events);
    assert!(world.rooms.is_subset(&left), "{what}: {:?} remain and are not recorded", world.rooms);
    assert_eq!(world.events.last().expect("some").kind, EventKind::Closed);
}

#[test]
fn with_any_updates_in_any_order_every_run_has_one_outcome_and_no_room_remains() {
    for seed in 0..60 {
        let world = simulate(PROFILE, seed, 0.0, &[]);
        check(&world, &format!("seed {seed}"));
        assert!(world.rooms.is_empty(), "seed {seed}: {:?}", world.rooms);
    }
}

#[test]
fn the_same_holds_where_requests_fail_and_somebody_stops_it() {
    for seed in 0..60 {
        check(&simulate(PROFILE, seed, 0.1, &[]), &format!("seed {seed}"));
        check(&simulate(PROFILE, seed, 0.1, &[8]), &format!("seed {seed}, drained"));
        check(&simulate(PROFILE, seed, 0.1, &[8, 10]), &format!("seed {seed}, stopped"));
    }
}

#[test]
fn an_agent_dispatched_by_room_or_token_needs_no_request() {
    let profile = format!("{PROFILE}\n");
    for method in ["room", "token"] {
        let text = profile.replacen('\n', &format!("\ndispatch = \"{method}\"\n"), 1);
        let world = simulate(&text, 3, 0.05, &[]);
        check(&world, method);
        let dispatched =
            world.events.iter().any(|event| matches!(event.kind, EventKind::Dispatched { .. }));
        assert!(!dispatched, "{method}");
    }
}

#[test]
fn a_session_without_workers_stops_says_so_and_blames_no_agent() {
    let gone = SessionTime(5_000_000);
    let world = simulate_until(gone, PROFILE, 7, 0.0, &[]);
    let stopped = world.events.iter().find_map(|event| match &event.kind {
        EventKind::Stopping { reason, detail } => Some((*reason, detail.as_str())),
        _ => None,
    });
    assert_eq!(stopped, Some((StopReason::Workers, "no worker is there")));
    assert!(
        world.events.iter().any(|event| matches!(event.kind, EventKind::RestNotStarted { .. })),
        "no further run starts"
    );
    let outcomes = outcomes(&world.events);
    assert!(outcomes.values().all(|outcomes| outcomes.len() == 1), "{outcomes:?}");
    assert!(world.rooms.is_empty(), "{:?}", world.rooms);
    let submitted_later = world.events.iter().filter_map(|event| match &event.kind {
        EventKind::Ended { outcome: Outcome::Failed { class, detail }, .. }
            if detail.as_str() == "no worker is there" =>
        {
            Some(*class)
        }
        _ => None,
    });
    let classes: Vec<FailureClass> = submitted_later.collect();
    assert!(!classes.is_empty(), "a run was not placed");
    assert!(classes.iter().all(|class| *class == FailureClass::GeneratorFault), "{classes:?}");
}
