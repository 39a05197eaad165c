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

/// A worker that is registered and has said so.
fn registered(behaviour: Behaviour) -> Worker {
    let mut worker = worker(behaviour);
    worker.tick(at(0));
    worker.connected(at(1));
    worker.message(answer_to_registration(), at(2));
    worker.take_actions();
    worker
}

fn answer_to_registration() -> FromServer {
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

/// What was sent, in words.
fn words(actions: Vec<WorkerAction>) -> Vec<String> {
    let word = |action| match action {
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
    actions.into_iter().map(word).collect()
}

#[test]
fn it_connects_registers_and_says_how_busy_it_is() {
    let mut worker = worker(Behaviour::default());
    worker.tick(at(0));
    assert_eq!(words(worker.take_actions()), ["connect"]);
    worker.connected(at(1));
    let actions = worker.take_actions();
    let [WorkerAction::Send(message)] = &actions[..] else { panic!("{actions:?}") };
    let ToServer::Register(request) = &**message else { panic!("{message:?}") };
    assert_eq!(request.r#type(), proto::JobType::JtRoom);
    assert!(request.allowed_permissions.as_ref().unwrap().can_update_metadata);
    worker.message(answer_to_registration(), at(2));
    assert_eq!(words(worker.take_actions()), ["WS_AVAILABLE 0.00 of 0"]);
    assert_eq!(worker.deadline(), at(2_502));
    worker.tick(at(2_502));
    assert_eq!(words(worker.take_actions()), ["WS_AVAILABLE 0.00 of 0"]);
}

#[test]
fn a_job_goes_from_its_offer_to_its_end() {
    let mut worker = registered(Behaviour::default());
    worker.message(offer(1), at(10));
    let actions = worker.take_actions();
    let [WorkerAction::Send(message)] = &actions[..] else { panic!("{actions:?}") };
    let ToServer::Availability(answer) = &**message else { panic!("{message:?}") };
    assert!(answer.available);
    assert_eq!(answer.participant_identity, "agent-AJ_1");
    assert_eq!(answer.participant_attributes["lk.agent.name"], "echo");
    worker.message(assignment(1), at(11));
    let actions = worker.take_actions();
    let Some(WorkerAction::Start(started)) = actions.last() else { panic!("{actions:?}") };
    assert_eq!((started.mode, started.url.clone()), (Mode::Chat, None));
    assert_eq!(words(actions), ["AJ_1 JS_RUNNING", "start room-1"]);
    worker.ended("AJ_1", &JobEnd::Done, at(20));
    worker.ended("AJ_1", &JobEnd::Done, at(21));
    assert_eq!(words(worker.take_actions()), ["AJ_1 JS_SUCCESS"]);
    assert_eq!(worker.jobs(), 0);
}

#[test]
fn an_agent_joins_after_its_delay() {
    let join_delay = "700ms".parse().unwrap();
    let mut worker = registered(Behaviour { join_delay, ..Behaviour::default() });
    worker.message(offer(1), at(10));
    worker.message(assignment(1), at(11));
    assert_eq!(worker.deadline(), at(711));
    worker.tick(at(710));
    worker.take_actions();
    worker.tick(at(711));
    assert_eq!(words(worker.take_actions()), ["start room-1"]);
}

#[test]
fn dropped_and_rejected_jobs_start_nothing() {
    let always = |fault| {
        let faults = crate::behaviour::JobFaults::NONE.with(fault, "100%".parse().unwrap());
        Behaviour { faults: faults.unwrap(), ..Behaviour::default() }
    };
    let mut dropping = registered(always(JobFault::Drop));
    dropping.message(offer(1), at(10));
    dropping.message(assignment(1), at(11));
    assert_eq!(words(dropping.take_actions()), ["AJ_1 available=true", "AJ_1 JS_RUNNING"]);
    assert_eq!(dropping.jobs(), 0);
    let mut rejecting = registered(always(JobFault::Reject));
    rejecting.message(offer(1), at(10));
    rejecting.message(assignment(1), at(11));
    assert_eq!(words(rejecting.take_actions()), ["AJ_1 available=false"]);
}

#[test]
fn a_full_worker_declines_and_says_so_until_it_has_room_again() {
    let mut worker = registered(Behaviour { capacity: 2, ..Behaviour::default() });
    for n in 1..=3 {
        worker.message(offer(n), at(10));
    }
    for n in 1..=3 {
        worker.message(assignment(n), at(11));
    }
    let said = words(worker.take_actions());
    assert_eq!(said[2], "AJ_3 available=false");
    assert_eq!(said.iter().filter(|word| word.starts_with("start")).count(), 2);
    worker.tick(at(3_000));
    assert_eq!(words(worker.take_actions()), ["WS_FULL 0.69 of 2"]);
    worker.ended("AJ_1", &JobEnd::Failed("broke".to_owned()), at(3_100));
    assert_eq!(words(worker.take_actions()), ["AJ_1 JS_FAILED", "WS_AVAILABLE 0.34 of 1"]);
}

#[test]
fn an_accepted_offer_that_is_never_assigned_is_forgotten() {
    let mut worker = registered(Behaviour::default());
    worker.message(offer(1), at(10));
    worker.tick(at(7_509));
    assert_eq!(worker.jobs(), 1);
    worker.tick(at(7_510));
    assert_eq!(worker.jobs(), 0);
    worker.take_actions();
    worker.message(assignment(1), at(7_600));
    assert!(worker.take_actions().is_empty());
}

#[test]
fn a_termination_stops_a_session_or_keeps_it_from_starting() {
    let join_delay = "1s".parse().unwrap();
    let mut worker = registered(Behaviour { join_delay, ..Behaviour::default() });
    for n in 1..=2 {
        worker.message(offer(n), at(10));
        worker.message(assignment(n), at(n.into()));
    }
    worker.tick(at(1_001));
    worker.take_actions();
    for job in ["AJ_1", "AJ_2", "AJ_3"] {
        let job_id = job.to_owned();
        worker.message(FromServer::Termination(proto::JobTermination { job_id }), at(1_001));
    }
    assert_eq!(words(worker.take_actions()), ["stop AJ_1"]);
    assert_eq!(worker.jobs(), 1);
}

#[test]
fn a_lost_connection_is_made_again_in_growing_gaps_while_sessions_go_on() {
    let mut worker = registered(Behaviour::default());
    worker.message(offer(1), at(10));
    worker.message(assignment(1), at(11));
    worker.message(offer(2), at(12));
    worker.take_actions();
    worker.disconnected("the server restarts", at(100));
    assert_eq!(worker.jobs(), 1, "what runs goes on, what was only offered is gone");
    let mut now = at(100);
    let mut gaps = Vec::new();
    for _ in 0..8 {
        let due = worker.deadline();
        gaps.push(due.since(now).0 / 1_000);
        worker.tick(due);
        assert_eq!(words(worker.take_actions()), ["connect"]);
        worker.disconnected("refused", due);
        now = due;
    }
    assert_eq!(gaps, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    worker.ended("AJ_1", &JobEnd::Done, now);
    assert!(worker.take_actions().is_empty(), "there is nobody to tell");
    worker.tick(worker.deadline());
    worker.connected(at(60_000));
    worker.message(answer_to_registration(), at(60_001));
    worker.disconnected("again", at(60_002));
    assert_eq!(worker.deadline(), at(60_252), "a registration resets the gap");
}

#[test]
fn a_silent_server_is_pinged_and_then_given_up() {
    let mut worker = registered(Behaviour::default());
    let mut said = Vec::new();
    for second in 1..=32 {
        worker.tick(at(second * 1_000));
        said.extend(words(worker.take_actions()));
    }
    let told: Vec<&String> = said.iter().filter(|word| !word.starts_with("WS")).collect();
    assert_eq!(told, ["ping", "close", "connect"]);
    let mut spoken_to = registered(Behaviour::default());
    for second in 1..=60 {
        spoken_to.tick(at(second * 1_000));
        spoken_to.heard(at(second * 1_000));
    }
    assert!(!words(spoken_to.take_actions()).contains(&"ping".to_owned()));
}

#[test]
fn a_server_that_never_answers_the_registration_is_left() {
    let mut worker = worker(Behaviour::default());
    worker.tick(at(0));
    worker.connected(at(1));
    worker.take_actions();
    worker.tick(at(10_001));
    assert_eq!(words(worker.take_actions()), ["close"]);
}

#[test]
fn a_draining_worker_takes_nothing_more_and_is_done_when_it_is_empty() {
    let mut worker = registered(Behaviour::default());
    worker.message(offer(1), at(10));
    worker.message(assignment(1), at(11));
    worker.take_actions();
    worker.drain(at(20));
    worker.message(offer(2), at(21));
    let said = words(worker.take_actions());
    assert_eq!(said, ["WS_FULL 0.00 of 1", "AJ_2 available=false"]);
    assert!(!worker.is_drained());
    worker.ended("AJ_1", &JobEnd::Done, at(30));
    assert!(worker.is_drained());
}
