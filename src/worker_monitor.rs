//! The agent's worker looked at throughout a session, and what the session left behind looked at after it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::exit::CliError;
use crate::services::Clients;
use crate::signals::interrupted;
use rushhour_core::event::{AgentHealth, Event, EventKind, EventSink};
use rushhour_core::profile::AgentHealthSettings;
use rushhour_core::units::RoomName;
use rushhour_driver::agent_worker::WorkerClient;
use rushhour_driver::{RoomNaming, SessionClock};
use rushhour_livekit::ControlPlane;

/// After its end the worker is looked at more often, so that nobody waits for what is gone already.
const AT_REST_EVERY: Duration = Duration::from_secs(1);
/// How long the server may take to list rooms.
const LIST_WITHIN: Duration = Duration::from_secs(10);
/// Rooms that were just deleted may be listed a moment longer.
const LISTS: u32 = 3;

/// Looks at the agent's worker until it is dropped.
pub(crate) struct WorkerMonitor {
    watch: WorkerClient,
    settings: AgentHealthSettings,
    clock: SessionClock,
    sink: Arc<dyn EventSink>,
    before: AgentHealth,
    task: JoinHandle<()>,
}

impl Drop for WorkerMonitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl WorkerMonitor {
    /// Takes a first look, before anything is started, and goes on in the background.
    pub(crate) async fn begin(
        settings: &AgentHealthSettings,
        clock: SessionClock,
        sink: Arc<dyn EventSink>,
    ) -> Result<Self, CliError> {
        let watch = WorkerClient::new(settings.clone()).map_err(CliError::internal)?;
        let before = watch.poll().await;
        keep(&*sink, clock, before.clone());
        let task = tokio::spawn(attend(watch.clone(), settings.clone(), clock, Arc::clone(&sink)));
        Ok(Self { watch, settings: settings.clone(), clock, sink, before, task })
    }

    /// Looks on after the session's end, until its jobs and processes are what they were before, or the time
    /// is up that they are given, or somebody interrupts.
    pub(crate) async fn settle(self) {
        self.task.abort();
        tokio::select! {
            () = self.watch_them_go() => {}
            _ = interrupted() => {}
        }
    }

    async fn watch_them_go(&self) {
        let until = Instant::now() + self.settings.settle.as_duration();
        let mut ticks = interval(AT_REST_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < until {
            ticks.tick().await;
            let said = self.watch.poll().await;
            let back = is_back(&self.before, &said);
            keep(&*self.sink, self.clock, said);
            if back {
                return;
            }
        }
    }
}

async fn attend(
    watch: WorkerClient,
    settings: AgentHealthSettings,
    clock: SessionClock,
    sink: Arc<dyn EventSink>,
) {
    let mut ticks = interval(settings.every.as_duration());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        keep(&*sink, clock, watch.poll().await);
    }
}

fn keep(sink: &dyn EventSink, clock: SessionClock, said: AgentHealth) {
    sink.record(Event { at: clock.now(), kind: EventKind::AgentHealth(said) });
}

/// Whether nothing more is to be waited for.
fn is_back(before: &AgentHealth, now: &AgentHealth) -> bool {
    let back = |before: Option<u64>, now: Option<u64>| match (before, now) {
        (Some(before), Some(now)) => now <= before,
        _ => true,
    };
    now.error.is_none() && back(before.jobs, now.jobs) && back(before.children, now.children)
}

/// Keeps how many of the session's rooms the server still lists, nothing where it does not say. A server may list
/// a room again that it deleted while its state was being written: such a room is deleted once more first.
pub(crate) async fn list_rooms(
    services: &Clients,
    names: &RoomNaming,
    clock: SessionClock,
    sink: &dyn EventSink,
) {
    let (mut rooms, mut deleted_again) = (0, 0);
    for attempt in 1..=LISTS {
        let Some(left) = rooms_left(services, names).await else { return };
        rooms = left.len() as u64;
        if left.is_empty() || attempt == LISTS {
            break;
        }
        if attempt == 1 {
            deleted_again = rooms;
        }
        for room in left {
            let deleted = timeout(LIST_WITHIN, services.livekit.delete_room(room)).await;
            // A server that does not answer is not waited for room by room; what stays is listed once more.
            if !matches!(deleted, Ok(Ok(()))) {
                break;
            }
        }
        tokio::time::sleep(AT_REST_EVERY).await;
    }
    sink.record(Event { at: clock.now(), kind: EventKind::RoomsListed { rooms, deleted_again } });
}

async fn rooms_left(services: &Clients, names: &RoomNaming) -> Option<Vec<RoomName>> {
    let listed = timeout(LIST_WITHIN, services.livekit.list_rooms(Vec::new())).await.ok()?.ok()?;
    let rooms = listed.rooms.into_iter().map(|sight| sight.room);
    Some(rooms.filter(|room| names.owns(room)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_not_waited_for() {
        let said = |jobs, children| AgentHealth { jobs, children, ..AgentHealth::default() };
        assert!(is_back(&said(Some(0), None), &said(Some(0), Some(3))));
        assert!(is_back(&said(Some(1), Some(4)), &said(Some(0), Some(4))));
        assert!(!is_back(&said(Some(0), Some(4)), &said(Some(0), Some(5))));
        assert!(!is_back(&said(Some(0), None), &said(Some(2), None)));
        let silent = AgentHealth { error: Some("gone".into()), ..AgentHealth::default() };
        assert!(!is_back(&said(Some(0), None), &silent));
    }
}
