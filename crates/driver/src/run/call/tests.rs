use super::*;
use crate::run::state::RunEffect as T;
use rushhour_core::evaluator::{EvaluatorCapabilities, UpdateMode};
use rushhour_core::event::Outcome;
use rushhour_core::plan::ScheduleStep;
use rushhour_core::plan::testing::plan_of;
use rushhour_core::units::{DispatchId, Identity, Micros, RunIndex};
use rushhour_livekit::{LiveKitError, LiveKitErrorKind};

const fn at(millis: u64) -> SessionTime {
    SessionTime(millis * 1_000)
}

fn settings() -> DriverSettings {
    let plan = plan_of("[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n");
    let manner = EvaluatorCapabilities {
        entries_per_request: 1,
        fill_within: Micros::ZERO,
        poll_every: Micros::from_secs(1),
        runs_per_poll: 1,
        updates: UpdateMode::Push,
    };
    DriverSettings {
        agent_within: Micros::from_secs(5),
        give_up_after: Micros::from_secs(8),
        run_timeout: Micros::from_secs(60),
        ..DriverSettings::new(plan.profile(), manner)
    }
}

/// A run, and what it wants to be done, in words.
struct Scene {
    settings: DriverSettings,
    run: RunMachine,
    todo: Vec<RunEffect>,
}

fn timing(millis: u64) -> RequestTiming {
    RequestTiming { sent: at(millis), answered: at(millis + 10) }
}

impl Scene {
    fn start() -> Self {
        let settings = settings();
        let plan = plan_of("[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n");
        let ScheduleStep::Start(planned) = plan.schedule().peek() else { panic!("it has a run") };
        let mut todo = Vec::new();
        let run = RunMachine::start(planned, &settings, &mut todo);
        Self { settings, run, todo }
    }

    /// A run whose submission was sent at `millis`.
    fn submitted(millis: u64) -> Self {
        let mut scene = Self::start();
        assert_eq!(scene.take(), ["make room"]);
        scene.run.room_made(timing(0), Ok(()), &scene.settings, at(10), &mut scene.todo);
        assert_eq!(scene.take(), ["RoomMade", "ready"]);
        scene.run.submission_sent(&scene.settings, at(millis), &mut scene.todo);
        scene
    }

    /// A run whose caller is in the room, and whose agent was sent for at 1,000 ms.
    fn dispatched() -> Self {
        let mut scene = Self::submitted(900);
        scene.accepted(900);
        scene.tell(1_000, UpdateKind::Joined);
        scene.dispatch(1_000, Ok(()));
        scene.take();
        scene
    }

    fn accepted(&mut self, millis: u64) {
        let name = EvaluatorRunId::new("7");
        self.run.accepted(name, timing(millis), &self.settings, &mut self.todo);
    }

    fn tell(&mut self, millis: u64, news: UpdateKind) {
        self.run.told(news, at(millis), None, &self.settings, at(millis), &mut self.todo);
    }

    fn agent_comes(&mut self, millis: u64) {
        let identity = Identity::new("agent");
        self.tell(millis, UpdateKind::AgentJoined { identity, joined_at_ms: None });
    }

    fn over(&mut self, millis: u64) {
        let outcome = Outcome::Completed { judged: None };
        self.tell(millis, UpdateKind::Ended { outcome, frames: None });
    }

    fn dispatch(&mut self, millis: u64, result: Result<(), LiveKitErrorKind>) {
        let result = result
            .map(|()| DispatchId::new("AD_1"))
            .map_err(|kind| LiveKitError::new(kind, "words"));
        let now = at(millis + 10);
        self.run.dispatched(timing(millis), result, &self.settings, now, &mut self.todo);
    }

    fn wake(&mut self, millis: u64) {
        self.run.wake(&self.settings, at(millis), &mut self.todo);
    }

    fn assigned(&mut self, millis: u64, result: bool) {
        self.run.assigned(Ok(result), &self.settings, at(millis), &mut self.todo);
    }

    /// What was wanted since, without when it wants to be woken.
    fn take(&mut self) -> Vec<String> {
        let words = |todo: RunEffect| match todo {
            T::Record(EventKind::Ended { outcome, .. }) => {
                Some(outcome.class().map_or(outcome.name(), FailureClass::name).to_owned())
            }
            T::Record(happening) => {
                let words = format!("{happening:?}");
                Some(words.split([' ', '{']).next().unwrap_or_default().to_owned())
            }
            T::MakeRoom => Some("make room".to_owned()),
            T::Dispatch => Some("dispatch".to_owned()),
            T::AskAssigned => Some("ask whether assigned".to_owned()),
            T::BeReady => Some("ready".to_owned()),
            T::EndCall(_) => Some("end call".to_owned()),
            T::DeleteRoom => Some("delete room".to_owned()),
            T::Over => Some("over".to_owned()),
            T::Gone => Some("gone".to_owned()),
            T::WakeAt(_) | T::NoWakeAt(_) => None,
            other => Some(format!("{other:?}")),
        };
        std::mem::take(&mut self.todo).into_iter().filter_map(words).collect()
    }

    /// When it wants to be woken for the first time.
    fn wakes(&mut self) -> Vec<SessionTime> {
        let mut wakes = Vec::new();
        for todo in &self.todo {
            match todo {
                RunEffect::WakeAt(at) => wakes.push(*at),
                RunEffect::NoWakeAt(at) => wakes.retain(|wake| wake != at),
                _ => {}
            }
        }
        wakes
    }
}

