//! A whole session against simulated services, in virtual time: no clock, no socket, no task.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::replay::ReplayedSession;
use super::room_naming::RoomNaming;
use super::session::Session;
use super::session_effect::SessionEffect;
use super::session_input::{DispatchCheck, PolledAgent, RequestTiming, RoomPoll, SessionInput};
use super::settings::DriverSettings;
use rushhour_core::evaluator::{
    AcceptedSubmission, EvaluatorCapabilities, PollError, PollErrorKind, RunState, RunStatus,
    SubmitError, SubmitErrorKind, UpdateMode,
};
use rushhour_core::event::{Event, EventKind, FailureClass, Outcome, RunMapping, RunPhase};
use rushhour_core::plan::Plan;
use rushhour_core::plan::testing::plan_of;
use rushhour_core::rng::SeededRng;
use rushhour_core::units::{DispatchId, EvaluatorRunId, Identity, Micros, RunIndex, SessionTime};
use rushhour_livekit::{AgentParticipant, LiveKitError, LiveKitErrorKind};

/// What a journal of these events says.
pub(super) fn replayed(events: &[Event]) -> ReplayedSession {
    let mut replayed = ReplayedSession::default();
    for event in events {
        replayed.add(event);
    }
    replayed
}

/// The probability of each kind of fault.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FaultRates {
    pub(super) room_fails: f64,
    pub(super) dispatch_fails: f64,
    pub(super) agent_absent: f64,
    pub(super) room_poll_fails: f64,
    pub(super) submit_throttled: f64,
    pub(super) submit_not_sent: f64,
    pub(super) submit_unknown: f64,
    pub(super) submit_rejected: f64,
    pub(super) no_run_created: f64,
    pub(super) status_poll_fails: f64,
    pub(super) run_missing: f64,
    pub(super) never_ends: f64,
    pub(super) deletion_fails: f64,
    pub(super) livekit_throttled: f64,
}

impl FaultRates {
    pub(super) const fn everything(share: f64) -> Self {
        Self {
            room_fails: share,
            dispatch_fails: share,
            agent_absent: share,
            room_poll_fails: share,
            submit_throttled: share,
            submit_not_sent: share,
            submit_unknown: share,
            submit_rejected: share,
            no_run_created: share,
            status_poll_fails: share,
            run_missing: share,
            never_ends: share,
            deletion_fails: share,
            livekit_throttled: share,
        }
    }
}

/// Simulated services, and what they have seen.
pub(super) struct World {
    rng: SeededRng,
    faults: FaultRates,
    pub(super) now: SessionTime,
    pub(super) inputs: BTreeMap<(SessionTime, u64), SessionInput>,
    sequence: u64,
    agents: HashMap<RunIndex, SessionTime>,
    accepted: HashMap<EvaluatorRunId, (SessionTime, SessionTime)>,
    pub(super) rooms: BTreeSet<RunIndex>,
    pub(super) submissions: HashMap<RunIndex, u32>,
    pub(super) events: Vec<Event>,
    pub(super) most_in_flight: usize,
    /// The most things that the session retained at once.
    pub(super) most_retained: usize,
    /// How many events are certainly on disk, because a request was sent after them.
    pub(super) durable: usize,
    /// How many effects were executed.
    pub(super) executed: u64,
    /// The most requests to LiveKit within a minute; it refuses further ones.
    pub(super) livekit_quota: usize,
    /// When it took each request of the last minute.
    livekit_taken: VecDeque<SessionTime>,
    /// When it refused each request, and whether that was a deletion.
    pub(super) livekit_refused: Vec<(SessionTime, bool)>,
}

impl World {
    /// A random number below `bound`, which is not zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }

    fn happens(&mut self, share: f64) -> bool {
        self.rng.uniform() < share
    }

    fn after(&mut self, least_ms: u64, most_ms: u64) -> SessionTime {
        let millis = least_ms + self.rng.below(most_ms - least_ms + 1);
        self.now + Micros::from_millis(millis)
    }

    fn reply(&mut self, at: SessionTime, input: impl FnOnce(RequestTiming) -> SessionInput) {
        let input = input(RequestTiming { sent: self.now, answered: at });
        self.sequence += 1;
        self.inputs.insert((at, self.sequence), input);
    }

