//! What is heard late of a caller, or never: what its process, its worker or NATS did is not blamed on the agent.

use super::*;
use rushhour_core::profile::AgentDispatch;

fn agent_joined() -> UpdateKind {
    UpdateKind::AgentJoined { identity: Identity::new("agent"), joined_at_ms: None }
}

#[test]
fn nobody_is_absent_whom_the_caller_could_not_tell_of() {
    // Its worker is silent since 7.5 s: who joined afterwards is not known.
    let mut scene = Scene::dispatched();
    scene.wake_heard_until(9_000, 7_500);
    assert_eq!(scene.wakes(), [at(10_000)]);
    scene.wake_heard_until(10_000, 8_999);
    assert_eq!(scene.take(), [] as [&str; 0]);
    // The worker is given up.
    let outcome = Outcome::failed(FailureClass::GeneratorFault, "its worker was not heard of");
    scene.push(10_500, UpdateKind::Ended { outcome, frames: None });
    assert_eq!(scene.take()[0], "generator_fault");
    // It was heard of, and the agent was there.
    let mut scene = Scene::dispatched();
    scene.wake_heard_until(9_000, 7_500);
    scene.push_late(5_000, 9_500, agent_joined());
    scene.wake_heard_until(10_000, 9_900);
    assert_eq!(scene.take(), ["AgentSeen"]);
    // Or it was not.
    let mut scene = Scene::dispatched();
    scene.wake_heard_until(9_000, 7_500);
    scene.wake_heard_until(10_000, 9_000);
    assert_eq!(scene.take(), ["check dispatch"]);
}

#[test]
fn an_agent_that_joined_in_time_is_not_late_where_that_is_heard_late() {
    let mut scene = Scene::dispatched();
    scene.wake(9_000);
    scene.push_late(5_000, 9_005, agent_joined());
    assert_eq!(scene.take(), ["check dispatch", "AgentSeen"]);
    scene.assigned(9_010, true);
    assert_eq!(scene.take(), [] as [&str; 0], "the conversation goes on");
    scene.wake(60_910);
    assert_eq!(scene.take()[0], "evaluator_timeout", "until its own deadline");
}

#[test]
fn a_process_that_stood_still_hears_of_the_agent_first() {
    let mut scene = Scene::dispatched();
    scene.wake(10_000);
    assert_eq!(scene.wakes(), [at(11_000)]);
    assert_eq!(scene.take(), [] as [&str; 0]);
    scene.wake(11_000);
    assert_eq!(scene.take(), ["check dispatch"]);
    // The same at the end of the run's time.
    let mut scene = Scene::dispatched();
    scene.agent_joins(2_000);
    scene.take();
    scene.wake(70_000);
    assert_eq!(scene.take(), [] as [&str; 0]);
    scene.ends(70_500);
    assert_eq!(scene.take()[0], "completed");
}

#[test]
fn a_process_that_always_stands_still_gives_up_all_the_same() {
    let mut waiting = Scene::dispatched();
    let mut talking = Scene::dispatched();
    talking.agent_joins(2_000);
    talking.take();
    for (scene, mut due, outcome) in
        [(&mut waiting, 9_000, "check dispatch"), (&mut talking, 60_910, "evaluator_timeout")]
    {
        // It wakes 2 s too late each time.
        for _ in 0..MOST_POSTPONED {
            scene.wake(due + 2_000);
            due += 3_000;
            assert_eq!(scene.wakes(), [at(due)]);
            assert_eq!(scene.take(), [] as [&str; 0]);
        }
        scene.wake(due + 2_000);
        assert_eq!(scene.take()[0], outcome);
    }
}

#[test]
fn a_caller_that_takes_long_leaves_the_agent_its_time() {
    let agent = settings().dispatch.agent().cloned().expect("the profile names one");
    // The token sends for the agent when the caller joins, 7 s after the request to the evaluator.
    let mut scene = Scene::submitted(900);
    scene.settings.dispatch = AgentDispatch::Token { agent: agent.clone() };
    scene.accepted(900);
    scene.push(8_000, UpdateKind::Joined);
    assert!(scene.wakes().contains(&at(16_000)), "8 s after the join");
    scene.agent_joins(12_000);
    assert_eq!(scene.take(), ["PhaseSeen", "AgentSeen"]);
    // The same across a crash.
    let dispatch = AgentDispatch::Token { agent: agent.clone() };
    let mut scene = resumed_with(DriverSettings { dispatch, ..settings() }, |run| {
        run.room_created = None;
        run.phase = Some(RunPhase::Running);
        run.running_since = Some(at(4_000));
    });
    scene.push_late(8_000, 20_100, agent_joined());
    assert_eq!(scene.take(), ["AgentSeen"], "4 s after the join");
    // The room has sent for it at 0 s, and its caller tells of it only now.
    let mut scene = Scene::submitted(900);
    scene.settings.dispatch = AgentDispatch::Room { agent };
    scene.run.agent_requested = Some(at(0));
    scene.accepted(900);
    scene.push(20_000, UpdateKind::Joined);
    assert!(scene.wakes().contains(&at(25_000)));
}

#[test]
fn a_conversation_whose_caller_is_not_heard_of_any_more_is_nobodys_fault_but_ours() {
    let mut scene = Scene::dispatched();
    scene.agent_joins(2_000);
    scene.take();
    scene.wake_heard_until(60_910, 55_000);
    assert_eq!(scene.take()[0], "generator_fault");
}

#[test]
fn a_server_whose_clock_is_ahead_makes_no_agent_late() {
    let mut scene = Scene::dispatched();
    let (run, kind) = (scene.run.planned.index, agent_joined());
    let update = CallerUpdate { run, at: at(2_000), within: Micros::ZERO, kind };
    let joined = Some(at(26_000));
    scene.run.caller_updated(update, joined, &scene.settings, at(2_000), &mut scene.effects);
    assert_eq!(scene.take(), ["AgentSeen"]);
}
