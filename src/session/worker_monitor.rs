//! Health of the agent's worker during a session, and what the session left behind after it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::clients::Clients;
use crate::credentials;
use crate::error::CliError;
use rushhour_core::event::{AgentHealth, Event, EventKind, EventSink};
use rushhour_core::profile::AgentHealthSettings;
use rushhour_core::units::SessionId;
use rushhour_driver::agent_worker::WorkerClient;
use rushhour_driver::{RoomNaming, SessionClock};
use rushhour_livekit::{ControlPlane, RoomInfo, parse_room_owner};

/// What is sent to a Prometheus server in the header Authorization.
const PROMETHEUS_AUTHORIZATION: &str = "RUSHHOUR_PROMETHEUS_AUTHORIZATION";

/// How often the worker is polled after the session: often, because the user waits.
const SETTLING_INTERVAL: Duration = Duration::from_secs(1);

/// How long the server may take to list rooms, or to delete one.
const ROOM_TIMEOUT: Duration = Duration::from_secs(10);

/// How often rooms are listed: one that was just deleted may still be in the first list.
const LISTINGS: u32 = 3;

/// Polls the health of the agent's worker until it is dropped.
pub(crate) struct WorkerMonitor {
    client: WorkerClient,
    settings: AgentHealthSettings,
    clock: SessionClock,
    sink: Arc<dyn EventSink>,
    /// The worker's health before the session.
    baseline: AgentHealth,
    task: JoinHandle<()>,
}

impl Drop for WorkerMonitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl WorkerMonitor {
    /// Polls once, before anything is started, and then goes on in the background.
    pub(crate) async fn start(
        settings: &AgentHealthSettings,
        clock: SessionClock,
        sink: Arc<dyn EventSink>,
    ) -> Result<Self, CliError> {
        let authorization = match settings.prometheus {
            Some(_) => credentials::optional_from_environment(PROMETHEUS_AUTHORIZATION)?,
            None => None,
        };
        let client =
            WorkerClient::new(settings.clone(), authorization).map_err(CliError::from_internal)?;
        let baseline = client.poll().await;
        record(&*sink, clock, baseline.clone());
        let polls = poll_forever(client.clone(), settings.clone(), clock, Arc::clone(&sink));
        let task = tokio::spawn(polls);
        Ok(Self { client, settings: settings.clone(), clock, sink, baseline, task })
    }

    /// Polls on after the session, until the worker's jobs and processes are back at what they were before it, the
    /// time allowed for that is up, or `stop` resolves.
    pub(crate) async fn settle(self, stop: impl Future<Output = ()>) {
        self.task.abort();
        tokio::select! {
            () = self.poll_until_settled() => {}
            () = stop => {}
        }
    }

    async fn poll_until_settled(&self) {
        let deadline = Instant::now() + self.settings.settle.as_duration();
        let mut ticks = interval(SETTLING_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < deadline {
            ticks.tick().await;
            let health = self.client.poll().await;
            let settled = is_settled(&self.baseline, &health);
            record(&*self.sink, self.clock, health);
            if settled {
                return;
            }
        }
    }
}

async fn poll_forever(
    client: WorkerClient,
    settings: AgentHealthSettings,
    clock: SessionClock,
    sink: Arc<dyn EventSink>,
) {
    let mut ticks = interval(settings.every.as_duration());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        record(&*sink, clock, client.poll().await);
    }
}

fn record(sink: &dyn EventSink, clock: SessionClock, health: AgentHealth) {
    sink.record(Event { at: clock.now(), kind: EventKind::AgentHealth(health) });
}

/// Whether jobs and processes are back at the baseline. What the worker never reported is not waited for.
fn is_settled(baseline: &AgentHealth, now: &AgentHealth) -> bool {
    let settled = |before: Option<u64>, now: Option<u64>| match (before, now) {
        (Some(before), Some(now)) => now <= before,
        // One query of several may fail once.
        (Some(_), None) => false,
        (None, _) => true,
    };
    now.error.is_none()
        && settled(baseline.jobs, now.jobs)
        && settled(baseline.children, now.children)
}

/// Records how many of the session's rooms the server still lists; records nothing where the server does not answer.
/// A server that was writing a room's state while it deleted the room can list it again: such a room is deleted once
/// more first.
pub(crate) async fn record_rooms_left(
    clients: &Clients,
    (session, names): (&SessionId, &RoomNaming),
    clock: SessionClock,
    sink: &dyn EventSink,
) {
    let (mut rooms, mut deleted_again) = (0, 0);
    for listing in 1..=LISTINGS {
        let Some(left) = rooms_left(clients, names).await else { return };
        rooms = left.len() as u64;
        if left.is_empty() || listing == LISTINGS {
            break;
        }
        if listing == 1 {
            deleted_again = rooms;
        }
        let is_marked = |room: &RoomInfo| {
            parse_room_owner(&room.metadata).is_some_and(|owner| owner.session == *session)
        };
        for room in left.into_iter().filter(is_marked) {
            let deleted = timeout(ROOM_TIMEOUT, clients.livekit.delete_room(room.room)).await;
            // A server that does not answer one request will not answer the next; the next listing shows what is left.
            if !matches!(deleted, Ok(Ok(()))) {
                break;
            }
        }
        tokio::time::sleep(SETTLING_INTERVAL).await;
    }
    sink.record(Event { at: clock.now(), kind: EventKind::RoomsListed { rooms, deleted_again } });
}

async fn rooms_left(clients: &Clients, names: &RoomNaming) -> Option<Vec<RoomInfo>> {
    let listed = timeout(ROOM_TIMEOUT, clients.livekit.list_rooms(Vec::new())).await.ok()?.ok()?;
    Some(listed.rooms.into_iter().filter(|room| names.owns(&room.room)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_worker_reports_is_waited_for() {
        let health = |jobs, children| AgentHealth { jobs, children, ..AgentHealth::default() };
        assert!(is_settled(&health(Some(0), None), &health(Some(0), Some(3))));
        assert!(is_settled(&health(Some(1), Some(4)), &health(Some(0), Some(4))));
        assert!(!is_settled(&health(Some(0), Some(4)), &health(Some(0), Some(5))));
        assert!(!is_settled(&health(Some(0), None), &health(Some(2), None)));
        assert!(
            !is_settled(&health(Some(0), None), &health(None, Some(3))),
            "of jobs nothing is known"
        );
        let failed = AgentHealth { error: Some("gone".into()), ..AgentHealth::default() };
        assert!(!is_settled(&health(Some(0), None), &failed));
    }
}
