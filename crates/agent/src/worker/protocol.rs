//! The worker's side of the protocol, without IO. In: messages, ends of sessions, time. Out: actions and a deadline.
//!
//! Messages are `WorkerMessage` and `ServerMessage` of `livekit_agent.proto`; timeouts and load limits are those of
//! livekit-server 1.13. The server waits 3 s for the answer to an offer; the worker answers at once.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;

use livekit_protocol as proto;
use proto::server_message::Message as FromServer;
use proto::worker_message::Message as ToServer;

use super::job::{Assignment, JobEnd, identity_of};
use crate::behaviour::{Behaviour, JobFault};
use crate::truth::{AgentFact, RejectReason, TruthSink};
use rushhour_core::units::{AgentName, Micros, RoomName, SessionTime};

/// How often the worker sends its load.
const STATUS_INTERVAL: Micros = Micros::from_millis(2_500);
/// The load to report at full capacity. The server offers no jobs to a worker whose load reaches 0.70, so that a worker
/// with free slots has to stay below.
const MAX_LOAD: f32 = 0.69;
/// How long the server may take to confirm the registration.
const REGISTRATION_TIMEOUT: Micros = Micros::from_secs(10);
/// How long after an accepted offer the server may assign the job.
const ASSIGNMENT_TIMEOUT: Micros = Micros::from_millis(7_500);
/// The silence after which the worker pings the server.
const PING_AFTER: Micros = Micros::from_secs(12);
/// The silence after which the connection counts as lost.
const LOST_AFTER: Micros = Micros::from_secs(30);
/// The first delay before reconnecting; every further one is twice as long, up to [`MAX_RECONNECT_DELAY`].
const MIN_RECONNECT_DELAY: Micros = Micros::from_millis(250);
const MAX_RECONNECT_DELAY: Micros = Micros::from_secs(10);

#[derive(Debug, Clone)]
pub(crate) struct WorkerConfig {
    /// The agent name to register.
    pub(crate) agent: AgentName,
    pub(crate) behaviour: Arc<Behaviour>,
}

/// What the event loop has to do.
#[derive(Debug, Clone)]
pub(crate) enum WorkerAction {
    /// Connect to the server, then call [`Worker::connected`] or [`Worker::disconnected`].
    Connect,
    Send(Box<ToServer>),
    /// Send a WebSocket ping.
    Ping,
    /// Close the connection, without calling [`Worker::disconnected`].
    Close,
    /// Start the session of a job; call [`Worker::session_ended`] when it has ended.
    Start(Box<Assignment>),
    /// Stop the session of this job.
    Stop(String),
}

#[derive(Debug)]
enum ConnectionState {
    Disconnected { reconnect_at: SessionTime },
    Connecting,
    Registering { until: SessionTime },
    Registered { next_status_at: SessionTime },
}

#[derive(Debug)]
enum Job {
    /// The offer was accepted; the assignment is due.
    Accepted { fault: Option<JobFault>, until: SessionTime },
    /// The agent joins after its delay.
    Assigned { join_at: SessionTime, assignment: Box<Assignment> },
    /// The session has started.
    Running,
}

/// The worker. It outlives its connections: without one, running sessions continue.
#[derive(Debug)]
pub(crate) struct Worker {
    config: WorkerConfig,
    truth: TruthSink,
    connection: ConnectionState,
    reconnect_delay: Micros,
    last_received_at: SessionTime,
    pinged: bool,
    /// By id.
    jobs: BTreeMap<String, Job>,
    draining: bool,
    actions: Vec<WorkerAction>,
}

impl Worker {
    /// A worker that connects at its first tick.
    pub(crate) const fn new(config: WorkerConfig, truth: TruthSink, now: SessionTime) -> Self {
        Self {
            config,
            truth,
            connection: ConnectionState::Disconnected { reconnect_at: now },
            reconnect_delay: MIN_RECONNECT_DELAY,
            last_received_at: now,
            pinged: false,
            jobs: BTreeMap::new(),
            draining: false,
            actions: Vec::new(),
        }
    }

    /// The actions since the last call.
    pub(crate) fn take_actions(&mut self) -> Vec<WorkerAction> {
        mem::take(&mut self.actions)
    }