    /// LiveKit's refusal of a request, where there are too many.
    fn livekit_refusal(&mut self, is_deletion: bool) -> Option<LiveKitError> {
        let now = self.now;
        let minute = Micros::from_secs(60);
        while self.livekit_taken.front().is_some_and(|taken| *taken + minute <= now) {
            self.livekit_taken.pop_front();
        }
        let exceeds = self.livekit_taken.len() >= self.livekit_quota;
        let share = self.faults.livekit_throttled;
        if exceeds || (share > 0.0 && self.happens(share)) {
            self.livekit_refused.push((now, is_deletion));
            let retry_after = (share > 0.0 && self.happens(0.5)).then_some(Micros::from_secs(2));
            let kind = LiveKitErrorKind::RateLimited { retry_after };
            return Some(LiveKitError::new(kind, "LiveKit answered 429"));
        }
        self.livekit_taken.push_back(now);
        None
    }

    /// Answers a request to LiveKit with a refusal, where there are too many; returns whether it did.
    fn refuse(&mut self, effect: &SessionEffect) -> bool {
        let is_deletion = matches!(effect, SessionEffect::DeleteRoom(_));
        let is_livekit = matches!(
            effect,
            SessionEffect::CreateRoom(_)
                | SessionEffect::Dispatch(_)
                | SessionEffect::PollRoom(_)
                | SessionEffect::CheckDispatch(_)
                | SessionEffect::DeleteRoom(_)
        );
        let refusal = is_livekit.then(|| self.livekit_refusal(is_deletion)).flatten();
        let Some(error) = refusal else { return false };
        let at = self.after(1, 10);
        let (effect, result) = (effect.clone(), error);
        self.reply(at, |timing| match effect {
            SessionEffect::CreateRoom(planned) => {
                SessionInput::RoomCreated { run: planned.index, timing, result: Err(result) }
            }
            SessionEffect::Dispatch(planned) => {
                SessionInput::Dispatched { run: planned.index, timing, result: Err(result) }
            }
            SessionEffect::PollRoom(run) => {
                SessionInput::RoomPolled { run, timing, result: Err(result) }
            }
            SessionEffect::CheckDispatch(run) => {
                SessionInput::DispatchChecked { run, result: Err(result) }
            }
            SessionEffect::DeleteRoom(run) => {
                SessionInput::RoomDeleted { run, result: Err(result) }
            }
            other => unreachable!("{other:?} is no request to LiveKit"),
        });
        true
    }

