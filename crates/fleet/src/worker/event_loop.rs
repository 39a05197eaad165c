//! The event loop of a worker: owns its state, takes in commands and updates, says once a second that it is there.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior};

use super::held_session::{Admission, Callers, HeldSession, WorkerLimits};
use super::hosts::AllowedHosts;
use super::preparation::{BlobCache, CallerFactory, prepare, shown};
use crate::clock::WorkerTime;
use crate::connection::{Connection, NatsConfig, NatsError, random_u32};
use crate::protocol::{
    Acknowledge, Attach, Attached, BEAT_EVERY, ClockAnswer, Command, Done, EndCall, Fence,
    MAX_CAPACITY, MAX_JOINS, Refusal, Role, Submit, UPDATES_PER_BATCH, UpdateBatch, WorkerReport,
    WorkerState, decode,
};
use rushhour_callers::engine::EngineClock;
use rushhour_core::evaluator::{ConversationRequest, Evaluator};
use rushhour_core::units::{
    EvaluatorRunId, Micros, RoomName, RunIndex, Secret, SessionId, SessionTime, WorkerId,
};

/// How long callers that are ended may take to leave, before the process does.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a worker stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerLifetime {
    /// Until it is asked to stop: one session after the other.
    UntilStopped,
    /// Until the first session that it held callers for is over.
    OneSession,
}

/// How a worker is run.
pub struct WorkerConfig {
    /// Where it meets its coordinator.
    pub nats: NatsConfig,
    /// The most callers that it is meant to hold, at least 1.
    pub capacity: u32,
    /// The most conversations per second that it is to be given, at least 1: joining is what costs most.
    pub joins: u32,
    /// How long it stays.
    pub lifetime: WorkerLifetime,
    /// The name of its machine, for people.
    pub host: String,
    /// The hosts that it may call.
    pub allowed: AllowedHosts,
    /// Another address of the LiveKit server, where this machine reaches it by another one than the coordinator's.
    pub livekit_url: Option<String>,
    /// The clock of its callers.
    pub clock: EngineClock,
    /// Makes its callers.
    pub factory: Arc<dyn CallerFactory>,
}

/// What somebody at the worker asks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopRequest {
    /// The first time: take no more runs, and exit once the last one has ended. The second time: end them now.
    Stop,
}

/// What a worker tells people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerEvent {
    /// It can be found.
    Waiting {
        /// Itself.
        worker: WorkerId,
    },
    /// It holds callers for a session.
    Attached {
        /// The session.
        session: SessionId,
    },
    /// It can take conversations of it.
    Ready,
    /// It could not prepare it.
    Failed {
        /// Why.
        why: String,
    },
    /// It heard nothing of its coordinator for its lease, and ends so many callers.
    LeaseOver {
        /// How many.
        callers: usize,
    },
    /// The session is over for it.
    Released,
    /// It takes no more runs.
    Draining,
}

