use super::*;
use rushhour_core::units::Mode;

const fn at(millis: u64) -> SessionTime {
    SessionTime(millis * 1_000)
}

fn worker(behaviour: Behaviour) -> Worker {
    let agent = AgentName::new("echo");
    let config = WorkerConfig { agent, behaviour: Arc::new(behaviour) };
    Worker::new(config, TruthSink::OFF, at(0))
}

/// A worker that is registered and has sent its first status.
fn registered(behaviour: Behaviour) -> Worker {
    let mut worker = worker(behaviour);
    worker.tick(at(0));
    worker.connected(at(1));
    worker.handle(registration_response(), at(2));
    worker.take_actions();
    worker
}

fn registration_response() -> FromServer {
    let worker_id = "AW_1".to_owned();
    FromServer::Register(proto::RegisterWorkerResponse { worker_id, ..Default::default() })
}

fn job(n: u32, metadata: &str) -> proto::Job {
    let room = proto::Room { name: format!("room-{n}"), ..Default::default() };
    let (id, metadata) = (format!("AJ_{n}"), metadata.to_owned());
    proto::Job { id, room: Some(room), metadata, ..Default::default() }
}

fn offer(n: u32) -> FromServer {
    let job = Some(job(n, ""));
    FromServer::Availability(proto::AvailabilityRequest { job, ..Default::default() })
}

