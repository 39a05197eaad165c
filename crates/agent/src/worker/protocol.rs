//! The worker's side of the protocol, without IO: messages, ends of jobs and time in; actions and a deadline out.
//!
//! Messages are `WorkerMessage` and `ServerMessage` of `livekit_agent.proto`; the figures are livekit-server
//! 1.13's. An offer has to be answered within 3 s, which is why it is answered at once.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;

use livekit_protocol as proto;
use proto::server_message::Message as FromServer;
use proto::worker_message::Message as ToServer;

use super::job::{Assignment, JobEnd, identity_of};
use crate::behaviour::{Behaviour, JobFault};
use crate::truth::{AgentFact, Refusal, TruthSink};
use rushhour_core::units::{AgentName, Micros, RoomName, SessionTime};

/// How often the server is told how busy the worker is.
const STATUS_EVERY: Micros = Micros::from_millis(2_500);
/// From a load of 0.70 on the server offers nothing more, so that a worker one below full says less.
const HIGHEST_LOAD: f32 = 0.69;
/// How long the server may take to answer the registration.
const REGISTRATION: Micros = Micros::from_secs(10);
/// How long after an accepted offer its assignment may come.
const ASSIGNMENT: Micros = Micros::from_millis(7_500);
/// After so long without a word the server is pinged.
const PING_AFTER: Micros = Micros::from_secs(12);
/// After so long without a word the connection counts as lost.
const LOST_AFTER: Micros = Micros::from_secs(30);
/// The first and the longest gap between two attempts to connect; each is twice the one before.
const FIRST_GAP: Micros = Micros::from_millis(250);
const LONGEST_GAP: Micros = Micros::from_secs(10);

/// Who the worker is.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The name that it registers.
    pub agent: AgentName,
    /// How its agents behave.
    pub behaviour: Arc<Behaviour>,
}

/// Something for the shell to do.
#[derive(Debug, Clone)]
pub enum WorkerAction {
    /// Connect to the server; [`Worker::connected`] or [`Worker::disconnected`] is called next.
    Connect,
    /// Send a message.
    Send(Box<ToServer>),
    /// Send a ping of the WebSocket.
    Ping,
    /// Close the connection; it is forgotten already.
    Close,
    /// Start the session of a job; [`Worker::ended`] is called once it is over.
    Start(Box<Assignment>),
    /// End the session of this job.
    Stop(String),
}

#[derive(Debug)]
enum Link {
    Down { again_at: SessionTime },
    Connecting,
    Registering { until: SessionTime },
    Up { status_at: SessionTime },
}

#[derive(Debug)]
enum Job {
    /// Accepted; not yet assigned.
    Accepted { fault: Option<JobFault>, until: SessionTime },
    /// Assigned; about to join.
    Due { join_at: SessionTime, assignment: Box<Assignment> },
    /// Its session is under way.
    Running,
}

/// The worker. It survives its connections: sessions under way go on while there is none.
#[derive(Debug)]
pub struct Worker {
    config: WorkerConfig,
    truth: TruthSink,
    link: Link,
    gap: Micros,
    heard_at: SessionTime,
    pinged: bool,
    jobs: BTreeMap<String, Job>,
    draining: bool,
    actions: Vec<WorkerAction>,
}

impl Worker {
    /// A worker that connects at its first tick.
    pub const fn new(config: WorkerConfig, truth: TruthSink, now: SessionTime) -> Self {
        Self {
            config,
            truth,
            link: Link::Down { again_at: now },
            gap: FIRST_GAP,
            heard_at: now,
            pinged: false,
            jobs: BTreeMap::new(),
            draining: false,
            actions: Vec::new(),
        }
    }

    /// What is to be done by now.
    pub fn take_actions(&mut self) -> Vec<WorkerAction> {
        mem::take(&mut self.actions)
    }

    /// When [`Self::tick`] has to be called.
    pub fn deadline(&self) -> SessionTime {
        let link = match self.link {
            Link::Down { again_at } => again_at,
            Link::Connecting => SessionTime::NEVER,
            Link::Registering { until } => until,
            Link::Up { status_at } => status_at.min(self.silence_ends()),
        };
        let jobs = self.jobs.values().map(|job| match job {
            Job::Accepted { until, .. } => *until,
            Job::Due { join_at, .. } => *join_at,
            Job::Running => SessionTime::NEVER,
        });
        jobs.fold(link, SessionTime::min)
    }

