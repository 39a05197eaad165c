//! A whole session whose callers tell: whatever news come in whatever order, and whatever fails.

use std::collections::{BTreeMap, BTreeSet};

use super::effects::{RequestTiming, SessionEffect, SessionInput};
use super::room_names::RoomNames;
use super::session::Session;
use super::settings::DriverSettings;
use super::simulation::outcomes;
use rushhour_core::evaluator::{
    AcceptedSubmission, CallerUpdate, EvaluatorCapabilities, SubmitError, SubmitErrorKind,
    UpdateKind, UpdateMode,
};
use rushhour_core::event::{Event, EventKind, FailureClass, FramesSent, Outcome, RunMapping};
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

/// Callers that tell what they like when they like.
struct World {
    random: SeededRng,
    /// How often something fails, from 0 to 1.
    trouble: f64,
    now: SessionTime,
    coming: BTreeMap<(SessionTime, u64), SessionInput>,
    sequence: u64,
    rooms: BTreeSet<RunIndex>,
    /// Rooms that a request under way will make.
    making: BTreeMap<(SessionTime, u64), RunIndex>,
    events: Vec<Event>,
}

impl World {
    fn chance(&mut self, share: f64) -> bool {
        self.random.uniform() < share
    }

    fn fails(&mut self) -> bool {
        self.chance(self.trouble)
    }

    fn within(&mut self, most_ms: u64) -> SessionTime {
        self.now + Micros::from_millis(1 + self.random.below(most_ms))
    }

    fn comes(&mut self, at: SessionTime, input: SessionInput) -> u64 {
        self.sequence += 1;
        self.coming.insert((at, self.sequence), input);
        self.sequence
    }

    fn result<T>(&mut self, good: T) -> Result<T, LiveKitError> {
        if self.fails() {
            return Err(LiveKitError::new(LiveKitErrorKind::Server, "in words"));
        }
        Ok(good)
    }

    fn perform(&mut self, action: SessionEffect) {
        let at = self.within(300);
        let timing = RequestTiming { sent: self.now, answered: at };
        match action {
            SessionEffect::Record(event) => self.events.push(event),
            SessionEffect::Finish
            | SessionEffect::PollRoom(_)
            | SessionEffect::PollStatus { .. } => {}
            SessionEffect::CreateRoom(planned) => {
                let run = planned.index;
                let result = self.result(());
                self.rooms.insert(run);
                self.comes(at, SessionInput::RoomCreated { run, timing, result });
            }
            SessionEffect::Dispatch(planned) => {
                let run = planned.index;
                let result = self.result(DispatchId::new("AD_1"));
                let at = self.within(5_000);
                let timing = RequestTiming { sent: self.now, answered: at };
                let number = self.comes(at, SessionInput::Dispatched { run, timing, result });
                self.making.insert((at, number), run);
            }
            SessionEffect::CheckDispatch(run) => {
                let good = self.chance(0.5);
                let result = self.result(good);
                self.comes(at, SessionInput::DispatchChecked { run, result });
            }
            SessionEffect::Submit { request, runs } => {
                let result = if self.fails() {
                    let (kind, words) = (SubmitErrorKind::Rejected, "in words".to_owned());
                    Err(SubmitError { kind, message: words })
                } else {
                    for run in &runs {
                        self.call(run.index);
                    }
                    let names = runs.iter().map(|run| EvaluatorRunId::new(run.index.0.to_string()));
                    let runs = names.map(Some).collect();
                    Ok(AcceptedSubmission { result: None, runs, mapping: RunMapping::Proven })
                };
                self.comes(at, SessionInput::Submitted { request, timing, result });
            }
            SessionEffect::EndCall { run, .. } => {
                if self.chance(0.5) {
                    let outcome = Outcome::failed(FailureClass::Cancelled, "stopped");
                    self.tell(run, at, UpdateKind::Ended { outcome, frames: None });
                }
                let at = self.within(2_000);
                self.comes(at, SessionInput::CallEnded { run });
            }
            SessionEffect::DeleteRoom(run) => {
                let result = self.result(());
                if result.is_ok() {
                    self.rooms.remove(&run);
                }
                self.comes(at, SessionInput::RoomDeleted { run, result });
            }
        }
    }

