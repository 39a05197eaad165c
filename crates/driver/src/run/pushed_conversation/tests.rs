use super::*;
use crate::replay::{ReplayedRun, ReplayedSubmission};
use crate::run::{EvaluatorLifetime, ResumeContext};
use rushhour_core::evaluator::EvaluatorCapabilities;
use rushhour_core::event::{
    ConversationSummary, FramesSent, MediaPath, ModelUsage, Outcome, Reconnect, ReconnectCause,
    RpcCalls, Turn, TurnEnding,
};
use rushhour_core::plan::ScheduleStep;
use rushhour_core::plan::testing::plan_of;
use rushhour_core::units::{DispatchId, Identity, Micros, RunIndex};
use rushhour_livekit::{LiveKitError, LiveKitErrorKind};

mod heard_late;
mod hidden_agent;

const fn at(millis: u64) -> SessionTime {
    SessionTime(millis * 1_000)
}

fn settings() -> DriverSettings {
    let plan = plan_of("[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n");
    let evaluator = EvaluatorCapabilities::NATIVE;
    DriverSettings {
        agent_within: Micros::from_secs(5),
        give_up_after: Micros::from_secs(8),
        run_timeout: Micros::from_secs(60),
        ..DriverSettings::new(plan.profile(), evaluator)
    }
}

/// A run, and the effects that it has asked for.
struct Scene {
    settings: DriverSettings,
    run: RunMachine,
    effects: Vec<RunEffect>,
}

fn timing(millis: u64) -> RequestTiming {
    RequestTiming { sent: at(millis), answered: at(millis + 10) }
}

impl Scene {
    fn start() -> Self {
        let settings = settings();
        let plan = plan_of("[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n");
        let ScheduleStep::Start(planned) = plan.schedule().peek() else { panic!("it has a run") };
        let mut effects = Vec::new();
        let run = RunMachine::start(planned, &settings, &mut effects);
        Self { settings, run, effects }
    }

    /// A run whose submission was sent at `millis`.
    fn submitted(millis: u64) -> Self {
        let mut scene = Self::start();
        assert_eq!(scene.take(), ["create room"]);
        scene.run.room_created(timing(0), Ok(()), &scene.settings, at(10), &mut scene.effects);
        assert_eq!(scene.take(), ["RoomCreated", "queue submission"]);
        scene.run.submission_sent(&scene.settings, at(millis), &mut scene.effects);
        scene
    }

    /// A run whose caller is in the room, and whose agent was dispatched at 1,000 ms.
    fn dispatched() -> Self {
        let mut scene = Self::submitted(900);
        scene.accepted(900);
        scene.push(1_000, UpdateKind::Joined);
        scene.dispatch(1_000, Ok(()));
        scene.take();
        scene
    }

    fn accepted(&mut self, millis: u64) {
        let name = EvaluatorRunId::new("7");
        self.run.accepted(name, timing(millis), &self.settings, &mut self.effects);
    }

    fn push(&mut self, millis: u64, kind: UpdateKind) {
        self.push_late(millis, millis, kind);
    }

    /// An update that is heard of at `now`.
    fn push_late(&mut self, millis: u64, now: u64, kind: UpdateKind) {
        let update = CallerUpdate {
            run: self.run.planned.index,
            at: at(millis),
            within: Micros::ZERO,
            kind,
        };
        self.run.caller_updated(update, None, &self.settings, at(now), &mut self.effects);
    }

    fn agent_joins(&mut self, millis: u64) {
        let identity = Identity::new("agent");
        self.push(millis, UpdateKind::AgentJoined { identity, joined_at_ms: None });
    }

    fn ends(&mut self, millis: u64) {
        let outcome = Outcome::Completed { judged: None };
        self.push(millis, UpdateKind::Ended { outcome, frames: None });
    }

    fn dispatch(&mut self, millis: u64, result: Result<(), LiveKitErrorKind>) {
        let result = result
            .map(|()| DispatchId::new("AD_1"))
            .map_err(|kind| LiveKitError::new(kind, "message"));
        let now = at(millis + 10);
        self.run.dispatched(timing(millis), result, &self.settings, now, &mut self.effects);
    }

    fn wake(&mut self, millis: u64) {
        self.wake_heard_until(millis, millis);
    }

    /// A deadline may have passed, and what the caller saw was heard until `heard`.
    fn wake_heard_until(&mut self, millis: u64, heard: u64) {
        self.run.wake(&self.settings, at(millis), &mut self.effects);
        let before = self.effects.len();
        self.effects.retain(|effect| !matches!(effect, RunEffect::HearCaller(_)));
        if self.effects.len() < before {
            self.run.caller_heard(at(heard), &self.settings, at(millis), &mut self.effects);
        }
    }