    fn execute(&mut self, effect: SessionEffect) {
        self.executed += 1;
        if matches!(
            effect,
            SessionEffect::CreateRoom(_)
                | SessionEffect::Dispatch(_)
                | SessionEffect::Submit { .. }
        ) {
            self.durable = self.events.len();
        }
        if self.refuse(&effect) {
            return;
        }
        match effect {
            SessionEffect::Record(event) => self.events.push(event),
            SessionEffect::Finish | SessionEffect::TellHiddenAgent(_) => {}
            SessionEffect::CreateRoom(planned) => {
                let run = planned.index;
                let fails = self.happens(self.faults.room_fails);
                // A room whose creation failed may exist all the same.
                if !fails || self.happens(0.5) {
                    self.rooms.insert(run);
                }
                let at = self.after(2, 40);
                let result = if fails { Err(livekit_error()) } else { Ok(()) };
                self.reply(at, |timing| SessionInput::RoomCreated { run, timing, result });
            }
            SessionEffect::Dispatch(planned) => {
                let run = planned.index;
                self.rooms.insert(run);
                let fails = self.happens(self.faults.dispatch_fails);
                if !self.happens(self.faults.agent_absent) {
                    let joins = self.after(200, 3_000);
                    self.agents.insert(run, joins);
                }
                let at = self.after(2, 40);
                let result = if fails { Err(livekit_error()) } else { Ok(DispatchId::new("AD_1")) };
                self.reply(at, |timing| SessionInput::Dispatched { run, timing, result });
            }
            SessionEffect::PollRoom(run) => {
                let at = self.after(1, 10);
                let joined = self.agents.get(&run).copied().filter(|joined| *joined <= at);
                let agent = joined.map(|joined| {
                    let identity = Identity::new("agent-1");
                    let participant = AgentParticipant {
                        identity,
                        joined_at_ms: None,
                        listening: true,
                        hidden: false,
                    };
                    PolledAgent { participant, joined: Some(joined) }
                });
                let name = EvaluatorRunId::new(format!("e{}", run.0));
                let caller_present =
                    self.accepted.get(&name).is_some_and(|(starts, _)| *starts <= at);
                let result = if self.happens(self.faults.room_poll_fails) {
                    Err(livekit_error())
                } else {
                    Ok(RoomPoll { agent, caller_present })
                };
                self.reply(at, |timing| SessionInput::RoomPolled { run, timing, result });
            }
            SessionEffect::CheckDispatch(run) => {
                let at = self.after(1, 10);
                let result = Ok(DispatchCheck::of_job(self.agents.contains_key(&run)));
                self.reply(at, |_| SessionInput::DispatchChecked { run, result });
            }
            SessionEffect::HearCaller { run, .. } => {
                let at = self.after(1, 10);
                self.reply(at, |timing| SessionInput::CallerHeard { run, until: timing.sent });
            }
            SessionEffect::Submit { request, runs } => {
                let runs: Vec<RunIndex> = runs.into_iter().map(|run| run.index).collect();
                self.submit(request, &runs);
            }
            SessionEffect::PollStatus { runs } => {
                let at = self.after(5, 200);
                let result = if self.happens(self.faults.status_poll_fails) {
                    Err(PollError::new(PollErrorKind::BadResponse, "502"))
                } else {
                    Ok(runs.iter().filter_map(|(_, name)| self.run_status(name, at)).collect())
                };
                let runs = runs.into_iter().map(|(run, _)| run).collect();
                self.reply(at, |timing| SessionInput::StatusPolled { runs, timing, result });
            }
            SessionEffect::EndCall { run, .. } => {
                let at = self.after(5, 50);
                self.reply(at, |_| SessionInput::CallEnded { run });
            }
            SessionEffect::DeleteRoom(run) => {
                let at = self.after(1, 30);
                let fails = self.happens(self.faults.deletion_fails);
                if !fails {
                    self.rooms.remove(&run);
                }
                let result = if fails { Err(livekit_error()) } else { Ok(()) };
                self.reply(at, |_| SessionInput::RoomDeleted { run, result });
            }
        }
    }

    fn submit(&mut self, request: u64, runs: &[RunIndex]) {
        let at = self.after(20, 400);
        let refused = |kind| Err(SubmitError::new(kind, "message"));
        let result = if self.happens(self.faults.submit_throttled) {
            let retry_after = self.happens(0.5).then_some(Micros::from_secs(2));
            refused(SubmitErrorKind::RateLimited { retry_after })
        } else if self.happens(self.faults.submit_not_sent) {
            refused(SubmitErrorKind::NotSent)
        } else if self.happens(self.faults.submit_rejected) {
            refused(SubmitErrorKind::Rejected)
        } else {
            for run in runs {
                *self.submissions.entry(*run).or_default() += 1;
            }
            if self.happens(self.faults.submit_unknown) {
                for run in runs {
                    let starts = self.after(500, 60_000);
                    let name = EvaluatorRunId::new(format!("e{}", run.0));
                    self.accepted.insert(name, (starts, SessionTime::NEVER));
                }
                refused(SubmitErrorKind::Unknown)
            } else {
                let mut created = Vec::new();
                for run in runs {
                    let name = EvaluatorRunId::new(format!("e{}", run.0));
                    if self.happens(self.faults.no_run_created) {
                        created.push(None);
                        continue;
                    }
                    let starts = self.after(500, 2_000);
                    let ends = if self.happens(self.faults.never_ends) {
                        SessionTime::NEVER
                    } else {
                        starts + Micros::from_secs(20 + self.rng.below(60))
                    };
                    self.accepted.insert(name.clone(), (starts, ends));
                    created.push(Some(name));
                }
                Ok(AcceptedSubmission {
                    result: None,
                    runs: created,
                    mapping: RunMapping::Proven,
                    worker: None,
                })
            }
        };
        self.reply(at, |timing| SessionInput::Submitted { request, timing, result });
    }

    fn run_status(&mut self, name: &EvaluatorRunId, at: SessionTime) -> Option<RunStatus> {
        let (starts, ends) = *self.accepted.get(name)?;
        if self.happens(self.faults.run_missing) {
            return None;
        }
        let state = match at {
            at if at < starts => RunState::InProgress(RunPhase::Queued),
            at if at < ends => RunState::InProgress(RunPhase::Running),
            _ => RunState::Ended(Outcome::Completed { judged: Some(true) }),
        };
        Some(RunStatus {
            run: name.clone(),
            state,
            status: "word".into(),
            conversation_duration: None,
        })
    }
}

