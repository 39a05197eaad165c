//! An agent that the caller never saw, and what the server lists of it.

use super::*;
use rushhour_livekit::{DispatchedJob, JobStatus};

/// A run whose agent was not seen in time.
fn unseen() -> Scene {
    let mut scene = Scene::dispatched();
    scene.wake(9_000);
    assert_eq!(scene.take(), ["check dispatch"]);
    scene
}

/// How the run failed.
fn detail(effects: &[RunEffect]) -> Option<String> {
    effects.iter().find_map(|effect| match effect {
        RunEffect::Record(EventKind::Ended { outcome: Outcome::Failed { detail, .. }, .. }) => {
            Some(detail.to_string())
        }
        _ => None,
    })
}

#[test]
fn a_caller_is_told_of_an_agent_that_only_the_server_shows() {
    let mut scene = unseen();
    scene.checked(9_010, DispatchCheck::with_agent(true, Some(at(2_000))));
    assert_eq!(scene.wakes(), [at(60_910)], "the run has its deadline again");
    let told = "TellHiddenAgent(EvaluatorRunId(\"7\"))";
    assert_eq!(scene.take(), [told]);
    scene.push(9_030, UpdateKind::HiddenAgent);
    scene.ends(30_000);
    assert_eq!(scene.take(), ["completed", "free slot", "delete room"]);
    let mut scene = unseen();
    scene.checked(9_010, DispatchCheck::with_agent(true, None));
    assert_eq!(scene.take(), [told], "nobody knows when it joined");
}

#[test]
fn a_hidden_agent_that_joined_late_is_late() {
    let mut scene = unseen();
    scene.checked(9_010, DispatchCheck::with_agent(true, Some(at(7_000))));
    assert_eq!(
        scene.take(),
        ["agent_late", "free slot", "end call", "delete room"],
        "it is not spoken to"
    );
}

#[test]
fn an_agent_that_is_not_there_fails_with_what_became_of_its_job() {
    let mut scene = unseen();
    scene.checked(9_010, DispatchCheck::of_job(true));
    let said = detail(&scene.effects).unwrap();
    assert!(
        said.contains("did not join within 8.00s: a worker took its job as `agent-AJ_1`"),
        "{said}"
    );
    let mut failed = unseen();
    let mut listed = DispatchCheck::of_job(true);
    listed.job = listed.job.map(|job| DispatchedJob {
        status: JobStatus::Failed,
        error: "no model".into(),
        ..job
    });
    failed.checked(9_010, listed);
    let said = detail(&failed.effects).unwrap();
    assert!(said.ends_with("did not join within 8.00s: its job failed: no model"), "{said}");
}

#[test]
fn an_agent_that_is_announced_to_somebody_is_not_hidden() {
    let mut scene = unseen();
    scene.checked(9_010, DispatchCheck::with_agent(false, None));
    let said = detail(&scene.effects).unwrap();
    assert!(said.ends_with("which is in the room, but was not announced"), "{said}");
}