/// Runs a worker until it is asked to stop, here or by `rushhour workers --drain`.
///
/// # Errors
/// There is no connection to NATS, or it was closed for good.
pub async fn run_worker(
    config: WorkerConfig,
    mut stops: UnboundedReceiver<StopRequest>,
    events: UnboundedSender<WorkerEvent>,
) -> Result<(), NatsError> {
    let id = WorkerId::new(random_u32());
    let connection = Connection::open(&config.nats, id, Role::Worker).await?;
    let mut commands = connection.subscribe(connection.subjects.command(id)).await?;
    let mut all = connection.subscribe(connection.subjects.all()).await?;
    connection.flush().await;
    let (prepared, mut preparations) = unbounded_channel();
    let mut worker = Worker {
        id,
        capacity: config.capacity.clamp(1, MAX_CAPACITY),
        config,
        connection,
        cache: BlobCache::default(),
        prepared,
        events,
        held: None,
        draining: false,
        ends_by: None,
        ticks: Ticks::default(),
    };
    worker.tell(WorkerEvent::Waiting { worker: id });
    let mut beat = tokio::time::interval(BEAT_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !worker.is_done() {
        tokio::select! {
            message = commands.next() => match message {
                Some(message) => worker.commanded(&message).await,
                None => return Err(closed()),
            },
            message = all.next() => match message {
                Some(message) => worker.roll_called(&message).await,
                None => return Err(closed()),
            },
            () = worker.take_updates() => worker.send_updates().await,
            Some(preparation) = preparations.recv() => worker.prepared(preparation),
            _ = beat.tick() => worker.beat().await,
            Some(StopRequest::Stop) = stops.recv() => worker.stop(),
        }
    }
    worker.leave(&mut commands).await;
    Ok(())
}

fn closed() -> NatsError {
    NatsError::Subscribe("the connection was closed".into())
}

/// The end of a preparation, and for which coordinator it was.
type Preparation = (u32, Result<Arc<dyn Evaluator>, String>);

/// Ticks of the callers' threads, over all sessions.
#[derive(Debug, Default)]
struct Ticks {
    all: u64,
    late: u64,
    /// The longest delay since the last beat.
    latest: Micros,
}

struct Worker {
    id: WorkerId,
    capacity: u32,
    config: WorkerConfig,
    connection: Connection,
    cache: BlobCache,
    prepared: UnboundedSender<Preparation>,
    events: UnboundedSender<WorkerEvent>,
    held: Option<HeldSession>,
    draining: bool,
    /// When the process exits whatever it holds: its callers were told to leave.
    ends_by: Option<Instant>,
    ticks: Ticks,
}

impl Worker {
    fn now(&self) -> SessionTime {
        self.config.clock.now()
    }

    fn tell(&self, event: WorkerEvent) {
        tracing::info!(worker = %self.id, ?event, "worker");
        let _ = self.events.send(event);
    }

    /// Whether nothing is left to do for a worker that was asked to stop.
    fn is_done(&self) -> bool {
        if self.ends_by.is_some_and(|at| Instant::now() >= at) {
            return true;
        }
        let now = self.now();
        self.draining
            && self.held.as_ref().is_none_or(|held| {
                held.live() == 0 && (held.outbox.len() == 0 || held.lease.is_over(now))
            })
    }

    fn callers(&self) -> Option<&Arc<dyn Evaluator>> {
        match &self.held.as_ref()?.callers {
            Callers::Ready(callers) => Some(callers),
            Callers::Preparing | Callers::Failed(_) => None,
        }
    }

    /// Waits for an update and takes in those that are there with it. Cancel safe: each is kept as soon as it is there.
    async fn take_updates(&mut self) {
        let Some(callers) = self.callers().cloned() else { return std::future::pending().await };
        let mut next = Some(callers.next_update().await);
        for taken in 1.. {
            let (Some(update), Some(held)) = (next.take(), &mut self.held) else { break };
            held.updated(update);
            if taken < UPDATES_PER_BATCH {
                next = callers.next_update().now_or_never();
            }
        }
    }

    async fn send_updates(&mut self) {
        let now = self.now();
        while self.connection.is_up()
            && let Some(held) = &mut self.held
            && !held.lease.is_over(now)
            && let Some(updates) = held.outbox.next_batch(now)
        {
            let subject = self.connection.subjects.updates(held.fence.coordinator);
            let batch = UpdateBatch { worker: self.id, stream: held.stream, updates };
            self.connection.send(subject, &batch).await;
        }
    }

    async fn commanded(&mut self, message: &Message) {
        let received = self.now();
        let command = match decode::<Command>(&message.payload) {
            Ok(command) => command,
            Err(error) => {
                let refusal = Refusal::Foreign(error.to_string());
                self.connection.answer::<()>(message, &Err(refusal)).await;
                return;
            }
        };
        match command {
            Command::Clock => {
                let [received, answered] =
                    [received, self.now()].map(|time| WorkerTime::from_micros(time.0));
                let answer = Ok(ClockAnswer { received, answered });
                self.connection.answer(message, &answer).await;
            }
            Command::Attach(attach) => {
                let answer = self.attach(&attach);
                self.connection.answer(message, &answer).await;
                self.send_updates().await;
            }
            Command::Submit(submit) => {
                let answer = self.submit(*submit).await;
                self.connection.answer(message, &answer).await;
            }
            Command::End(end) => match self.may_end(&end) {
                Ok(callers) => {
                    // Answered once the caller has left: whoever asked deletes the room then.
                    let (connection, message) = (self.connection.clone(), message.clone());
                    let (answer, run) = (Ok(self.done()), EvaluatorRunId::of_native(end.run));
                    tokio::spawn(async move {
                        if let Some(callers) = callers {
                            let _ = callers.end_call(run).await;
                        }
                        connection.answer(&message, &answer).await;
                    });
                }
                Err(refusal) => self.connection.answer::<Done>(message, &Err(refusal)).await,
            },
            Command::Acknowledge(acknowledge) => {
                let answer = self.acknowledge(&acknowledge);
                self.connection.answer(message, &answer).await;
                self.send_updates().await;
            }
            Command::Release(fence) => {
                let answer = self.release(&fence);
                self.connection.answer(message, &answer).await;
            }
            Command::Drain => {
                self.drain();
                let answer = Ok(self.done());
                self.connection.answer(message, &answer).await;
            }
        }
    }

    fn done(&self) -> Done {
        let held = self.held.as_ref().map_or(0, HeldSession::live);
        Done { held, capacity: self.capacity }
    }

    fn attach(&mut self, attach: &Attach) -> Result<Attached, Refusal> {
        let now = self.now();
        let Attach { fence, lease, setup } = attach;
        let lets_go = self.held.as_ref().is_some_and(|held| {
            held.fence.session != fence.session && held.lease.is_over(now) && held.live() == 0
        });
        if lets_go {
            self.forget();
        }
        if let Some(held) = &mut self.held {
            held.take_over(fence, *setup, *lease, now)?;
            let (next, runs) = (held.outbox.next_expected(), held.open_runs());
            return Ok(Attached { stream: held.stream, next, runs });
        }
        if self.draining {
            return Err(Refusal::Draining);
        }
        let stream = random_u32();
        self.held = Some(HeldSession::new(fence.clone(), *setup, stream, *lease, now));
        self.tell(WorkerEvent::Attached { session: fence.session.clone() });
        let preparation = prepare(
            self.connection.clone(),
            self.cache.clone(),
            fence.coordinator,
            *setup,
            self.config.factory.clone(),
        );
        let prepared = self.prepared.clone();
        tokio::spawn(async move {
            // Nobody listens once the worker has stopped.
            let _ = prepared.send((stream, preparation.await));
        });
        Ok(Attached { stream, next: 1, runs: Vec::new() })
    }

    fn prepared(&mut self, (stream, result): Preparation) {
        let Some(held) = self.held.as_mut().filter(|held| held.stream == stream) else {
            return drop_later(result.ok());
        };
        match result {
            Ok(callers) => {
                held.callers = Callers::Ready(callers);
                self.tell(WorkerEvent::Ready);
            }
            Err(why) => {
                let why = shown(why);
                held.callers = Callers::Failed(why.clone());
                self.tell(WorkerEvent::Failed { why });
            }
        }
    }

    async fn submit(&mut self, submit: Submit) -> Result<Done, Refusal> {
        let now = self.now();
        let submit = match &self.config.livekit_url {
            Some(url) => Submit { livekit_url: url.clone(), ..submit },
            None => submit,
        };
        let limits = WorkerLimits {
            capacity: self.capacity,
            draining: self.draining,
            allowed: &self.config.allowed,
        };
        let held = self.held.as_mut().ok_or(Refusal::UnknownSession)?;
        if held.admit(&submit, limits, now)? == Admission::Known {
            return Ok(self.done());
        }
        let Callers::Ready(callers) = &held.callers else { return Err(Refusal::UnknownSession) };
        let run = submit.run;
        let request = ConversationRequest {
            run,
            scenario: submit.scenario,
            mode: submit.mode,
            network: submit.network,
            livekit_url: submit.livekit_url,
            room: RoomName::new(submit.room),
            token: Secret::new(submit.token),
        };
        let submitted = callers.submit(vec![request]).await;
        submitted.map_err(|error| Refusal::Failed(error.detail()))?;
        held.began(run);
        Ok(self.done())
    }

    /// Whose conversation is to end, if there is any.
    fn may_end(&mut self, end: &EndCall) -> Result<Option<Arc<dyn Evaluator>>, Refusal> {
        let now = self.now();
        let held = self.held.as_mut().ok_or(Refusal::UnknownSession)?;
        held.obey(&end.fence, now)?;
        Ok(self.callers().cloned())
    }

    fn acknowledge(&mut self, acknowledge: &Acknowledge) -> Result<Done, Refusal> {
        let now = self.now();
        let held = self.held.as_mut().ok_or(Refusal::UnknownSession)?;
        held.obey(&acknowledge.fence, now)?;
        if acknowledge.stream == held.stream {
            held.outbox.acknowledge(acknowledge.up_to, acknowledge.expected, now);
        }
        Ok(self.done())
    }

    fn release(&mut self, fence: &Fence) -> Result<Done, Refusal> {
        let now = self.now();
        let Some(held) = &mut self.held else { return Ok(self.done()) };
        held.obey(fence, now)?;
        let runs = held.end_all();
        self.end_calls(&runs);
        self.forget();
        if self.config.lifetime == WorkerLifetime::OneSession {
            self.drain();
        }
        Ok(self.done())
    }

    /// Tells callers to leave, and does not wait.
    fn end_calls(&self, runs: &[RunIndex]) {
        let Some(callers) = self.callers() else { return };
        for run in runs {
            let (callers, run) = (callers.clone(), EvaluatorRunId::of_native(*run));
            tokio::spawn(async move {
                let _ = callers.end_call(run).await;
            });
        }
    }

    fn forget(&mut self) {
        if let Some(HeldSession { callers: Callers::Ready(callers), .. }) = self.held.take() {
            drop_later(Some(callers));
        }
        self.tell(WorkerEvent::Released);
    }

    fn drain(&mut self) {
        if !self.draining {
            self.draining = true;
            self.tell(WorkerEvent::Draining);
        }
    }

    fn stop(&mut self) {
        if !self.draining {
            self.drain();
        } else if self.ends_by.is_none() {
            self.ends_by = Some(Instant::now() + LEAVE_TIMEOUT);
            let runs = self.held.as_mut().map(HeldSession::end_all).unwrap_or_default();
            self.end_calls(&runs);
        }
    }

    async fn beat(&mut self) {
        let now = self.now();
        if let Some(held) = &mut self.held {
            let runs = held.abandon(now);
            if !runs.is_empty() {
                self.end_calls(&runs);
                self.tell(WorkerEvent::LeaseOver { callers: runs.len() });
            }
        }
        if let Some(health) = self.callers().and_then(|callers| callers.health()) {
            self.ticks.all += health.ticks;
            self.ticks.late += health.late_ticks;
            self.ticks.latest = self.ticks.latest.max(health.latest_tick);
        }
        let report = self.report();
        self.ticks.latest = Micros::ZERO;
        let subject = self.connection.subjects.beat(self.id);
        self.connection.send(subject, &report).await;
        self.send_updates().await;
    }

    async fn roll_called(&self, message: &Message) {
        let Some(reply) = &message.reply else { return };
        self.connection.send(reply.to_string(), &self.report()).await;
    }

    fn report(&self) -> WorkerReport {
        let now = self.now();
        // What it keeps for a coordinator that may be resumed keeps nobody else away.
        let is_let_go = |held: &&HeldSession| held.lease.is_over(now) && held.live() == 0;
        let held = self.held.as_ref().filter(|held| !is_let_go(held));
        let state = match held.map(|held| &held.callers) {
            _ if self.draining => WorkerState::Draining,
            None => WorkerState::Idle,
            Some(Callers::Preparing) => WorkerState::Preparing,
            Some(Callers::Ready(_)) => WorkerState::Ready,
            Some(Callers::Failed(why)) => WorkerState::Failed(why.as_str().into()),
        };
        WorkerReport {
            worker: self.id,
            host: self.config.host.as_str().into(),
            capacity: self.capacity,
            joins: self.config.joins.clamp(1, MAX_JOINS),
            held: held.map_or(0, HeldSession::live),
            state,
            session: held.map(|held| (held.fence.session.clone(), held.fence.epoch)),
            unacknowledged: held.map_or(0, |held| held.outbox.len() as u64),
            last_update: held.map_or(0, |held| held.outbox.last()),
            ticks: self.ticks.all,
            late_ticks: self.ticks.late,
            latest_tick: self.ticks.latest,
            reconnects: self.connection.reconnects(),
        }
    }

    /// Says goodbye.
    async fn leave(&mut self, commands: &mut Subscriber) {
        let subject = self.connection.subjects.beat(self.id);
        self.draining = true;
        let report = self.report();
        self.connection.send(subject, &report).await;
        let _ = commands.unsubscribe().await;
        self.connection.flush().await;
        if self.held.is_some() {
            self.forget();
        }
    }
}

/// Dropping callers waits for their threads.
fn drop_later(callers: Option<Arc<dyn Evaluator>>) {
    if let Some(callers) = callers {
        tokio::task::spawn_blocking(move || drop(callers));
    }
}
