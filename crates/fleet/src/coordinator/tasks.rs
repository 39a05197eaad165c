//! What listens and speaks beside the evaluator: beats, updates, scripts, acknowledgements, clocks.

use std::sync::Arc;

use async_nats::{Message, Subscriber};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::StreamExt;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::fleet::Shared;
use super::member::Standing;
use super::state::{Acknowledgement, FleetState};
use crate::connection::NatsError;
use crate::protocol::{
    Acknowledge, Attach, Attached, BEAT_EVERY, BLOB_CHUNK, BlobRequest, CLOCK_EVERY, Command, Done,
    FIRST_CLOCK_SAMPLES, REQUEST_TIMEOUT, Refusal, UpdateBatch, WorkerReport, decode,
};
use crate::roll_call::measure_clock;
use rushhour_core::units::{RunIndex, WorkerId};

/// Starts everything that listens.
///
/// # Errors
/// The server does not take the subscriptions.
pub(super) async fn listen(shared: &Arc<Shared>) -> Result<Vec<JoinHandle<()>>, NatsError> {
    let (connection, own) = (&shared.connection, shared.fence.coordinator);
    let subjects = &connection.subjects;
    let beats = connection.subscribe(subjects.beats()).await?;
    let updates = connection.subscribe(subjects.updates(own)).await?;
    let blobs = connection.subscribe(subjects.blobs(own)).await?;
    connection.flush().await;
    Ok(vec![
        tokio::spawn(take_in(beats, Arc::clone(shared), |shared, message| {
            match decode::<WorkerReport>(&message.payload) {
                Ok(report) => shared.with_state(|state| state.heard(report, shared.now())),
                Err(error) => tracing::debug!(%error, "a beat was not understood"),
            }
            shared.changed.notify_waiters();
        })),
        tokio::spawn(take_in(updates, Arc::clone(shared), |shared, message| {
            match decode::<UpdateBatch>(&message.payload) {
                Ok(batch) => shared.take_in(batch),
                Err(error) => tracing::warn!(%error, "updates were not understood"),
            }
        })),
        tokio::spawn(serve_blobs(blobs, Arc::clone(shared))),
        tokio::spawn(speak(Arc::clone(shared))),
    ])
}

async fn take_in(
    mut messages: Subscriber,
    shared: Arc<Shared>,
    act: impl Fn(&Shared, &Message) + Send + 'static,
) {
    while let Some(message) = messages.next().await {
        act(&shared, &message);
    }
}

async fn serve_blobs(mut requests: Subscriber, shared: Arc<Shared>) {
    while let Some(message) = requests.next().await {
        let answer = match decode::<BlobRequest>(&message.payload) {
            Ok(BlobRequest { hash, offset }) => match shared.blobs.get(hash) {
                Some(blob) => {
                    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(blob.len());
                    let to = from.saturating_add(BLOB_CHUNK).min(blob.len());
                    Ok(BASE64.encode(&blob[from..to]))
                }
                None => Err(Refusal::Failed(format!("nobody here has {hash}"))),
            },
            Err(error) => Err(Refusal::Foreign(error.to_string())),
        };
        shared.connection.answer(&message, &answer).await;
    }
}

/// Once a second: renews the leases, acknowledges, gives up the silent, asks the new. Now and then: measures clocks.
async fn speak(shared: Arc<Shared>) {
    let mut beat = tokio::time::interval(BEAT_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let every = CLOCK_EVERY.as_secs() / BEAT_EVERY.as_secs();
    for count in 1_u64.. {
        beat.tick().await;
        shared.expire();
        for acknowledgement in shared.with_state(|state| state.acknowledgements()) {
            let Acknowledgement { worker, stream, up_to, expected } = acknowledgement;
            let fence = shared.fence.clone();
            let command = Command::Acknowledge(Acknowledge { fence, stream, up_to, expected });
            let subject = shared.connection.subjects.command(worker);
            shared.connection.send(subject, &command).await;
            if count % every == 0 {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { shared.measure_clock(worker, 1).await });
            }
        }
        for (worker, must_forget) in shared.with_state(FleetState::take_unasked) {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { shared.attach(worker, must_forget).await });
        }
    }
}

impl Shared {
    /// Asks a worker to hold callers for the session; returns the runs that it holds from before.
    pub(super) async fn attach(&self, worker: WorkerId, must_forget: bool) -> Vec<RunIndex> {
        let subject = self.connection.subjects.command(worker);
        if must_forget {
            // What it held was given up.
            let release = Command::Release(self.fence.clone());
            let _ = self
                .connection
                .request::<_, Done>(subject.clone(), &release, REQUEST_TIMEOUT)
                .await;
        }
        let (fence, lease, setup) = (self.fence.clone(), self.lease, self.setup);
        let command = Command::Attach(Attach { fence, lease, setup });
        let answer =
            self.connection.request::<_, Attached>(subject, &command, REQUEST_TIMEOUT).await;
        let held = match answer {
            Ok(attached) => self.with_state(|state| state.attached(worker, attached)),
            Err(error) => {
                tracing::info!(%worker, %error, "a worker does not hold callers for this session");
                self.with_state(|state| state.not_attached(worker, error.to_string()));
                Vec::new()
            }
        };
        let is_attached = self.with_state(|state| {
            state.member(worker).is_some_and(|one| one.standing == Standing::Attached)
        });
        if is_attached {
            self.measure_clock(worker, FIRST_CLOCK_SAMPLES).await;
        }
        self.changed.notify_waiters();
        held
    }

    pub(super) async fn measure_clock(&self, worker: WorkerId, times: usize) {
        for _ in 0..times {
            let exchange = measure_clock(&self.connection, worker, self.zero).await;
            let Some(exchange) = exchange else { return };
            self.with_state(|state| state.clock_measured(worker, exchange));
        }
    }
}