#[test]
fn first_the_room_then_the_caller_then_the_agent() {
    let mut scene = Scene::submitted(900);
    scene.accepted(900);
    assert_eq!(scene.take(), [] as [&str; 0], "nobody is sent for before the caller is there");
    scene.tell(1_000, UpdateKind::Joined);
    assert_eq!(scene.take(), ["Sighted", "dispatch"]);
    scene.dispatch(1_000, Ok(()));
    assert_eq!(scene.wakes(), [at(9_000)], "given up 8 s after it was sent for");
    assert_eq!(scene.take(), ["Dispatched"]);
    scene.agent_comes(2_000);
    scene.tell(2_100, UpdateKind::AgentReady);
    scene.tell(2_200, UpdateKind::Greeted);
    assert_eq!(scene.take(), ["AgentSeen", "AgentReady", "Greeted"]);
    scene.over(30_000);
    assert_eq!(scene.take(), ["completed", "over", "delete room"], "it need not be told to leave");
    scene.run.room_deleted(&Ok(()), at(30_010), &mut scene.todo);
    assert_eq!(scene.take(), ["RoomDeleted", "gone"]);
}

#[test]
fn a_caller_that_is_there_before_the_answer_is_not_forgotten() {
    let mut scene = Scene::submitted(900);
    scene.tell(905, UpdateKind::Joined);
    assert_eq!(scene.take(), ["Sighted"]);
    scene.accepted(900);
    assert_eq!(scene.take(), ["dispatch"]);
}

#[test]
fn a_conversation_that_was_over_before_the_answer_ends_once() {
    let mut scene = Scene::submitted(900);
    scene.over(905);
    assert_eq!(scene.take(), ["completed", "over", "delete room"]);
    scene.accepted(900);
    assert_eq!(scene.take(), ["end call"]);
    scene.run.room_deleted(&Ok(()), at(920), &mut scene.todo);
    assert_eq!(scene.take(), ["RoomDeleted"]);
    scene.run.call_ended(&mut scene.todo);
    assert_eq!(scene.take(), ["gone"]);
}

#[test]
fn an_agent_that_cannot_be_sent_for_fails_the_run_and_clears_up() {
    for (kind, class) in [
        (LiveKitErrorKind::Server, "dispatch_failed"),
        (LiveKitErrorKind::Forbidden, "token_rejected"),
    ] {
        let mut scene = Scene::submitted(900);
        scene.accepted(900);
        scene.tell(1_000, UpdateKind::Joined);
        scene.take();
        scene.dispatch(1_000, Err(kind));
        assert_eq!(scene.take(), [class, "over", "end call", "delete room"]);
    }
}

#[test]
fn an_agent_that_never_came_is_told_apart_by_whether_it_was_assigned() {
    for (is_assigned, class) in [(true, "agent_never_joined"), (false, "dispatch_unassigned")] {
        let mut scene = Scene::dispatched();
        scene.wake(8_999);
        assert_eq!(scene.take(), [] as [&str; 0]);
        scene.wake(9_000);
        assert_eq!(scene.take(), ["ask whether assigned"]);
        scene.assigned(9_010, is_assigned);
        assert_eq!(scene.take(), [class, "over", "end call", "delete room"]);
    }
}

#[test]
fn an_agent_that_came_late_or_while_it_was_given_up_is_late() {
    let mut in_time = Scene::dispatched();
    in_time.agent_comes(6_000);
    assert_eq!(in_time.take(), ["AgentSeen"]);
    let mut late = Scene::dispatched();
    late.agent_comes(6_001);
    assert_eq!(late.take(), ["AgentSeen", "agent_late", "over", "end call", "delete room"]);
    let mut given_up = Scene::dispatched();
    given_up.wake(9_000);
    given_up.agent_comes(9_005);
    given_up.assigned(9_010, true);
    let told = given_up.take();
    assert_eq!(told[..3], ["ask whether assigned", "AgentSeen", "agent_late"]);
    assert_eq!(told[3..], ["over", "end call", "delete room"]);
}

#[test]
fn time_before_the_agent_was_sent_for_is_not_the_agents() {
    // The room was made at 0 s; a limiter held the submission back for longer than an agent may take.
    let mut scene = Scene::submitted(20_000);
    scene.accepted(20_000);
    scene.tell(20_100, UpdateKind::Joined);
    // It came before the answer to the dispatch.
    scene.agent_comes(20_300);
    assert_eq!(scene.take(), ["Sighted", "dispatch", "AgentSeen"]);
    scene.dispatch(20_290, Ok(()));
    assert_eq!(scene.take(), ["Dispatched"]);
    assert_eq!(scene.wakes(), [] as [SessionTime; 0], "it is not waited for any more");
}

#[test]
fn a_conversation_without_end_is_ended() {
    let mut scene = Scene::dispatched();
    scene.agent_comes(2_000);
    scene.take();
    scene.wake(60_909);
    assert_eq!(scene.take(), [] as [&str; 0]);
    scene.wake(60_910);
    assert_eq!(scene.take(), ["evaluator_timeout", "over", "end call", "delete room"]);
    scene.over(60_920);
    assert_eq!(scene.take(), [] as [&str; 0], "one outcome");
}

#[test]
fn a_room_that_a_dispatch_may_make_anew_is_deleted_after_it() {
    for result in [Ok(()), Err(LiveKitErrorKind::TimedOut)] {
        let mut scene = Scene::submitted(900);
        scene.accepted(900);
        scene.tell(1_000, UpdateKind::Joined);
        scene.take();
        scene.over(1_005);
        assert_eq!(scene.take(), ["completed", "over"], "the dispatch is under way");
        scene.dispatch(1_000, result);
        assert_eq!(scene.take().last().unwrap(), "delete room");
        assert_eq!(scene.run.planned.index, RunIndex(0));
    }
}