    /// The server lists the agent's job, or none, and that nobody else is in the room.
    fn assigned(&mut self, millis: u64, result: bool) {
        self.checked(millis, DispatchCheck::of_job(result));
    }

    fn checked(&mut self, millis: u64, check: DispatchCheck) {
        self.run.dispatch_checked(Ok(check), &self.settings, at(millis), &mut self.effects);
    }

    /// The effects since the last call as text, without wake-ups.
    fn take(&mut self) -> Vec<String> {
        let text = |effect: RunEffect| match effect {
            RunEffect::Record(EventKind::Ended { outcome, .. }) => {
                Some(outcome.class().map_or(outcome.name(), FailureClass::name).to_owned())
            }
            RunEffect::Record(event) => {
                let text = format!("{event:?}");
                Some(text.split([' ', '{']).next().unwrap_or_default().to_owned())
            }
            RunEffect::CreateRoom => Some("create room".to_owned()),
            RunEffect::Dispatch => Some("dispatch".to_owned()),
            RunEffect::CheckDispatch => Some("check dispatch".to_owned()),
            RunEffect::QueueSubmission => Some("queue submission".to_owned()),
            RunEffect::EndCall(_) => Some("end call".to_owned()),
            RunEffect::DeleteRoom => Some("delete room".to_owned()),
            RunEffect::FreeSlot => Some("free slot".to_owned()),
            RunEffect::Forget => Some("forget".to_owned()),
            RunEffect::WakeAt(_) | RunEffect::CancelWake(_) => None,
            other => Some(format!("{other:?}")),
        };
        std::mem::take(&mut self.effects).into_iter().filter_map(text).collect()
    }

    /// The wake-ups that are set.
    fn wakes(&mut self) -> Vec<SessionTime> {
        let mut wakes = Vec::new();
        for effect in &self.effects {
            match effect {
                RunEffect::WakeAt(at) => wakes.push(*at),
                RunEffect::CancelWake(at) => wakes.retain(|wake| wake != at),
                _ => {}
            }
        }
        wakes
    }
}

#[test]
fn the_room_comes_first_then_the_caller_then_the_agent() {
    let mut scene = Scene::submitted(900);
    scene.accepted(900);
    assert_eq!(scene.take(), [] as [&str; 0], "the agent is dispatched once the caller has joined");
    scene.push(1_000, UpdateKind::Joined);
    assert_eq!(scene.take(), ["PhaseSeen", "dispatch"]);
    scene.dispatch(1_000, Ok(()));
    assert_eq!(scene.wakes(), [at(9_000)], "8 s after the dispatch");
    assert_eq!(scene.take(), ["Dispatched"]);
    scene.agent_joins(2_000);
    scene.push(2_100, UpdateKind::AgentReady);
    scene.push(2_200, UpdateKind::Greeted);
    assert_eq!(scene.take(), ["AgentSeen", "AgentReady", "Greeted"]);
    scene.ends(30_000);
    assert_eq!(
        scene.take(),
        ["completed", "free slot", "delete room"],
        "the caller has left by itself"
    );
    scene.run.room_deleted(&Ok(()), at(30_010), &mut scene.effects);
    assert_eq!(scene.take(), ["RoomDeleted", "forget"]);
}

#[test]
fn a_caller_that_joins_before_the_response_counts() {
    let mut scene = Scene::submitted(900);
    scene.push(905, UpdateKind::Joined);
    assert_eq!(scene.take(), ["PhaseSeen"]);
    scene.accepted(900);
    assert_eq!(scene.take(), ["dispatch"]);
}

#[test]
fn a_conversation_that_ends_before_the_response_ends_once() {
    let mut scene = Scene::submitted(900);
    scene.ends(905);
    assert_eq!(scene.take(), ["completed", "free slot", "delete room"]);
    scene.accepted(900);
    assert_eq!(scene.take(), ["end call"]);
    scene.run.room_deleted(&Ok(()), at(920), &mut scene.effects);
    assert_eq!(scene.take(), ["RoomDeleted"]);
    scene.run.call_ended(&mut scene.effects);
    assert_eq!(scene.take(), ["forget"]);
}

#[test]
fn a_failed_dispatch_fails_the_run_and_cleans_up() {
    for (kind, class) in [
        (LiveKitErrorKind::Server, "dispatch_failed"),
        (LiveKitErrorKind::Forbidden, "token_rejected"),
    ] {
        let mut scene = Scene::submitted(900);
        scene.accepted(900);
        scene.push(1_000, UpdateKind::Joined);
        scene.take();
        scene.dispatch(1_000, Err(kind));
        assert_eq!(scene.take(), [class, "free slot", "end call", "delete room"]);
    }
}

