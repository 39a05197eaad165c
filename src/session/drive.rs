//! Drives a session to its end, whether it is new or resumed: signals, thresholds, progress, the agent's health.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::info;

use super::abort_on_fail;
use super::clients::Clients;
use super::control::Control;
use super::late_stop::{LateStop, StopListener};
use super::progress::{Progress, ProgressSink};
use super::worker_monitor::{WorkerMonitor, record_rooms_left};
use crate::error::CliError;
use crate::signals::{self, EVERY_RUN_HAS_ENDED, SESSION_SIGNALS};
use rushhour_core::event::EventSink;
use rushhour_core::plan::Forecast;
use rushhour_driver::{DriveError, Services, Session, SessionClock, SessionInput, drive};

/// A session that is ready to be driven.
pub(crate) struct ReadySession<'a> {
    pub(crate) session: Session,
    pub(crate) services: Services,
    pub(crate) clients: &'a Clients,
    pub(crate) clock: SessionClock,
    pub(crate) sink: Arc<ProgressSink>,
    /// What progress is measured by; none where no progress is shown.
    pub(crate) progress: Option<&'a Forecast>,
    /// The session's folder.
    pub(crate) folder: &'a Path,
    /// Whoever takes stops for this session until it listens itself.
    pub(crate) stopped_by: Option<&'a StopListener>,
}

impl ReadySession<'_> {
    /// Drives the session to its end. Returns whether somebody stopped it when its runs had ended, and what listens for
    /// that: nothing that costs may follow it then. Must be called within a runtime.
    ///
    /// # Errors
    /// Where the worker's health or signals cannot be watched, or the journal cannot be written.
    pub(crate) async fn drive(self) -> Result<(LateStop, Option<Control>), CliError> {
        let Self { session, services, clients, clock, sink, progress, folder, stopped_by } = self;
        let (profile, names) = (Arc::clone(&services.profile), services.naming.clone());
        let id = services.session_id.clone();
        let worker = match &profile.agent_health {
            Some(settings) => Some(WorkerMonitor::start(settings, clock, sink.clone()).await?),
            None => None,
        };
        let (inputs, input) = mpsc::unbounded_channel();
        let late_stop = LateStop::default();
        let requested = late_stop.clone();
        signals::forward(
            inputs.clone(),
            || SessionInput::Stop,
            SESSION_SIGNALS,
            move || {
                requested.request();
                EVERY_RUN_HAS_ENDED
            },
        )?;
        let control =
            Control::listen(folder, clock, sink.clone(), inputs.clone(), late_stop.clone());
        // A session that cannot be marked runs all the same.
        let control =
            control.inspect_err(|error| info!(%error, "cannot be marked or stopped")).ok();
        if let Some(stopped_by) = stopped_by {
            stopped_by.hand_over(inputs.clone());
        }
        let abort = sink.can_abort().then(|| abort_on_fail::spawn(&sink, clock, inputs));
        let progress = progress.map(|forecast| Progress::show(&sink, clock, forecast));
        info!(session = %services.session_id, "the session begins");
        let driven = drive(session, services, clock, input).await;
        drop(progress);
        if let Some(abort) = abort {
            abort.abort();
        }
        #[cfg(feature = "fleet")]
        clients.release_workers().await;
        sink.finish_observer();
        driven.map_err(drive_failed)?;
        info!("every run has ended");
        if let Some(worker) = worker {
            worker.settle(late_stop.requested()).await;
        }
        if profile.soak.is_some() {
            record_rooms_left(clients, (&id, &names), clock, &*sink).await;
        }
        sink.flush().await.map_err(|error| drive_failed(error.into()))?;
        Ok((late_stop, control))
    }
}

fn drive_failed(error: DriveError) -> CliError {
    let is_timer = matches!(error, DriveError::Timer(_));
    let error = CliError::from_internal(error);
    if is_timer {
        return error;
    }
    error.with_hint(
        "run `rushhour report` on its folder: the session was ended in order, and its journal holds everything up to the failure",
    )
}