fn livekit_error() -> LiveKitError {
    LiveKitError::new(LiveKitErrorKind::Transport, "message")
}

/// Simulated services before a session.
pub(super) fn world(seed: u64, faults: FaultRates) -> World {
    World {
        rng: SeededRng::new(seed),
        faults,
        now: SessionTime::START,
        inputs: BTreeMap::new(),
        sequence: 0,
        agents: HashMap::new(),
        accepted: HashMap::new(),
        rooms: BTreeSet::new(),
        submissions: HashMap::new(),
        events: Vec::new(),
        most_in_flight: 0,
        most_retained: 0,
        durable: 0,
        executed: 0,
        livekit_quota: usize::MAX,
        livekit_taken: VecDeque::new(),
        livekit_refused: Vec::new(),
    }
}

/// The settings of a plan against simulated services.
pub(super) fn settings_of(plan: &Plan) -> DriverSettings {
    let evaluator = EvaluatorCapabilities {
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
    DriverSettings::new(plan.profile(), evaluator)
}

/// Runs a profile against simulated services; somebody stops it at the given seconds.
pub(super) fn simulate(profile: &str, seed: u64, faults: FaultRates, stops: &[u64]) -> World {
    simulate_in(world(seed, faults), profile, stops)
}

/// The same against services that are given.
pub(super) fn simulate_in(mut world: World, profile: &str, stops: &[u64]) -> World {
    let plan = plan_of(profile);
    let mut session = Session::new(settings_of(&plan), plan.schedule(), RoomNaming::new("room"));
    for stop in stops {
        world.reply(SessionTime(stop * 1_000_000), |_| SessionInput::Stop);
    }
    advance(&mut session, &mut world, u64::MAX);
    world
}

/// Drives a session until it has ended, or its process crashes after so many effects; returns whether it has ended.
pub(super) fn advance(session: &mut Session, world: &mut World, crash_after: u64) -> bool {
    session.tick(world.now);
    for _ in 0..10_000_000_u64 {
        for effect in session.take_effects() {
            if world.executed >= crash_after {
                return false;
            }
            world.execute(effect);
        }
        world.most_in_flight = world.most_in_flight.max(session.in_flight as usize);
        world.most_retained = world.most_retained.max(session.retained());
        if session.is_finished() {
            return true;
        }
        let deadline = session.next_deadline();
        let next_input = world.inputs.first_key_value().map(|((at, _), _)| *at);
        if let Some(at) = next_input.filter(|at| *at <= deadline) {
            world.now = world.now.max(at);
            let (_, input) = world.inputs.pop_first().expect("it was just seen");
            session.handle(input, world.now);
        } else {
            assert_ne!(deadline, SessionTime::NEVER, "no input comes and nothing is due");
            world.now = world.now.max(deadline);
            session.tick(world.now);
        }
    }
    panic!("the session does not end");
}

/// The outcomes recorded for each run.
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
                    let outcome = Outcome::failed(FailureClass::Cancelled, "");
                    outcomes.entry(RunIndex(run)).or_default().push(outcome);
                }
            }
            _ => {}
        }
    }
    outcomes
}

/// The runs whose rooms are recorded as not deleted.
pub(super) fn rooms_not_deleted(events: &[Event]) -> BTreeSet<RunIndex> {
    let runs = events.iter().filter_map(|event| match &event.kind {
        EventKind::RoomNotDeleted { run, .. } => Some(*run),
        _ => None,
    });
    runs.collect()
}

/// Checks that every planned run has one outcome and was accepted at most once, and that the session has ended.
#[track_caller]
pub(super) fn check(world: &World, planned: u64) {
    let outcomes = outcomes(&world.events);
    assert_eq!(outcomes.len() as u64, planned, "every run has an outcome");
    for (run, outcomes) in &outcomes {
        assert_eq!(outcomes.len(), 1, "run {run} has one outcome: {outcomes:?}");
    }
    for (run, times) in &world.submissions {
        assert_eq!(*times, 1, "run {run} was accepted once");
    }
    assert_eq!(world.events.last().map(|event| &event.kind), Some(&EventKind::Closed));
    assert!(world.events.is_sorted_by_key(|event| event.at));
}