#[test]
fn an_absent_agent_is_classified_by_whether_a_worker_accepted_its_job() {
    for (is_assigned, class) in [(true, "agent_never_joined"), (false, "dispatch_unassigned")] {
        let mut scene = Scene::dispatched();
        scene.wake(8_999);
        assert_eq!(scene.take(), [] as [&str; 0]);
        scene.wake(9_000);
        assert_eq!(scene.take(), ["check dispatch"]);
        scene.assigned(9_010, is_assigned);
        assert_eq!(scene.take(), [class, "free slot", "end call", "delete room"]);
    }
}

#[test]
fn an_absent_agent_is_not_blamed_where_the_caller_had_to_join_again() {
    for (method, class) in [
        (ReconnectMethod::Resume, "agent_never_joined"),
        (ReconnectMethod::Rejoin, "connection_lost"),
    ] {
        let mut scene = Scene::dispatched();
        scene.push(
            3_000,
            UpdateKind::Reconnected(Reconnect {
                cause: ReconnectCause::SignalLost,
                method,
                lost: at(2_000),
                back: at(3_000),
                attempts: 2,
            }),
        );
        scene.take();
        scene.wake(9_000);
        scene.assigned(9_010, true);
        assert_eq!(scene.take()[1], class, "{method:?}");
    }
}

#[test]
fn an_agent_that_joins_late_or_during_the_dispatch_check_is_late() {
    let mut in_time = Scene::dispatched();
    in_time.agent_joins(6_000);
    assert_eq!(in_time.take(), ["AgentSeen"]);
    let mut late = Scene::dispatched();
    late.agent_joins(6_001);
    assert_eq!(late.take(), ["AgentSeen", "agent_late", "free slot", "end call", "delete room"]);
    let mut given_up = Scene::dispatched();
    given_up.wake(9_000);
    given_up.agent_joins(9_005);
    given_up.assigned(9_010, true);
    let effects = given_up.take();
    assert_eq!(effects[..3], ["check dispatch", "AgentSeen", "agent_late"]);
    assert_eq!(effects[3..], ["free slot", "end call", "delete room"]);
}

#[test]
fn the_agents_time_counts_from_its_dispatch() {
    // The room was created at 0 s; the limiter delayed the submission by more than an agent may take.
    let mut scene = Scene::submitted(20_000);
    scene.accepted(20_000);
    scene.push(20_100, UpdateKind::Joined);
    // The agent joins before the response to the dispatch.
    scene.agent_joins(20_300);
    assert_eq!(scene.take(), ["PhaseSeen", "dispatch", "AgentSeen"]);
    scene.dispatch(20_290, Ok(()));
    assert_eq!(scene.take(), ["Dispatched"]);
    assert_eq!(scene.wakes(), [] as [SessionTime; 0], "the agent is not waited for any more");
}

#[test]
fn a_conversation_that_does_not_end_times_out() {
    let mut scene = Scene::dispatched();
    scene.agent_joins(2_000);
    scene.take();
    scene.wake(60_909);
    assert_eq!(scene.take(), [] as [&str; 0]);
    scene.wake(60_910);
    assert_eq!(scene.take(), ["evaluator_timeout", "free slot", "end call", "delete room"]);
    scene.ends(60_920);
    assert_eq!(scene.take(), [] as [&str; 0], "one outcome");
}

#[test]
fn a_room_that_a_dispatch_may_create_again_is_deleted_after_it() {
    for result in [Ok(()), Err(LiveKitErrorKind::TimedOut)] {
        let mut scene = Scene::submitted(900);
        scene.accepted(900);
        scene.push(1_000, UpdateKind::Joined);
        scene.take();
        scene.ends(1_005);
        assert_eq!(scene.take(), ["completed", "free slot"], "the dispatch is under way");
        scene.dispatch(1_000, result);
        // And once more at the end: the agent may be on its way.
        assert!(scene.take().ends_with(&["DeleteRoomLater".into(), "delete room".into()]));
        assert_eq!(scene.run.planned.index, RunIndex(0));
    }
}

#[test]
fn a_room_whose_caller_did_not_wait_for_the_agent_is_deleted_again_at_the_end() {
    let mut scene = Scene::dispatched();
    scene.ends(1_300);
    assert_eq!(scene.take(), ["completed", "free slot", "delete room", "DeleteRoomLater"]);
    let mut scene = Scene::dispatched();
    scene.agent_joins(1_200);
    scene.take();
    scene.ends(1_300);
    assert_eq!(scene.take(), ["completed", "free slot", "delete room"]);
}

