//! The event loop of a worker: owns its state, takes in commands and updates, says once a second that it is there.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior};

use super::held_session::{Callers, EndReason, HeldSession};
use super::hosts::AllowedHosts;
use super::preparation::{BlobCache, CallerFactory, shown};
use super::watermark::Watermark;
use crate::connection::{Connection, NatsConfig, NatsError, random_u32};
use crate::protocol::{BEAT_EVERY, MAX_CAPACITY, Role, UPDATES_PER_BATCH, UpdateBatch};
use rushhour_callers::engine::EngineClock;
use rushhour_core::evaluator::Evaluator;
use rushhour_core::units::{EvaluatorRunId, Micros, RunIndex, SessionId, SessionTime, WorkerId};

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
    let watermark = Watermark::new(config.clock.now());
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
        watermark,
    };
    worker.tell(WorkerEvent::Waiting { worker: id });
    let mut beat = tokio::time::interval(BEAT_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !worker.is_done() {
        tokio::select! {
            message = commands.next() => match message {
                Some(message) => worker.commanded(&message).await,
                None => return Err(NatsError::Closed),
            },
            message = all.next() => match message {
                Some(message) => worker.roll_called(&message).await,
                None => return Err(NatsError::Closed),
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

/// The end of a preparation, and for which coordinator it was.
pub(super) type Preparation = (u32, Result<Arc<dyn Evaluator>, String>);

/// Ticks of the callers' threads, over all sessions.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    pub(super) all: u64,
    pub(super) late: u64,
    /// The longest delay since the last beat.
    pub(super) latest: Micros,
}

pub(super) struct Worker {
    pub(super) id: WorkerId,
    pub(super) capacity: u32,
    pub(super) config: WorkerConfig,
    pub(super) connection: Connection,
    pub(super) cache: BlobCache,
    pub(super) prepared: UnboundedSender<Preparation>,
    events: UnboundedSender<WorkerEvent>,
    pub(super) held: Option<HeldSession>,
    pub(super) draining: bool,
    /// When the process exits whatever it holds: its callers were told to leave.
    ends_by: Option<Instant>,
    pub(super) ticks: Ticks,
    pub(super) watermark: Watermark,
}

impl Worker {
    pub(super) fn now(&self) -> SessionTime {
        self.config.clock.now()
    }

    /// The process is on its turn: notes whether it stood still before.
    pub(super) fn woke(&mut self) -> SessionTime {
        let now = self.now();
        if let Some(still) = self.watermark.woke(now)
            && let Some(held) = &mut self.held
        {
            tracing::warn!(%still, "the process stood still");
            held.stood_still(still, now);
        }
        now
    }

    pub(super) fn tell(&self, event: WorkerEvent) {
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

    pub(super) fn callers(&self) -> Option<&Arc<dyn Evaluator>> {
        match &self.held.as_ref()?.callers {
            Callers::Ready(callers) => Some(callers),
            Callers::Preparing | Callers::Failed(_) => None,
        }
    }

    /// Waits for an update and takes in those that are there with it. Cancel safe: each is kept as soon as it is there.
    async fn take_updates(&mut self) {
        let Some(callers) = self.callers().cloned() else { return std::future::pending().await };
        let mut next = Some(callers.next_update().await);
        let now = self.woke();
        for taken in 1.. {
            let (Some(update), Some(held)) = (next.take(), &mut self.held) else { break };
            held.updated(update, now);
            if taken < UPDATES_PER_BATCH {
                next = callers.next_update().now_or_never();
            }
        }
    }

    pub(super) async fn send_updates(&mut self) {
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

    /// Tells callers to leave, and does not wait.
    pub(super) fn end_calls(&self, runs: &[RunIndex]) {
        let Some(callers) = self.callers() else { return };
        for run in runs {
            let (callers, run) = (callers.clone(), EvaluatorRunId::of_native(*run));
            tokio::spawn(async move {
                let _ = callers.end_call(run).await;
            });
        }
    }

    pub(super) fn forget(&mut self) {
        if let Some(HeldSession { callers: Callers::Ready(callers), .. }) = self.held.take() {
            drop_later(Some(callers));
        }
        self.tell(WorkerEvent::Released);
    }

    pub(super) fn drain(&mut self) {
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
            let held = self.held.as_mut();
            let runs = held.map(|held| held.end_all(EndReason::WorkerStops)).unwrap_or_default();
            self.end_calls(&runs);
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
