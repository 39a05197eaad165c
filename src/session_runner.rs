//! A session carried out to its end, begun anew or taken up again: signals, thresholds, progress.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::abort_on_fail;
use crate::exit::CliError;
use crate::progress::{Progress, ProgressSink};
use crate::services::Clients;
use crate::signals;
use crate::worker_monitor::{WorkerMonitor, list_rooms};
use rushhour_core::event::EventSink;
use rushhour_core::plan::Forecast;
use rushhour_core::profile::Profile;
use rushhour_core::units::SessionId;
use rushhour_driver::{
    DriveError, DriverSettings, RoomNaming, Services, Session, SessionClock, SessionInput, drive,
};
use rushhour_livekit::LiveKitErrorKind;

/// Shows that LiveKit answers and accepts the key, before anything is made there.
pub(crate) async fn greet(services: &Clients) -> Result<(), CliError> {
    services.livekit.check_connectivity().await.map_err(|error| {
        let hint = match error.kind {
            LiveKitErrorKind::Unauthenticated | LiveKitErrorKind::Forbidden => {
                "check LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and this machine's clock"
            }
            _ => "check livekit.url, or LIVEKIT_URL",
        };
        CliError::usage(format!("{}: {error}; {hint}", services.livekit_url))
    })
}

/// The outside world as a session's driver sees it.
pub(crate) fn outside(
    services: &Clients,
    watched: &Arc<ProgressSink>,
    (session, names): (SessionId, RoomNaming),
    profile: Arc<Profile>,
    settings: Arc<DriverSettings>,
) -> Services {
    Services {
        control: services.livekit.clone(),
        evaluator: services.evaluator.clone(),
        tokens: services.mint.clone(),
        sink: watched.clone(),
        livekit_url: services.livekit_url.clone(),
        session_id: session,
        profile,
        naming: names,
        settings,
    }
}

/// Drives a session to its end, and looks at the agent's worker and at what was left behind where the profile
/// asks for it; must be called within a runtime.
pub(crate) async fn conduct(
    session: Session,
    outside: Services,
    clock: SessionClock,
    watched: &Arc<ProgressSink>,
    (forecast, services): (Option<&Forecast>, &Clients),
) -> Result<(), CliError> {
    let (profile, names) = (Arc::clone(&outside.profile), outside.naming.clone());
    let attendance = match &profile.agent_health {
        Some(settings) => Some(WorkerMonitor::begin(settings, clock, watched.clone()).await?),
        None => None,
    };
    let (stops, stop) = mpsc::unbounded_channel();
    signals::pass_on(stops.clone(), || SessionInput::Stop, signals::OF_A_SESSION)?;
    let thresholds = watched.may_abort().then(|| abort_on_fail::watch(watched, clock, stops));
    let progress = forecast.map(|forecast| Progress::show(watched, clock, forecast));
    let kept = drive(session, outside, clock, stop).await;
    drop(progress);
    if let Some(thresholds) = thresholds {
        thresholds.abort();
    }
    let kept = match kept {
        Ok(()) => {
            if let Some(attendance) = attendance {
                attendance.settle().await;
            }
            if profile.soak.is_some() {
                list_rooms(services, &names, clock, &**watched).await;
            }
            watched.flush().await.map_err(DriveError::from)
        }
        Err(error) => Err(error),
    };
    kept.map_err(|error| {
        CliError::internal(format!(
            "{error}; the session was brought to an end, and what was kept before is safe"
        ))
    })
}