fn assignment(n: u32) -> FromServer {
    FromServer::Assignment(proto::JobAssignment {
        job: Some(job(n, r#"{"text_mode":true}"#)),
        url: Some(String::new()),
        token: "token".to_owned(),
    })
}

/// The actions as short texts.
fn summaries(actions: Vec<WorkerAction>) -> Vec<String> {
    let summary = |action| match action {
        WorkerAction::Connect => "connect".to_owned(),
        WorkerAction::Ping => "ping".to_owned(),
        WorkerAction::Close => "close".to_owned(),
        WorkerAction::Start(assignment) => format!("start {}", assignment.room),
        WorkerAction::Stop(job) => format!("stop {job}"),
        WorkerAction::Send(message) => match *message {
            ToServer::Register(request) => format!("register {}", request.agent_name),
            ToServer::Availability(answer) => {
                format!("{} available={}", answer.job_id, answer.available)
            }
            ToServer::UpdateJob(update) => {
                format!("{} {}", update.job_id, update.status().as_str_name())
            }
            ToServer::UpdateWorker(update) => {
                format!(
                    "{} {:.2} of {}",
                    update.status().as_str_name(),
                    update.load,
                    update.job_count
                )
            }
            other => format!("{other:?}"),
        },
    };
    actions.into_iter().map(summary).collect()
}

#[test]
fn it_connects_registers_and_reports_its_load() {
    let mut worker = worker(Behaviour::default());
    worker.tick(at(0));
    assert_eq!(summaries(worker.take_actions()), ["connect"]);
    worker.connected(at(1));
    let actions = worker.take_actions();
    let [WorkerAction::Send(message)] = &actions[..] else { panic!("{actions:?}") };
    let ToServer::Register(request) = &**message else { panic!("{message:?}") };
    assert_eq!(request.r#type(), proto::JobType::JtRoom);
    assert!(request.allowed_permissions.as_ref().unwrap().can_update_metadata);
    worker.handle(registration_response(), at(2));
    assert_eq!(summaries(worker.take_actions()), ["WS_AVAILABLE 0.00 of 0"]);
    assert_eq!(worker.deadline(), at(2_502));
    worker.tick(at(2_502));
    assert_eq!(summaries(worker.take_actions()), ["WS_AVAILABLE 0.00 of 0"]);
}

#[test]
fn a_job_is_offered_assigned_started_and_ended() {
    let mut worker = registered(Behaviour::default());
    worker.handle(offer(1), at(10));
    let actions = worker.take_actions();
    let [WorkerAction::Send(message)] = &actions[..] else { panic!("{actions:?}") };
    let ToServer::Availability(answer) = &**message else { panic!("{message:?}") };
    assert!(answer.available);
    assert_eq!(answer.participant_identity, "agent-AJ_1");
    assert_eq!(answer.participant_attributes["lk.agent.name"], "echo");
    worker.handle(assignment(1), at(11));
    let actions = worker.take_actions();
    let Some(WorkerAction::Start(started)) = actions.last() else { panic!("{actions:?}") };
    assert_eq!((started.mode, started.url.clone()), (Mode::Chat, None));
    assert_eq!(summaries(actions), ["AJ_1 JS_RUNNING", "start room-1"]);
    worker.session_ended("AJ_1", &JobEnd::Done, at(20));
    worker.session_ended("AJ_1", &JobEnd::Done, at(21));
    assert_eq!(summaries(worker.take_actions()), ["AJ_1 JS_SUCCESS"]);
    assert_eq!(worker.jobs(), 0);
}

#[test]
fn a_session_starts_after_the_join_delay() {
    let join_delay = "700ms".parse().unwrap();
    let mut worker = registered(Behaviour { join_delay, ..Behaviour::default() });
    worker.handle(offer(1), at(10));
    worker.handle(assignment(1), at(11));
    assert_eq!(worker.deadline(), at(711));
    worker.tick(at(710));
    worker.take_actions();
    worker.tick(at(711));
    assert_eq!(summaries(worker.take_actions()), ["start room-1"]);
}

#[test]
fn dropped_and_rejected_jobs_start_no_session() {
    let always = |fault| {
        let faults = crate::behaviour::JobFaults::NONE.with(fault, "100%".parse().unwrap());
        Behaviour { faults: faults.unwrap(), ..Behaviour::default() }
    };
    let mut dropping = registered(always(JobFault::Drop));
    dropping.handle(offer(1), at(10));
    dropping.handle(assignment(1), at(11));
    assert_eq!(summaries(dropping.take_actions()), ["AJ_1 available=true", "AJ_1 JS_RUNNING"]);
    assert_eq!(dropping.jobs(), 0);
    let mut rejecting = registered(always(JobFault::Reject));
    rejecting.handle(offer(1), at(10));
    rejecting.handle(assignment(1), at(11));
    assert_eq!(summaries(rejecting.take_actions()), ["AJ_1 available=false"]);
}

#[test]
fn a_full_worker_rejects_jobs_and_reports_when_it_is_available_again() {
    let mut worker = registered(Behaviour { capacity: 2, ..Behaviour::default() });
    for n in 1..=3 {
        worker.handle(offer(n), at(10));
    }
    for n in 1..=3 {
        worker.handle(assignment(n), at(11));
    }
    let sent = summaries(worker.take_actions());
    assert_eq!(sent[2], "AJ_3 available=false");
    assert_eq!(sent.iter().filter(|action| action.starts_with("start")).count(), 2);
    worker.tick(at(3_000));
    assert_eq!(summaries(worker.take_actions()), ["WS_FULL 0.69 of 2"]);
    worker.session_ended("AJ_1", &JobEnd::Failed("broke".to_owned()), at(3_100));
    assert_eq!(summaries(worker.take_actions()), ["AJ_1 JS_FAILED", "WS_AVAILABLE 0.34 of 1"]);
}

#[test]
fn an_accepted_offer_without_an_assignment_expires() {
    let mut worker = registered(Behaviour::default());
    worker.handle(offer(1), at(10));
    worker.tick(at(7_509));
    assert_eq!(worker.jobs(), 1);
    worker.tick(at(7_510));
    assert_eq!(worker.jobs(), 0);
    worker.take_actions();
    worker.handle(assignment(1), at(7_600));
    assert!(worker.take_actions().is_empty());
}

#[test]
fn a_termination_stops_a_session_or_prevents_its_start() {
    let join_delay = "1s".parse().unwrap();
    let mut worker = registered(Behaviour { join_delay, ..Behaviour::default() });
    for n in 1..=2 {
        worker.handle(offer(n), at(10));
        worker.handle(assignment(n), at(n.into()));
    }
    worker.tick(at(1_001));
    worker.take_actions();
    for job in ["AJ_1", "AJ_2", "AJ_3"] {
        let job_id = job.to_owned();
        worker.handle(FromServer::Termination(proto::JobTermination { job_id }), at(1_001));
    }
    assert_eq!(summaries(worker.take_actions()), ["stop AJ_1"]);
    assert_eq!(worker.jobs(), 1);
}

#[test]
fn it_reconnects_with_growing_delays_while_sessions_continue() {
    let mut worker = registered(Behaviour::default());
    worker.handle(offer(1), at(10));
    worker.handle(assignment(1), at(11));
    worker.handle(offer(2), at(12));
    worker.take_actions();
    worker.disconnected("the server restarts", at(100));
    assert_eq!(worker.jobs(), 1, "the running job continues, the accepted offer is void");
    let mut now = at(100);
    let mut delays = Vec::new();
    for _ in 0..8 {
        let due = worker.deadline();
        delays.push(due.since(now).0 / 1_000);
        worker.tick(due);
        assert_eq!(summaries(worker.take_actions()), ["connect"]);
        worker.disconnected("refused", due);
        now = due;
    }
    assert_eq!(delays, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    worker.session_ended("AJ_1", &JobEnd::Done, now);
    assert!(worker.take_actions().is_empty(), "there is no connection to report it on");
    worker.tick(worker.deadline());
    worker.connected(at(60_000));
    worker.handle(registration_response(), at(60_001));
    worker.disconnected("again", at(60_002));
    assert_eq!(worker.deadline(), at(60_252), "a registration resets the delay");
}

#[test]
fn a_silent_server_is_pinged_and_then_disconnected() {
    let mut worker = registered(Behaviour::default());
    let mut sent = Vec::new();
    for second in 1..=32 {
        worker.tick(at(second * 1_000));
        sent.extend(summaries(worker.take_actions()));
    }
    sent.retain(|action| !action.starts_with("WS"));
    assert_eq!(sent, ["ping", "close", "connect"]);
    let mut active = registered(Behaviour::default());
    for second in 1..=60 {
        active.tick(at(second * 1_000));
        active.mark_alive(at(second * 1_000));
    }
    assert!(!summaries(active.take_actions()).contains(&"ping".to_owned()));
}

#[test]
fn a_server_that_does_not_confirm_the_registration_is_disconnected() {
    let mut worker = worker(Behaviour::default());
    worker.tick(at(0));
    worker.connected(at(1));
    worker.take_actions();
    worker.tick(at(10_001));
    assert_eq!(summaries(worker.take_actions()), ["close"]);
}

#[test]
fn a_draining_worker_rejects_jobs_and_ends_with_its_last_session() {
    let mut worker = registered(Behaviour::default());
    worker.handle(offer(1), at(10));
    worker.handle(assignment(1), at(11));
    worker.take_actions();
    worker.drain(at(20));
    worker.handle(offer(2), at(21));
    let sent = summaries(worker.take_actions());
    assert_eq!(sent, ["WS_FULL 0.00 of 1", "AJ_2 available=false"]);
    assert!(!worker.is_drained());
    worker.session_ended("AJ_1", &JobEnd::Done, at(30));
    assert!(worker.is_drained());
}