    fn silence_ends(&self) -> SessionTime {
        self.heard_at + if self.pinged { LOST_AFTER } else { PING_AFTER }
    }

    /// Sessions and what is about to be one.
    pub fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Whether the server has it as a worker.
    pub const fn is_registered(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// Whether it takes no more jobs and has none left.
    pub fn is_drained(&self) -> bool {
        self.draining && self.jobs.is_empty()
    }

    /// From now on no job is taken.
    pub fn drain(&mut self, now: SessionTime) {
        self.draining = true;
        self.tell_status(now);
    }

    /// The connection that was asked for is there.
    pub fn connected(&mut self, now: SessionTime) {
        self.link = Link::Registering { until: now + REGISTRATION };
        self.heard_at = now;
        self.pinged = false;
        let permissions = proto::ParticipantPermission {
            can_subscribe: true,
            can_publish: true,
            can_publish_data: true,
            can_update_metadata: true,
            ..proto::ParticipantPermission::default()
        };
        self.send(ToServer::Register(proto::RegisterWorkerRequest {
            r#type: proto::JobType::JtRoom.into(),
            agent_name: self.config.agent.as_str().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            allowed_permissions: Some(permissions),
            ..proto::RegisterWorkerRequest::default()
        }));
    }

    /// There is no connection: it was lost, or could not be made.
    pub fn disconnected(&mut self, why: &str, now: SessionTime) {
        self.truth.tell(now, AgentFact::Unregistered { why: why.to_owned() });
        self.link = Link::Down { again_at: now + self.gap };
        self.gap = Micros(self.gap.0 * 2).min(LONGEST_GAP);
        // Their offers were the lost connection's.
        self.jobs.retain(|_, job| !matches!(job, Job::Accepted { .. }));
    }

    fn give_up_connection(&mut self, why: &str, now: SessionTime) {
        self.actions.push(WorkerAction::Close);
        self.disconnected(why, now);
    }

    /// Something came in over the connection, were it only a ping.
    pub const fn heard(&mut self, now: SessionTime) {
        self.heard_at = now;
        self.pinged = false;
    }

    /// Takes in a message of the server.
    pub fn message(&mut self, message: FromServer, now: SessionTime) {
        self.heard(now);
        match message {
            FromServer::Register(registered) => {
                self.link = Link::Up { status_at: now };
                self.gap = FIRST_GAP;
                self.truth.tell(now, AgentFact::Registered { worker: registered.worker_id });
                self.tell_status(now);
            }
            FromServer::Availability(offer) => self.offered(offer, now),
            FromServer::Assignment(assignment) => self.assigned(assignment, now),
            FromServer::Termination(termination) => self.terminated(&termination.job_id),
            FromServer::GoAway(_) => {
                self.give_up_connection("the server asks its workers to go elsewhere", now);
            }
            FromServer::Pong(_) => {}
        }
    }

    fn offered(&mut self, offer: proto::AvailabilityRequest, now: SessionTime) {
        let Some(job) = offer.job else { return };
        let room = RoomName::new(job.room.map(|room| room.name).unwrap_or_default());
        let id = job.id;
        self.truth.tell(now, AgentFact::JobOffered { room: room.clone(), job: id.clone() });
        let fault = self.config.behaviour.fate(&room);
        let refusal = if self.draining {
            Some(Refusal::Draining)
        } else if fault == Some(JobFault::Reject) {
            Some(Refusal::Fault)
        } else if self.jobs.len() >= self.config.behaviour.capacity {
            Some(Refusal::Full)
        } else {
            None
        };
        let name = ("lk.agent.name".to_owned(), self.config.agent.as_str().to_owned());
        self.send(ToServer::Availability(proto::AvailabilityResponse {
            job_id: id.clone(),
            available: refusal.is_none(),
            participant_identity: identity_of(&id).as_str().to_owned(),
            participant_name: self.config.agent.as_str().to_owned(),
            participant_attributes: HashMap::from([name]),
            ..proto::AvailabilityResponse::default()
        }));
        if let Some(why) = refusal {
            self.truth.tell(now, AgentFact::JobRejected { room, job: id, why });
        } else {
            self.jobs.insert(id.clone(), Job::Accepted { fault, until: now + ASSIGNMENT });
            let fault = fault.map(JobFault::name);
            self.truth.tell(now, AgentFact::JobAccepted { room, job: id, fault });
        }
    }

    fn assigned(&mut self, assignment: proto::JobAssignment, now: SessionTime) {
        let Some(id) = assignment.job.as_ref().map(|job| job.id.clone()) else { return };
        // An assignment that nobody accepted, or that was waited for no longer, is the server's error.
        let Some(Job::Accepted { fault, .. }) = self.jobs.get(&id) else { return };
        let Some(assignment) = Assignment::new(assignment, *fault, now) else { return };
        self.send(job_status(&id, proto::JobStatus::JsRunning, ""));
        let room = assignment.room.clone();
        if assignment.fault == Some(JobFault::Drop) {
            self.jobs.remove(&id);
            self.truth.tell(now, AgentFact::JobDropped { room, job: id });
            return;
        }
        let join_delay_us = self.config.behaviour.join_delay(&room);
        self.truth.tell(now, AgentFact::JobAssigned { room, job: id.clone(), join_delay_us });
        let due = Job::Due { join_at: now + join_delay_us, assignment: Box::new(assignment) };
        self.jobs.insert(id, due);
        self.start_due(now);
    }

    fn terminated(&mut self, id: &str) {
        match self.jobs.get(id) {
            Some(Job::Running) => self.actions.push(WorkerAction::Stop(id.to_owned())),
            Some(_) => {
                self.jobs.remove(id);
            }
            None => {}
        }
    }

    /// The session of a job is over.
    pub fn ended(&mut self, id: &str, end: &JobEnd, now: SessionTime) {
        let was_full = self.is_full();
        if self.jobs.remove(id).is_none() {
            return;
        }
        let (status, error) = match end {
            JobEnd::Done => (proto::JobStatus::JsSuccess, ""),
            JobEnd::Failed(words) => (proto::JobStatus::JsFailed, words.as_str()),
        };
        if matches!(self.link, Link::Up { .. }) {
            self.send(job_status(id, status, error));
        }
        if was_full && !self.is_full() {
            self.tell_status(now);
        }
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: SessionTime) {
        match self.link {
            Link::Down { again_at } if again_at <= now => {
                self.link = Link::Connecting;
                self.actions.push(WorkerAction::Connect);
            }
            Link::Registering { until } if until <= now => {
                self.give_up_connection("the server does not answer the registration", now);
            }
            Link::Up { status_at } => {
                if self.silence_ends() <= now {
                    if mem::replace(&mut self.pinged, true) {
                        self.give_up_connection("the server is silent", now);
                    } else {
                        self.actions.push(WorkerAction::Ping);
                    }
                } else if status_at <= now {
                    self.tell_status(now);
                }
            }
            _ => {}
        }
        self.jobs.retain(|_, job| !matches!(job, Job::Accepted { until, .. } if *until <= now));
        self.start_due(now);
    }

    fn start_due(&mut self, now: SessionTime) {
        for job in self.jobs.values_mut() {
            if matches!(job, Job::Due { join_at, .. } if *join_at <= now)
                && let Job::Due { assignment, .. } = mem::replace(job, Job::Running)
            {
                self.actions.push(WorkerAction::Start(assignment));
            }
        }
    }

    fn is_full(&self) -> bool {
        self.draining || self.jobs.len() >= self.config.behaviour.capacity
    }

    /// The share of the capacity that is taken.
    pub fn load(&self) -> f64 {
        self.jobs.len() as f64 / self.config.behaviour.capacity.max(1) as f64
    }

    fn tell_status(&mut self, now: SessionTime) {
        if !matches!(self.link, Link::Up { .. }) {
            return;
        }
        self.link = Link::Up { status_at: now + STATUS_EVERY };
        let status = if self.is_full() {
            proto::WorkerStatus::WsFull
        } else {
            proto::WorkerStatus::WsAvailable
        };
        #[expect(clippy::cast_possible_truncation, reason = "the wire carries single precision")]
        let load = HIGHEST_LOAD * self.load() as f32;
        self.send(ToServer::UpdateWorker(proto::UpdateWorkerStatus {
            status: Some(status.into()),
            load,
            job_count: u32::try_from(self.jobs.len()).unwrap_or(u32::MAX),
            ..proto::UpdateWorkerStatus::default()
        }));
    }

    fn send(&mut self, message: ToServer) {
        self.actions.push(WorkerAction::Send(Box::new(message)));
    }
}

fn job_status(job: &str, status: proto::JobStatus, error: &str) -> ToServer {
    ToServer::UpdateJob(proto::UpdateJobStatus {
        job_id: job.to_owned(),
        status: status.into(),
        error: error.to_owned(),
    })
}

#[cfg(test)]
mod tests;