/// A run that a worker still holds when its session is resumed at 20,000 ms.
fn resumed(change: impl FnOnce(&mut ReplayedRun)) -> Scene {
    resumed_with(settings(), change)
}

fn resumed_with(settings: DriverSettings, change: impl FnOnce(&mut ReplayedRun)) -> Scene {
    let Scene { run, .. } = Scene::start();
    let mut replayed = ReplayedRun {
        planned: run.planned,
        room_created: Some(at(100)),
        dispatched: None,
        agent_seen: false,
        caller_seen: false,
        submission: ReplayedSubmission::Accepted {
            evaluator_run: EvaluatorRunId::new("0"),
            answered: at(200),
        },
        phase: None,
        running_since: None,
        updates: 0,
        audio_recorded: false,
        last_seen_open: at(200),
        outcome: None,
    };
    change(&mut replayed);
    let context = ResumeContext {
        evaluator: EvaluatorLifetime::Held,
        crashed: at(5_000),
        now: at(20_000),
        may_submit: true,
    };
    let mut effects = Vec::new();
    let run = RunMachine::resume(&replayed, context, &settings, &mut effects);
    Scene { settings, run, effects }
}

#[test]
fn a_conversation_that_a_worker_still_holds_goes_on_where_it_was() {
    // The caller had not joined yet: the agent comes once it has.
    let mut scene = resumed(|_| {});
    assert_eq!(scene.wakes(), [at(60_200)], "the deadline of its acceptance");
    assert_eq!(scene.take(), [] as [&str; 0]);
    scene.push(20_100, UpdateKind::Joined);
    assert_eq!(scene.take(), ["PhaseSeen", "dispatch"]);
    // The agent was there.
    let mut scene = resumed(|run| {
        run.phase = Some(RunPhase::Running);
        run.dispatched = Some(at(1_000));
        run.agent_seen = true;
    });
    assert_eq!(scene.wakes(), [at(60_200)]);
    scene.take();
    scene.ends(21_000);
    assert_eq!(scene.take(), ["completed", "free slot", "delete room"]);
    // The agent was sent for, and is not waited for any longer than without the crash.
    let mut scene = resumed(|run| {
        run.phase = Some(RunPhase::Running);
        run.dispatched = Some(at(19_000));
    });
    assert_eq!(scene.wakes(), [at(60_200), at(27_000)]);
    scene.take();
    scene.wake(27_000);
    assert_eq!(scene.take(), ["check dispatch"]);
    // What the worker saw of it meanwhile is heard first.
    let mut scene = resumed(|run| {
        run.phase = Some(RunPhase::Running);
        run.dispatched = Some(at(1_000));
    });
    assert_eq!(scene.wakes(), [at(60_200), at(25_000)]);
    // Nobody knows whether the agent was sent for, and a second one must not come.
    let mut scene = resumed(|run| run.phase = Some(RunPhase::Running));
    let later = "DeleteRoomLater";
    assert_eq!(scene.take(), ["generator_fault", "free slot", "end call", "delete room", later]);
}

#[test]
fn each_update_that_is_said_to_be_recorded_has_one_event() {
    let turn = Turn::new(1, at(1_500), TurnEnding::TimedOut);
    let reconnect = Reconnect {
        cause: ReconnectCause::SignalLost,
        method: ReconnectMethod::Resume,
        lost: at(1_000),
        back: at(1_100),
        attempts: 1,
    };
    let outcome = Outcome::Completed { judged: None };
    let identity = Identity::new("agent");
    let mut scene = Scene::submitted(900);
    scene.accepted(900);
    scene.take();
    for kind in [
        UpdateKind::Joined,
        UpdateKind::AgentJoined { identity, joined_at_ms: None },
        UpdateKind::AgentReady,
        UpdateKind::HiddenAgent,
        UpdateKind::Greeted,
        UpdateKind::MediaPath(MediaPath::Udp),
        UpdateKind::Turn(Box::new(turn)),
        UpdateKind::Reconnected(reconnect),
        UpdateKind::ModelUsage(ModelUsage::default()),
        UpdateKind::RpcCalls(RpcCalls::default()),
        UpdateKind::Conversation(ConversationSummary::default()),
        UpdateKind::Ended { outcome, frames: Some(FramesSent::default()) },
    ] {
        let recorded = usize::from(kind.is_recorded());
        let text = format!("{kind:?}");
        scene.push(2_000, kind);
        let events = scene.effects.iter().filter(|effect| {
            matches!(effect, RunEffect::Record(event) if !matches!(event, EventKind::AudioSent { .. }))
        });
        assert_eq!(events.count(), recorded, "{text}");
        scene.take();
    }
}