    /// Some of all news, in any order, over anything from no time to longer than a run may take.
    fn call(&mut self, run: RunIndex) {
        let outcome = Outcome::Completed { judged: None };
        let identity = Identity::new("agent");
        let over = UpdateKind::Ended { outcome, frames: Some(FramesSent::default()) };
        let all = [
            UpdateKind::Joined,
            UpdateKind::AgentJoined { identity: identity.clone(), joined_at_ms: None },
            UpdateKind::AgentJoined { identity, joined_at_ms: None },
            UpdateKind::AgentReady,
            UpdateKind::Greeted,
            over.clone(),
            over,
        ];
        let in_order = self.chance(0.5);
        let choice = usize::try_from(self.random.below(4)).expect("it is below 4");
        let most = [50, 2_000, 30_000, 90_000][choice];
        let mut times: Vec<SessionTime> = all.iter().map(|_| self.within(most)).collect();
        if in_order {
            times.sort_unstable();
        }
        for (news, at) in all.into_iter().zip(times) {
            if !self.chance(0.15) {
                self.tell(run, at, news);
            }
        }
    }

    fn tell(&mut self, run: RunIndex, at: SessionTime, news: UpdateKind) {
        self.comes(
            at,
            SessionInput::CallerUpdated {
                update: CallerUpdate { run, at, kind: news },
                joined: None,
            },
        );
    }
}

fn simulate(profile: &str, seed: u64, trouble: f64, stops: &[u64]) -> World {
    let plan = plan_of(profile);
    let manner = EvaluatorCapabilities {
        entries_per_request: 1,
        fill_within: Micros::ZERO,
        poll_every: Micros::from_secs(1),
        runs_per_poll: 1,
        updates: UpdateMode::Push,
    };
    let settings = DriverSettings::new(plan.profile(), manner);
    let mut session = Session::new(settings, plan.schedule(), RoomNames::new("room"));
    let mut world = World {
        random: SeededRng::new(seed),
        trouble,
        now: SessionTime::START,
        coming: BTreeMap::new(),
        sequence: 0,
        rooms: BTreeSet::new(),
        making: BTreeMap::new(),
        events: Vec::new(),
    };
    for stop in stops {
        world.comes(SessionTime(stop * 1_000_000), SessionInput::Stop);
    }
    session.tick(world.now);
    for _ in 0..1_000_000_u64 {
        for action in session.take_actions() {
            world.perform(action);
        }
        if session.is_finished() {
            return world;
        }
        let deadline = session.next_deadline();
        let next = world.coming.first_key_value().map(|(key, _)| *key);
        if let Some((at, number)) = next.filter(|(at, _)| *at <= deadline) {
            world.now = world.now.max(at);
            if let Some(run) = world.making.remove(&(at, number)) {
                // A dispatch makes its room where there is none.
                world.rooms.insert(run);
            }
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

fn check(world: &World, what: &str) {
    let outcomes = outcomes(&world.events);
    assert_eq!(outcomes.len(), 60, "{what}: every run has an outcome");
    for (run, outcomes) in &outcomes {
        assert_eq!(outcomes.len(), 1, "{what}: run {run} has one outcome: {outcomes:?}");
    }
    let left: BTreeSet<RunIndex> = world
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::RoomNotDeleted { run, .. } => Some(*run),
            _ => None,
        })
        .collect();
    assert!(world.rooms.is_subset(&left), "{what}: {:?} are left untold", world.rooms);
    assert_eq!(world.events.last().expect("some").kind, EventKind::Closed);
}

#[test]
fn whatever_news_come_in_whatever_order_every_run_has_one_outcome_and_no_room_is_left() {
    for seed in 0..60 {
        let world = simulate(PROFILE, seed, 0.0, &[]);
        check(&world, &format!("seed {seed}"));
        assert!(world.rooms.is_empty(), "seed {seed}: {:?}", world.rooms);
    }
}

#[test]
fn nor_where_requests_fail_and_somebody_stops_it() {
    for seed in 0..60 {
        check(&simulate(PROFILE, seed, 0.1, &[]), &format!("seed {seed}"));
        check(&simulate(PROFILE, seed, 0.1, &[8]), &format!("seed {seed}, drained"));
        check(&simulate(PROFILE, seed, 0.1, &[8, 10]), &format!("seed {seed}, stopped"));
    }
}

#[test]
fn an_agent_that_comes_with_the_room_needs_no_dispatch() {
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
