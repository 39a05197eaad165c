//! What a worker says of itself once a second, and when it is asked.

use async_nats::Message;
use futures_util::FutureExt;

use super::event_loop::{Worker, WorkerEvent};
use super::held_session::{Callers, HeldSession};
use crate::clock::WorkerTime;
use crate::protocol::{MAX_JOINS, WorkerReport, WorkerState};
use rushhour_core::units::Micros;

/// The most updates that are taken in before a beat.
const MAX_WAITING_UPDATES: usize = 100_000;

impl Worker {
    pub(super) async fn beat(&mut self) {
        let now = self.woke();
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
        let has_all = self.take_waiting_updates();
        self.watermark.beat(now, has_all, self.ticks.latest);
        let report = self.report();
        self.ticks.latest = Micros::ZERO;
        let subject = self.connection.subjects.beat(self.id);
        self.connection.send(subject, &report).await;
        self.send_updates().await;
    }

    /// Takes in the updates that are there; returns whether those were all.
    fn take_waiting_updates(&mut self) -> bool {
        let Some(callers) = self.callers().cloned() else { return true };
        let now = self.now();
        for _ in 0..MAX_WAITING_UPDATES {
            // tokio lets a task have no more than some hundred of them at a time, and says that there are none.
            let next = tokio::task::unconstrained(callers.next_update()).now_or_never();
            let (Some(update), Some(held)) = (next, &mut self.held) else { return true };
            held.updated(update, now);
        }
        false
    }

    pub(super) async fn roll_called(&self, message: &Message) {
        let Some(reply) = &message.reply else { return };
        self.connection.send(reply.to_string(), &self.report()).await;
    }

    pub(super) fn report(&self) -> WorkerReport {
        let now = self.now();
        let held = self.held.as_ref().filter(|held| !held.is_let_go(now));
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
            heard_until: WorkerTime::from_micros(self.watermark.heard_until().0),
        }
    }
}