    /// When to call [`Self::tick`] next.
    pub(crate) fn deadline(&self) -> SessionTime {
        let connection = match self.connection {
            ConnectionState::Disconnected { reconnect_at } => reconnect_at,
            ConnectionState::Connecting => SessionTime::NEVER,
            ConnectionState::Registering { until } => until,
            ConnectionState::Registered { next_status_at } => {
                next_status_at.min(self.silence_deadline())
            }
        };
        let jobs = self.jobs.values().map(|job| match job {
            Job::Accepted { until, .. } => *until,
            Job::Assigned { join_at, .. } => *join_at,
            Job::Running => SessionTime::NEVER,
        });
        jobs.fold(connection, SessionTime::min)
    }

    fn silence_deadline(&self) -> SessionTime {
        self.last_received_at + if self.pinged { LOST_AFTER } else { PING_AFTER }
    }

    /// The number of jobs that were accepted and have not ended.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) const fn is_registered(&self) -> bool {
        matches!(self.connection, ConnectionState::Registered { .. })
    }

    /// Whether the worker is draining and its last job has ended.
    pub(crate) fn is_drained(&self) -> bool {
        self.draining && self.jobs.is_empty()
    }

    /// Rejects all further jobs.
    pub(crate) fn drain(&mut self, now: SessionTime) {
        self.draining = true;
        self.send_status(now);
    }

    /// The connection is open.
    pub(crate) fn connected(&mut self, now: SessionTime) {
        self.connection = ConnectionState::Registering { until: now + REGISTRATION_TIMEOUT };
        self.mark_alive(now);
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

    /// The connection was lost or could not be opened.
    pub(crate) fn disconnected(&mut self, why: &str, now: SessionTime) {
        self.truth.record(now, AgentFact::Unregistered { why: why.to_owned() });
        let reconnect_at = now + self.reconnect_delay;
        self.connection = ConnectionState::Disconnected { reconnect_at };
        self.reconnect_delay = Micros(self.reconnect_delay.0 * 2).min(MAX_RECONNECT_DELAY);
        // Accepted offers are void: the server assigns them over the connection that is gone.
        self.jobs.retain(|_, job| !matches!(job, Job::Accepted { .. }));
    }

    fn close_connection(&mut self, why: &str, now: SessionTime) {
        self.actions.push(WorkerAction::Close);
        self.disconnected(why, now);
    }

    /// Something arrived over the connection, even if only a ping or a pong.
    pub(crate) const fn mark_alive(&mut self, now: SessionTime) {
        self.last_received_at = now;
        self.pinged = false;
    }

    /// Handles a message of the server.
    pub(crate) fn handle(&mut self, message: FromServer, now: SessionTime) {
        self.mark_alive(now);
        match message {
            FromServer::Register(registered) => {
                self.connection = ConnectionState::Registered { next_status_at: now };
                self.reconnect_delay = MIN_RECONNECT_DELAY;
                self.truth.record(now, AgentFact::Registered { worker: registered.worker_id });
                self.send_status(now);
            }
            FromServer::Availability(offer) => self.handle_offer(offer, now),
            FromServer::Assignment(assignment) => self.handle_assignment(assignment, now),
            FromServer::Termination(termination) => self.handle_termination(&termination.job_id),
            FromServer::GoAway(_) => {
                self.close_connection("the server asks its workers to connect elsewhere", now);
            }
            FromServer::Pong(_) => {}
        }
    }

    fn handle_offer(&mut self, offer: proto::AvailabilityRequest, now: SessionTime) {
        let Some(job) = offer.job else { return };
        let room = RoomName::new(job.room.map(|room| room.name).unwrap_or_default());
        let id = job.id;
        self.truth.record(now, AgentFact::JobOffered { room: room.clone(), job: id.clone() });
        let fault = self.config.behaviour.fault(&room);
        let rejection = if self.draining {
            Some(RejectReason::Draining)
        } else if fault == Some(JobFault::Reject) {
            Some(RejectReason::Fault)
        } else if self.is_full() {
            Some(RejectReason::Full)
        } else {
            None
        };
        let name = ("lk.agent.name".to_owned(), self.config.agent.as_str().to_owned());
        self.send(ToServer::Availability(proto::AvailabilityResponse {
            job_id: id.clone(),
            available: rejection.is_none(),
            participant_identity: identity_of(&id).as_str().to_owned(),
            participant_name: self.config.agent.as_str().to_owned(),
            participant_attributes: HashMap::from([name]),
            ..proto::AvailabilityResponse::default()
        }));
        if let Some(why) = rejection {
            self.truth.record(now, AgentFact::JobRejected { room, job: id, why });
        } else {
            let until = now + ASSIGNMENT_TIMEOUT;
            self.jobs.insert(id.clone(), Job::Accepted { fault, until });
            let fault = fault.map(JobFault::name);
            self.truth.record(now, AgentFact::JobAccepted { room, job: id, fault });
        }
    }

    fn handle_assignment(&mut self, assignment: proto::JobAssignment, now: SessionTime) {
        let Some(id) = assignment.job.as_ref().map(|job| job.id.clone()) else { return };
        // The worker ignores a job that it did not accept, or whose assignment comes too late.
        let Some(Job::Accepted { fault, .. }) = self.jobs.get(&id) else { return };
        let Some(assignment) = Assignment::new(assignment, *fault, now) else { return };
        self.send(job_status(&id, proto::JobStatus::JsRunning, ""));
        let room = assignment.room.clone();
        if assignment.fault == Some(JobFault::Drop) {
            self.jobs.remove(&id);
            self.truth.record(now, AgentFact::JobDropped { room, job: id });
            return;
        }
        let join_delay_us = self.config.behaviour.join_delay(&room);
        self.truth.record(now, AgentFact::JobAssigned { room, job: id.clone(), join_delay_us });
        let join_at = now + join_delay_us;
        self.jobs.insert(id, Job::Assigned { join_at, assignment: Box::new(assignment) });
        self.start_due_sessions(now);
    }

    fn handle_termination(&mut self, id: &str) {
        match self.jobs.get(id) {
            Some(Job::Running) => self.actions.push(WorkerAction::Stop(id.to_owned())),
            Some(_) => {
                self.jobs.remove(id);
            }
            None => {}
        }
    }

    /// The session of a job has ended.
    pub(crate) fn session_ended(&mut self, id: &str, end: &JobEnd, now: SessionTime) {
        let was_available = self.is_available();
        if self.jobs.remove(id).is_none() {
            return;
        }
        let (status, error) = match end {
            JobEnd::Done => (proto::JobStatus::JsSuccess, ""),
            JobEnd::Failed(error) => (proto::JobStatus::JsFailed, error.as_str()),
        };
        if self.is_registered() {
            self.send(job_status(id, status, error));
        }
        if !was_available && self.is_available() {
            self.send_status(now);
        }
    }

    /// Does what is due: connect, ping, report the load, start sessions, give up.
    pub(crate) fn tick(&mut self, now: SessionTime) {
        match self.connection {
            ConnectionState::Disconnected { reconnect_at } if reconnect_at <= now => {
                self.connection = ConnectionState::Connecting;
                self.actions.push(WorkerAction::Connect);
            }
            ConnectionState::Registering { until } if until <= now => {
                self.close_connection("the server does not confirm the registration", now);
            }
            ConnectionState::Registered { next_status_at } => {
                if self.silence_deadline() <= now {
                    if mem::replace(&mut self.pinged, true) {
                        self.close_connection("the server does not answer pings", now);
                    } else {
                        self.actions.push(WorkerAction::Ping);
                    }
                } else if next_status_at <= now {
                    self.send_status(now);
                }
            }
            _ => {}
        }
        self.jobs.retain(|_, job| !matches!(job, Job::Accepted { until, .. } if *until <= now));
        self.start_due_sessions(now);
    }

    fn start_due_sessions(&mut self, now: SessionTime) {
        for job in self.jobs.values_mut() {
            if matches!(job, Job::Assigned { join_at, .. } if *join_at <= now)
                && let Job::Assigned { assignment, .. } = mem::replace(job, Job::Running)
            {
                self.actions.push(WorkerAction::Start(assignment));
            }
        }
    }

    fn is_full(&self) -> bool {
        self.jobs.len() >= self.config.behaviour.capacity
    }

    fn is_available(&self) -> bool {
        !self.draining && !self.is_full()
    }

    /// The share of the capacity in use.
    pub(crate) fn load(&self) -> f64 {
        self.jobs.len() as f64 / self.config.behaviour.capacity.max(1) as f64
    }

    fn send_status(&mut self, now: SessionTime) {
        if !self.is_registered() {
            return;
        }
        let next_status_at = now + STATUS_INTERVAL;
        self.connection = ConnectionState::Registered { next_status_at };
        let status = if self.is_available() {
            proto::WorkerStatus::WsAvailable
        } else {
            proto::WorkerStatus::WsFull
        };
        #[expect(clippy::cast_possible_truncation, reason = "the protocol has single precision")]
        let load = MAX_LOAD * self.load() as f32;
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
